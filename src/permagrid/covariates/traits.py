"""Traits of a covariate method: its unit, the files that it reads and the faults that it finds in them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Years = tuple[int, int]
Method = TypeVar("Method", bound=Callable[..., Any])


def _same_years(settings: Mapping[str, Any], epoch: Years) -> Years:
    del settings
    return epoch


@dataclass(frozen=True)
class Traits:
    """What is known of a method before it is called."""

    unit: str | None = None
    """Unit of the values that it returns; None where the study says it. Another unit of the same dimension
    is made of them where the study asks for it, and this one where it states none."""
    unit_of: str | None = None
    """Keyword that names the covariate whose unit its values have, where the study states none."""
    reads: str | None = None
    """Unit to which it brings the numbers of its files; that of the covariate if None."""
    or_reads: tuple[str, ...] = ()
    """Units of other dimensions in which a file may hold them as well, such as a rate in place of a sum."""
    rasters: bool = True
    """Whether ``path`` names rasters with one variable or band each, so that they can be looked into."""
    years: Callable[[Mapping[str, Any], Years], Years] = _same_years
    """``(settings, epoch)`` gives first and last year that it needs for an epoch."""
    earlier: int = 0
    """How many years before those it reads besides, where their files are there."""
    files: Callable[[Mapping[str, Any], Sequence[Years], Path], list[Path]] | None = None
    """``(settings, epochs, root)`` gives the files; None where keywords named ``path``, ``paths`` or
    ``..._path`` do, with ``{year}``, ``{epoch}``, ``{month}`` and ``{m}`` in them."""
    faults: Callable[[Mapping[str, Any], Sequence[Path]], Iterator[str]] | None = None
    """``(settings, files)`` yields a sentence for each fault of the files, or of keywords that do not go
    together, without reading all values."""


_TRAITS: dict[str, Traits] = {}


def traits(**keywords: Any) -> Callable[[Method], Method]:
    """Return a decorator that states the `Traits` of a method; its keywords are their fields.

    Examples
    --------
    >>> @traits(unit="degree", rasters=False)
    ... def noon_sun(request):
    ...     return None
    >>> traits_of("noon_sun").unit
    'degree'
    """

    def state(method: Method) -> Method:
        _TRAITS[method.__name__] = Traits(**keywords)
        return method

    return state


def traits_of(method: str) -> Traits:
    """Return the traits of the method of this name; the usual ones if it states none."""
    return _TRAITS.get(method, Traits())
