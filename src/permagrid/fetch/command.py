"""The command ``permagrid fetch`` without its options' parsing: what is asked for, in words and done."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from permagrid.catalogue import Source, find_source
from permagrid.errors import PermagridError
from permagrid.fetch import show
from permagrid.fetch.plan import Choice, make_plan
from permagrid.fetch.run import fetch, web_for
from permagrid.fetch.show import listing, markdown
from permagrid.fetch.web import Web
from permagrid.progress import Steps

__all__ = ["Request", "listing", "markdown"]

_YEARS = re.compile(r"^\s*(\d{4})(?:\s*-\s*(\d{4}))?\s*$")


@dataclass(frozen=True)
class Request:
    """What a user asks for."""

    source: Source
    choice: Choice
    out: Path
    mirror: str
    keep_archives: bool
    force: bool

    @classmethod
    def of(
        cls, source: str, *, out: Path, variables: str | None, years: str | None, **others: Any
    ) -> "Request":
        """Return a request from the options of the command line.

        Raises
        ------
        PermagridError
            If the source is unknown, or years are none.
        """
        names = tuple(part.strip() for part in (variables or "").split(",") if part.strip())
        choice = Choice(others["resolution"], names or None, others["region"], _span(years), others["cloud"])
        flags = others["keep_archives"], others["force"]
        return cls(find_source(source), choice, out, others["base_url"], *flags)

    def known(self) -> str:
        """Return what is known of the source."""
        resolution = self.source.resolution_of(self.choice.resolution)
        names = [f"variable: {each.name} [{each.unit}] {each.long_name}" for each in self.source.variables]
        return "\n".join([*show.details(self.source, resolution), *names])

    def planned(self) -> str:
        """Return what would be fetched; nothing is written."""
        try:
            web = web_for(self.source, mirror=self.mirror)
        except PermagridError:
            # A plan may be seen before a login is had.
            web = Web()
        plan = make_plan(self.source, self.choice, web, mirror=self.mirror)
        return show.planned(plan, web)

    def fetched(self, steps: Steps) -> str:
        """Fetch, and return what was done."""
        done = fetch(
            self.source,
            self.out,
            self.choice,
            mirror=self.mirror,
            keep_archives=self.keep_archives,
            force=self.force,
            steps=steps,
        )
        return show.told(done)


def _span(years: str | None) -> tuple[int, int] | None:
    if years is None:
        return None
    found = _YEARS.match(years)
    if not found:
        raise PermagridError(f"--years {years}: no span of years; write first-last, such as 1980-1984")
    return int(found[1]), int(found[2] or found[1])
