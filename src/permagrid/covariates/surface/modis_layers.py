"""Layers of MODIS: their scale, valid range and quality bits, and the images that are made of them."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from re import sub
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from permagrid.covariates.sources import decimated
from permagrid.covariates.surface.modis_series import Layer, Opened, layers, wanted_files
from permagrid.covariates.surface.pixels import Formula, pixels
from permagrid.covariates.surface.stored import digital_numbers
from permagrid.covariates.table import Request, Years
from permagrid.errors import PermagridError
from permagrid.grid import Float

Quality = Literal["good", "marginal", "snow", "cloudy"]
"""What the quality layers of vegetation indices tell."""

QUALITIES: tuple[Quality, ...] = ("good", "marginal", "snow", "cloudy")
"""In the order of the codes of pixel reliability, 0 to 3; -1 is fill. MODIS Vegetation Index User's Guide,
Didan et al. (2015)."""

VALID_INDEX = (-0.2, 1.0)
"""Valid range of vegetation indices: numbers from -2000 to 10000; -3000 is fill."""
VALID_KELVIN = (150.0, 65535 * 0.02)
"""Valid range of land surface temperature [K]: numbers from 7500 to 65535; 0 is fill. MODIS Land Surface
Temperature Products Users' Guide, Wan (2013)."""

_FITTING = 0.5
"""Share of a file's numbers that must be valid by its scale, or the scale is wrong."""


class Source(NamedTuple):
    """Where a layer stands."""

    path: str
    variable: str | int | None


def images_of(
    request: Request,
    bands: Mapping[str, Source],
    months: Sequence[int],
    formula: Formula,
    *,
    crs: str | None,
    whole: bool,
) -> tuple[list[tuple[xr.DataArray, tuple[int, int, int]]], list[int]]:
    """Return the images of some months, each with year, month and step, and all years."""
    series: dict[str, list[Layer]] = {}
    for key, source in bands.items():
        series[key] = layers(request, source.path, months, variable=source.variable, crs=crs)
    first = next(iter(bands))
    for key, found in series.items():
        if [layer[1:3] for layer in found] != [layer[1:3] for layer in series[first]]:
            raise PermagridError(
                f"{bands[key].path}: is not of the same months and tiles as {bands[first].path}"
            )
    opened = {key: Opened(source.variable, crs, whole=whole or key != first) for key, source in bands.items()}
    images = []
    for at, layer in enumerate(series[first]):
        numbers = {key: opened[key][found[at]] for key, found in series.items()}
        grid = pixels(numbers, formula, like=[first], name=layer.path)
        images.append((grid, (*layer.month, layer.step)))
    return images, sorted({layer.month[0] for layer in series[first]} - {0})


def kept(quality: Float, layer: str, keep: Sequence[str]) -> NDArray[np.bool_]:
    """Return True where the quality of a vegetation index is one of those to keep.

    Examples
    --------
    >>> kept(np.array([-1.0, 0.0, 2.0, np.nan]), "reliability", ["good"])
    array([False,  True, False, False])
    >>> kept(np.array([0b10000000000000001, 0b1, 0b100000000000000]), "vi_quality", ["good", "marginal"])
    array([ True,  True, False])
    """
    known = np.isfinite(quality) & (quality >= 0)
    bits = np.where(known, quality, 3).astype(np.int64)
    codes = bits
    if layer == "vi_quality":
        # MODLAND: 0 good, 1 marginal, 2 cloudy, 3 not produced; snow has a bit of its own.
        codes = np.choose(bits & 3, [0, 1, 3, 4])
        codes = np.where((bits >> 14) & 1, 2, codes)
    wanted = [QUALITIES.index(name) for name in QUALITIES if name in keep]
    return np.asarray(known & np.isin(codes, wanted))


def certain(quality: Float, maximum_error: int) -> NDArray[np.bool_]:
    """Return True where QC of a land surface temperature tells an error of so many kelvin at most.

    Bits 0-1 are 0 where the quality is good, 1 where it is told by bits 6-7: an error of up to 1, 2 or 3 K or
    more. Files that declare 0 as nodata mean the best quality by it.

    Examples
    --------
    >>> certain(np.array([0b0, 0b00000001, 0b01000001, 0b10000001, 0b11000001, 0b10, np.nan]), 2)
    array([ True,  True,  True, False, False, False,  True])
    """
    bits = np.where(np.isfinite(quality), quality, 0).astype(np.int64)
    return np.asarray(((bits & 3) == 0) | (((bits & 3) == 1) & (((bits >> 6) & 3) < maximum_error)))


def scale_faults(
    path: Path, settings: Mapping[str, Any], variable: Any, valid: tuple[float, float]
) -> Iterator[str]:
    """Yield why the numbers of a file do not fit their scale."""
    scale = settings["scale"]
    try:
        grid = digital_numbers(str(path), variable=variable, crs=settings["crs"], whole=scale != 1)
        numbers = decimated(grid if grid.ndim == 2 else grid[0])
    except PermagridError as error:
        yield str(error)
        return
    seen = numbers[np.isfinite(numbers) & (numbers != 0) & (numbers != -3000)]
    values = seen * scale
    fits = (values >= valid[0]) & (values <= valid[1])
    alive = np.abs(values) > 0.01 * valid[1]
    if seen.size and (fits.mean() < _FITTING or not alive.any()):
        yield (
            f"{path}: numbers from {seen.min():g} to {seen.max():g} do not fit the scale {scale:g}, by which "
            f"{valid[0] / scale:g} to {valid[1] / scale:g} are valid; set scale"
        )


def series_files(
    keys: Sequence[str], settings: Mapping[str, Any], epochs: Sequence[Years], root: Path
) -> list[Path]:
    """Return the files that the paths of some keywords name for the months that are wanted."""
    paths = [settings[key] for key in keys if isinstance(settings.get(key), str)]
    months = settings.get("months") or ()
    months = [month for month in months if isinstance(month, int) and 1 <= month <= 12] or [1]
    full = [path if "://" in path else str(root / path) for path in paths]
    return [file for path in full for file in wanted_files(path, epochs, months)]


def ends(files: Sequence[Path], path: str, other: str | None) -> list[Path]:
    """Return the first and the last of the files that a path names, and another path does not."""

    def named(file: Path, pattern: str | None) -> bool:
        return pattern is not None and fnmatch(file.as_posix(), f"*{sub(r'{[a-z]+}', '*', pattern)}")

    mine = [file for file in files if named(file, path) and (other == path or not named(file, other))]
    return list(dict.fromkeys([*mine[:1], *mine[-1:]]))
