"""What is to be fetched: addresses and names of files, from a data set and what is chosen of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from permagrid.catalogue import Layout, Source, Variable, file_of, folder_of, url_of
from permagrid.errors import PermagridError
from permagrid.fetch import pangaea
from permagrid.fetch.checksums import Checksum
from permagrid.fetch.stac import Asset, Search, assets_of, find_items
from permagrid.fetch.tiles import Box, boxes_of, one_degree_tiles
from permagrid.fetch.web import Web, check_scheme

_OPTIONS = {"variables": "--variables", "region": "--region", "years": "--years", "cloud": "--cloud"}


@dataclass(frozen=True)
class Choice:
    """What is chosen of a data set."""

    resolution: str | None = None
    """One of its resolutions; its coarsest if None."""
    variables: tuple[str, ...] | None = None
    """Names or groups of variables; all if None."""
    region: Box | None = None
    """west, south, east, north [degree]; west > east crosses the antimeridian."""
    years: tuple[int, int] | None = None
    """First and last year."""
    cloud: float | None = None
    """Most cloud in a scene [%]."""


@dataclass(frozen=True)
class Remote:
    """One download, and the files that come of it."""

    url: str
    """Address."""
    files: tuple[str, ...]
    """Names within the folder of the source; several where the download is an archive."""
    size: int | None = None
    """Bytes, where they are known beforehand."""
    checksum: Checksum | None = None
    """Checksum, where one is stated beforehand."""
    may_lack: bool = False
    """Whether it may well not exist, as a tile of the sea."""

    @property
    def name(self) -> str:
        """Name of the download itself."""
        last = self.url.partition("?")[0].rpartition("/")[2]
        return last if self.unpack else self.files[0]

    @property
    def unpack(self) -> str:
        """How it is unpacked: ``zip``, ``gz``, or not at all."""
        path = self.url.partition("?")[0]
        ending = path.rpartition(".")[2] if path.endswith((".zip", ".gz")) else ""
        return "" if self.files[0].endswith(f".{ending}") else ending


@dataclass(frozen=True)
class Plan:
    """All that a fetch does."""

    source: Source
    """The data set."""
    resolution: str
    """The resolution; empty where there is one only."""
    remotes: tuple[Remote, ...]
    """Downloads."""
    mirror: str = ""
    """Address in place of the source's own."""

    @property
    def folder(self) -> str:
        """Folder within the data folder."""
        return folder_of(self.source, self.resolution)


def make_plan(source: Source, choice: Choice, web: Web, *, mirror: str = "") -> Plan:
    """Return the downloads of a choice.

    Parameters
    ----------
    source
        The data set.
    choice
        What is chosen of it.
    web
        Opens addresses; used for searches and lists only.
    mirror
        Address in place of the source's own base.

    Raises
    ------
    PermagridError
        If the choice does not suit the data set, or a search fails or finds nothing.
    """
    if mirror:
        check_scheme(mirror)
        if "?" in mirror or "#" in mirror:
            raise PermagridError(f"{mirror}: the address of a mirror has no ? and no #")
        source = replace(source, base=mirror.rstrip("/"), layouts=_mirrored(source, mirror.rstrip("/")))
    resolution = source.resolution_of(choice.resolution)
    access = source.layout_at(resolution).access
    plan = Plan(source, resolution, (), mirror.rstrip("/"))
    return replace(plan, remotes=tuple(_FINDERS[access](plan, choice, web)))


def _mirrored(source: Source, mirror: str) -> dict[str, Layout]:
    return {name: replace(layout, base=mirror) for name, layout in source.layouts.items()}


def _suits(plan: Plan, choice: Choice, *, takes: str = "", needs: str = "") -> None:
    """Refuse options that would do nothing, and those that are missing."""
    name = plan.source.name
    for option, flag in _OPTIONS.items():
        given = getattr(choice, option) is not None
        if given and option not in f"{takes} {needs}".split():
            raise PermagridError(f"{name} knows no {flag}; leave it out")
        if not given and option in needs.split():
            span = f", within {plan.source.years[0]}-{plan.source.years[1]}" if plan.source.years else ""
            raise PermagridError(f"{name} needs {flag}{span if option == 'years' else ''}")
    if choice.years is not None and plan.source.years is not None:
        first, last = plan.source.years
        if choice.years[0] < first or choice.years[1] > last or choice.years[0] > choice.years[1]:
            asked = f"{choice.years[0]}-{choice.years[1]}"
            raise PermagridError(f"{name} covers {first}-{last}, which does not hold {asked}")


def _address(plan: Plan, path: str) -> str:
    return f"{plan.source.layout_at(plan.resolution).base or plan.source.base}/{path}"


def _files(plan: Plan, choice: Choice, web: Web) -> Iterator[Remote]:
    del web
    layout = plan.source.layout_at(plan.resolution)
    dated = "{year}" in layout.file
    _suits(plan, choice, takes="variables", needs="years" if dated else "")
    downloads: dict[str, dict[str, None]] = {}
    years = range(choice.years[0], choice.years[1] + 1) if dated and choice.years else (None,)
    for variable in plan.source.chosen(choice.variables):
        for year in years:
            filled = {} if year is None else {"year": str(year), "span": _span(plan.source, year)}
            url = _address(plan, url_of(plan.source, variable, plan.resolution, **filled))
            file = file_of(plan.source, variable, plan.resolution, **filled)
            downloads.setdefault(url, {})[file] = None
    yield from (Remote(url, tuple(files)) for url, files in downloads.items())


def _span(source: Source, year: int) -> str:
    return next((text for first, last, text in source.spans if first <= year <= last), "")


def _tiles(plan: Plan, choice: Choice, web: Web) -> Iterator[Remote]:
    del web
    _suits(plan, choice, needs="region")
    for latitude, longitude in one_degree_tiles(choice.region or (0.0, 0.0, 0.0, 0.0)):
        place = {"latitude": latitude, "longitude": longitude}
        url = _address(plan, url_of(plan.source, None, plan.resolution, **place))
        yield Remote(url, (file_of(plan.source, None, plan.resolution, **place),), may_lack=True)


def _box(plan: Plan, choice: Choice, web: Web) -> Iterator[Remote]:
    del web
    _suits(plan, choice, takes="variables", needs="region")
    boxes = boxes_of(choice.region or (0.0, 0.0, 0.0, 0.0))
    if len(boxes) > 1:
        raise PermagridError(
            f"{plan.source.name} at {plan.resolution}: the region must not cross 180 degrees"
        )
    place = dict(zip(("west", "south", "east", "north"), (f"{value:g}" for value in boxes[0]), strict=True))
    for variable in plan.source.chosen(choice.variables):
        url = _address(plan, url_of(plan.source, variable, plan.resolution, **place))
        yield Remote(url, (file_of(plan.source, variable, plan.resolution, **place),))


def _stac(plan: Plan, choice: Choice, web: Web) -> Iterator[Remote]:
    stac = plan.source.stac
    if stac is None or choice.region is None or choice.years is None:
        _suits(plan, choice, takes="variables", needs="region years")
        raise PermagridError(f"{plan.source.name} is not searched")
    _suits(plan, choice, takes=f"variables {'cloud' if stac.cloud else ''}", needs="region years")
    wanted = [_asset(variable) for variable in plan.source.chosen(choice.variables)]
    search = Search(stac.collection, boxes_of(choice.region), choice.years, choice.cloud)
    found = find_items(web, plan.source.base, search)
    items = [item for item in found if str(item.get("id")).startswith(stac.beginning)]
    remotes = [
        Remote(asset.url, (_asset_file(plan, asset),), asset.size, asset.checksum)
        for item in items
        for asset in assets_of(item, wanted, plan.source.base)
    ]
    if not remotes:
        raise PermagridError(
            f"{plan.source.name} has {len(items)} scenes there and then, and no file of them that is wanted"
        )
    yield from remotes


def _asset_file(plan: Plan, asset: Asset) -> str:
    return file_of(plan.source, None, plan.resolution, item=asset.item, file=asset.file)


def _asset(variable: Variable) -> str:
    return variable.fills.get("asset", variable.name)


def _pangaea(plan: Plan, choice: Choice, web: Web) -> Iterator[Remote]:
    _suits(plan, choice, takes="variables")
    table = _address(plan, url_of(plan.source, None, plan.resolution))
    yield Remote(table, (file_of(plan.source, None, plan.resolution),))
    if choice.variables:
        text = web.read(table).decode("utf-8", errors="replace")
        number = plan.source.doi.rpartition(".")[2]
        for listed in pangaea.files_of(text, choice.variables, plan.source.name):
            url = pangaea.file_url(plan.mirror or pangaea.FILES, number, listed.name)
            yield Remote(url, (listed.name,), checksum=listed.checksum)


def _by_hand(plan: Plan, choice: Choice, web: Web) -> Iterator[Remote]:
    del choice, web
    names = [file_of(plan.source, variable, plan.resolution) for variable in plan.source.variables]
    raise PermagridError(
        f"{plan.source.name} can be had by hand only: get it at {plan.source.home} and put "
        f"{', '.join(names)} in the folder {plan.folder} of your data"
    )


_FINDERS: dict[str, Callable[[Plan, Choice, Web], Iterator[Remote]]] = {
    "files": _files,
    "tiles": _tiles,
    "box": _box,
    "stac": _stac,
    "pangaea": _pangaea,
    "by hand": _by_hand,
}
