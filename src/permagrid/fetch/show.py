"""Data sets and fetches in a few lines of text, for the command line and the documentation."""

from collections.abc import Sequence

from permagrid.catalogue import CREDENTIALS, SOURCES, Source
from permagrid.fetch.plan import Plan, Remote
from permagrid.fetch.run import Fetched
from permagrid.fetch.web import Web, shown

_MOST_ASKED = 20
_MOST_LISTED = 60
_UNITS = ("B", "kB", "MB", "GB", "TB")
_UNVERIFIED = "The address was not verified."


def listing() -> str:
    """Return the names and titles of all data sets, one a line."""
    width = max(map(len, SOURCES))
    lines = [f"{source.name:<{width}}  {source.title}" for source in SOURCES.values()]
    return "\n".join([*lines, f"{'pangaea/NUMBER':<{width}}  any data set of PANGAEA"])


def markdown() -> str:
    """Return the data sets as a table in Markdown, with their citations below it."""
    rows = [_row(source) for source in SOURCES.values()]
    head = ("source", "data", "years", "resolutions", "variables", "licence", "DOI", "verified")
    table = [head, ("---",) * len(head), *rows]
    citations: dict[str, list[str]] = {}
    for source in SOURCES.values():
        citations.setdefault(source.cited, []).append(f"`{source.name}`")
    return "\n".join(
        [
            *(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in table),
            "",
            *(f"* {', '.join(names)}: {citation}." for citation, names in citations.items()),
        ]
    )


def details(source: Source, resolution: str) -> list[str]:
    """Return what a user should know of a data set before it is fetched."""
    lines = [f"{source.name}: {source.title}"]
    if source.resolutions:
        lines.append(f"resolution: {resolution}, of {', '.join(source.resolutions)}")
    if source.years:
        first, last = source.years
        lines.append(f"years: {first}-{last}{', a climatology' if source.static else ''}")
    lines += [f"licence: {_licence(source)}", f"citation: {source.cited}"]
    if source.credential:
        asked = CREDENTIALS[source.credential]
        lines.append(f"login: {asked.words}{'' if asked.required else ', if you have one'}")
    lines += [f"note: {note}" for note in source.notes]
    if not source.verified:
        lines.append(f"note: {_UNVERIFIED}")
    return lines


def planned(plan: Plan, web: Web) -> str:
    """Return what a fetch would do: its files with their sizes, licence and citation.

    Servers are asked for sizes, a few times at most; what cannot be learned is not shown.
    """
    sizes = _sizes(plan.remotes, web)
    lines = details(plan.source, plan.resolution)
    lines.append(f"to {plan.folder}:")
    for remote, size in list(zip(plan.remotes, sizes, strict=True))[:_MOST_LISTED]:
        told = f" ({amount(size)})" if size is not None else ""
        lines.append(f"  {shown(remote.url)}{told}")
        if remote.unpack or remote.name != remote.files[0].rpartition("/")[2]:
            lines.append(f"    -> {_some(remote.files)}")
    if len(sizes) > _MOST_LISTED:
        lines.append(f"  and {len(sizes) - _MOST_LISTED} more")
    known = [size for size in sizes if size is not None]
    count = f"{len(sizes)} download{'s' * (len(sizes) != 1)}"
    if known:
        count += f", {amount(sum(known))}" + ("" if len(known) == len(sizes) else " and more")
    return "\n".join([*lines, count])


def told(done: Fetched) -> str:
    """Return what a fetch did."""
    parts = [f"{len(done.fetched)} fetched", f"{len(done.kept)} there already"]
    if done.absent:
        parts.append(f"{len(done.absent)} do not exist")
    return "\n".join(
        [f"{done.folder}: {', '.join(parts)}", f"licence: {done.licence}", f"cite: {done.citation}"]
    )


def amount(size: int) -> str:
    """Return a number of bytes as people say it.

    Examples
    --------
    >>> amount(48_300_000)
    '48.3 MB'
    """
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {_UNITS[unit]}"


def _sizes(remotes: Sequence[Remote], web: Web) -> list[int | None]:
    sizes: list[int | None] = []
    asked, silent = 0, False
    for remote in remotes:
        size = remote.size
        if size is None and asked < _MOST_ASKED and not silent:
            size, asked = web.size(remote.url), asked + 1
            # A server that cannot be reached is not asked again.
            silent = size is None
        sizes.append(size)
    return sizes


def _some(files: Sequence[str]) -> str:
    return ", ".join(files[:4]) + (f" and {len(files) - 4} more" if len(files) > 4 else "")


def _licence(source: Source) -> str:
    return f"{source.licence.name} ({source.licence.url})" if source.licence.url else source.licence.name


def _row(source: Source) -> tuple[str, ...]:
    years = f"{source.years[0]}-{source.years[1]}" if source.years else ""
    return (
        f"`{source.name}`",
        source.title,
        years + (" mean" if source.static and years else ""),
        ", ".join(source.resolutions),
        _variables(source),
        f"[{source.licence.name}]({source.licence.url})" if source.licence.url else source.licence.name,
        f"[{source.doi}](https://doi.org/{source.doi})" if source.doi else "",
        "yes" if source.verified else "no",
    )


def _variables(source: Source) -> str:
    names = list(dict.fromkeys(variable.group or variable.name for variable in source.variables))
    several = {variable.group for variable in source.variables if variable.group}
    texts = [f"`{name}_01` to `{name}_12`" if name in several else f"`{name}`" for name in names]
    if names and names == [f"bio{number}" for number in range(1, len(names) + 1)]:
        return f"`bio1` to `bio{len(names)}`"
    return ", ".join(texts)
