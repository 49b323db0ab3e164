"""Soil: properties averaged over a span of depths, and textures whose fractions should sum to 100 %."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from permagrid.covariates.lazy import Key, lazy_grid
from permagrid.covariates.lookup import Resampling
from permagrid.covariates.sources import decimated
from permagrid.covariates.surface.soil_profile import Layer, Stored, combined, layers_of, mean_of
from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.traits import Years, traits
from permagrid.errors import PermagridError
from permagrid.grid import Float, lonlat_of
from permagrid.units import conversion

_FRACTIONS = ("sand", "silt", "clay")
_OTHER_WHOLES = {"1": 0.01, "g/kg": 10.0}
"""Unit -> what the fractions sum to in it, in parts of 100."""


def _layers(settings: Mapping[str, Any]) -> dict[str, list[Layer]]:
    """Return the layers that a method reads, of each fraction or of the one property under no name."""
    between, depths = settings.get("between"), settings.get("depths")
    if "sand_path" in settings:
        return {name: layers_of(settings[f"{name}_path"], between, depths=depths) for name in _FRACTIONS}
    return {"": layers_of(settings.get("path"), between, paths=settings.get("paths"), depths=depths)}


def _files(settings: Mapping[str, Any], epochs: Sequence[Years], root: Path) -> list[Path]:
    """Return the local files; none where the keywords contradict each other, which is told as a fault."""
    del epochs
    try:
        layers = _layers(settings)
    except PermagridError:
        return []
    names = {layer.path for some in layers.values() for layer in some}
    return [root / name for name in sorted(names) if "://" not in name]


def _among(files: Sequence[Path]) -> Callable[[str], str]:
    """Return how a file that a study names is found among those that lie under the root."""

    def place(path: str) -> str:
        parts = Path(path).parts
        return next((str(file) for file in files if file.parts[-len(parts) :] == parts), path)

    return place


def _layer_faults(settings: Mapping[str, Any], files: Sequence[Path]) -> Iterator[str]:
    try:
        mean_of(_layers(settings)[""], _stored(settings), _among(files))
    except PermagridError as error:
        yield str(error)


def _stored(settings: Mapping[str, Any]) -> Stored:
    return Stored(settings.get("variable"), settings.get("nodata"), settings.get("crs"))


@COVARIATES.register
@traits(files=_files, faults=_layer_faults)
def soil_layers(  # noqa: PLR0913
    request: Request,
    *,
    between: tuple[float, float],
    path: str | None = None,
    paths: Sequence[str] | None = None,
    depths: Sequence[tuple[float, float]] | None = None,
    variable: str | int | None = None,
    stored_unit: str | None = None,
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
) -> xr.DataArray:
    """Return the mean of a soil property over a span of depths, each layer by its thickness in the span.

    A layer that the span cuts counts by the part inside. The mean is taken in the cells of the files,
    before they are brought to the grid; a cell that lacks one of the layers is nodata, as the mean of the
    others would speak of other depths. The files must share one grid.

    Parameters
    ----------
    request
        Grid and root folder.
    between
        Top and bottom of the span [cm].
    path
        The files of the layers, ``{depth}`` in the name standing for ``0-5`` and so on, as in
        ``sand_{depth}cm_mean.tif`` of SoilGrids 2.0 (Poggio et al. 2021, doi:10.5194/soil-7-217-2021); or
        one file whose third axis holds the layers, in the order of `depths`.
    paths
        The files instead, one for each layer, in the order of `depths`.
    depths
        Top and bottom of each layer [cm]; those of SoilGrids if left out, 0-5-15-30-60-100-200 cm.
    variable
        Name in the files, or number of the band.
    stored_unit
        Unit of the numbers in the files, such as ``g/kg``; the covariate's unit if left out.
    resampling
        As for a raster.
    nodata
        A missing value that the files do not declare, such as -1.
    crs
        The CRS, where the files do not say.

    Returns
    -------
    xarray.DataArray
        Lazy, float32.

    Raises
    ------
    PermagridError
        If no layer covers some of the span, layers overlap, or the files are of different grids.
    """
    covariate = request.covariate
    if covariate.kind == "class":
        raise PermagridError(f"covariate {covariate.name}: codes of several layers have no mean")
    try:
        layers = layers_of(path, between, paths=paths, depths=depths)
        mean = mean_of(layers, Stored(variable, nodata, crs), request.path)
    except PermagridError as error:
        raise PermagridError(f"covariate {covariate.name}: {error}") from error
    factor, offset = conversion(stored_unit or covariate.unit, covariate.unit)
    brought = request.onto(mean, resampling=resampling).astype(float)
    said = _said(between, [path] if paths is None else paths)
    return (brought * factor + offset).astype("float32").assign_attrs(said)


def _said(between: tuple[float, float] | None, paths: Sequence[str | None]) -> dict[str, str]:
    """Return what a layer says of itself: where its data stand, unless the study says it, and its depth."""
    files = {"source": ", ".join(str(path) for path in paths)}
    return files if between is None else files | {"depth": f"{between[0]:g}-{between[1]:g} cm"}


def _texture_faults(settings: Mapping[str, Any], files: Sequence[Path]) -> Iterator[str]:
    """Yield where the fractions do not sum to 100 %, in some of the cells."""
    try:
        total = _texture(settings, _among(files), lambda fractions: sum(fractions[1:], fractions[0]))
    except PermagridError as error:
        yield str(error)
        return
    geobox = total.odc.geobox
    places = (lazy_grid(partial(_numbers, geobox.shape, axis), geobox, {}) for axis in (0, 1))
    sums, row, column = (decimated(grid).ravel() for grid in (total, *places))
    seen = np.isfinite(sums) & (sums > 0)
    off = np.where(seen, np.abs(sums - 100.0), 0.0)
    wrong = off > settings["tolerance"]
    if not wrong.any():
        return
    worst = int(off.argmax())
    longitude, latitude = lonlat_of(geobox, row[[worst]] + 0.5, column[[worst]] + 0.5)
    middle = float(np.median(sums[seen]))
    looks = next((u for u, whole in _OTHER_WHOLES.items() if abs(middle / whole - 100.0) < 10.0), None)
    cause = f"; they look like {looks}: set stored_unit: {looks}" if looks else ""
    yield (
        f"sand, silt and clay sum to {sums[worst]:.4g} % at latitude {latitude[0]:.2f}, longitude "
        f"{longitude[0]:.2f}, and are farther than tolerance {settings['tolerance']:g} from 100 % in "
        f"{int(wrong.sum())} of {int(seen.sum())} cells looked at{cause}"
    )


def _numbers(shape: tuple[int, int], axis: int, key: Key) -> Float:
    """Return the row (axis 0) or the column of each cell that a key picks."""
    picked = (np.arange(size, dtype=float)[part] for size, part in zip(shape, key, strict=True))
    return np.asarray(np.meshgrid(*picked, indexing="ij")[axis])


def _texture(
    settings: Mapping[str, Any], place: Callable[[str], str], combine: Callable[[list[Float]], Float]
) -> xr.DataArray:
    """Return what is made of sand, silt and clay [%], on the grid of their files."""
    if not 0 <= settings["tolerance"] <= 100:
        raise PermagridError(f"tolerance is 0 to 100 %, found {settings['tolerance']:g}")
    factor, offset = conversion(settings["stored_unit"], "%")
    stored = _stored(settings)
    means = [(layers[0], mean_of(layers, stored, place)) for layers in _layers(settings).values()]
    return combined(means, lambda values: combine([value * factor + offset for value in values]))


@COVARIATES.register
@traits(unit="%", reads="%", files=_files, faults=_texture_faults)
def soil_texture(  # noqa: PLR0913
    request: Request,
    *,
    fraction: Literal["sand", "silt", "clay"],
    sand_path: str,
    silt_path: str,
    clay_path: str,
    between: tuple[float, float] | None = None,
    depths: Sequence[tuple[float, float]] | None = None,
    tolerance: float = 2.0,
    normalise: bool = False,
    stored_unit: str = "%",
    resampling: Resampling = "auto",
    nodata: float | None = None,
    crs: str | None = None,
) -> xr.DataArray:
    """Return the sand, silt or clay of a soil whose three fractions sum to 100 % [%].

    All three are read, and cells whose sum is farther than `tolerance` from 100 % become nodata; `permagrid
    check` names them. Where all three are 0 there is no soil, but rock, ice or water: nodata, and no fault.

    Parameters
    ----------
    request
        Grid and root folder.
    fraction
        Which of them.
    sand_path, silt_path, clay_path
        Their files, on one grid; with ``{depth}`` in the name as for `soil_layers` where several layers are
        averaged.
    between
        Top and bottom of the span to average over [cm]; left out where each file holds one layer.
    depths
        Top and bottom of each layer [cm]; those of SoilGrids if left out.
    tolerance
        Farthest that the sum may be from 100 [%].
    normalise
        Whether the fractions are divided by their sum, so that they sum to 100 % exactly, as fractions
        predicted one by one do not.
    stored_unit
        Unit of the numbers in the files: ``%``, ``g/kg`` or ``1``.
    resampling
        As for a raster.
    nodata
        A missing value that the files do not declare, such as -1.
    crs
        The CRS, where the files do not say.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [%].

    Raises
    ------
    PermagridError
        As `soil_layers`, and if `tolerance` is not from 0 to 100.
    """
    wanted = _FRACTIONS.index(fraction)
    paths = {"sand_path": sand_path, "silt_path": silt_path, "clay_path": clay_path}
    layers = {"between": between, "depths": depths, "tolerance": tolerance}
    stored = {"stored_unit": stored_unit, "nodata": nodata, "crs": crs}

    def chosen(fractions: list[Float]) -> Float:
        total = sum(fractions[1:], fractions[0])
        sound = (total > 0) & (np.abs(total - 100.0) <= tolerance)
        value = fractions[wanted] * 100.0 / np.where(sound, total, 1.0) if normalise else fractions[wanted]
        return np.where(sound, value, np.nan)

    try:
        source = _texture({**paths, **layers, **stored}, request.path, chosen)
    except PermagridError as error:
        raise PermagridError(f"covariate {request.covariate.name}: {error}") from error
    said = _said(between, [sand_path, silt_path, clay_path])
    return request.onto(source, resampling=resampling).assign_attrs(said)
