"""Covariates from Landsat: spectral indices and surface temperature, composed of the scenes of a season."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from permagrid.covariates.surface.composite import Combine, Image, combined, compose
from permagrid.covariates.surface.landsat_quality import MaskName, masked, saturated
from permagrid.covariates.surface.landsat_scene import (
    LandsatScene,
    Level,
    bands_needed,
    mtl_files,
    read_scene,
    read_scenes,
)
from permagrid.covariates.surface.mtl import SUFFIXES
from permagrid.covariates.surface.pixels import pixels
from permagrid.covariates.surface.scenes import (
    Composite,
    SceneResampling,
    Season,
    checked_season,
    chosen,
    located,
    places,
    told,
)
from permagrid.covariates.surface.spectral import INDICES, IndexName
from permagrid.covariates.surface.stored import digital_numbers
from permagrid.covariates.table import COVARIATES, Request, Years
from permagrid.covariates.times import as_ranges
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.grid import Float

CLEAR: tuple[MaskName, ...] = ("fill", "dilated_cloud", "cirrus", "cloud", "cloud_shadow", "saturation")
"""What is masked unless a study says otherwise."""

_LEVELS = {"surface": "surface (Level 2)", "top_of_atmosphere": "top of atmosphere (Level 1)"}


@dataclass(frozen=True)
class _Wanted:
    """What is made of a scene."""

    colours: tuple[str, ...]
    formula: Callable[..., Float]
    level: Level
    mask: tuple[str, ...]
    cloud_confidence: Literal["medium", "high"]

    def offered(self, scene: LandsatScene) -> bool:
        """Return whether a scene is of the level, and holds a temperature where one is wanted."""
        return scene.level == self.level and ("thermal" not in self.colours or scene.has_temperature)

    def image(self, scene: LandsatScene) -> xr.DataArray:
        """Return the variable at the scene's own resolution, lazily, NaN where it is masked."""
        files = bands_needed(scene, self.colours, self.mask)
        calibrations = {colour: scene.calibration(colour) for colour in self.colours}
        flags = [flag for flag in self.mask if flag != "saturation"]
        bands = {key: digital_numbers(str(path)) for key, path in files.items()}

        def formula(numbers: Mapping[str, Float]) -> Float:
            values = self.formula(*(calibrations[colour].values(numbers[colour]) for colour in self.colours))
            hidden = np.zeros(values.shape, dtype=bool)
            if "quality" in numbers:
                hidden |= masked(numbers["quality"], flags, cloud_confidence=self.cloud_confidence)
            if "saturation" in numbers:
                hidden |= saturated(numbers["saturation"], map(scene.band, self.colours))
            return np.where(hidden, np.nan, values)

        return pixels(bands, formula, like=self.colours, name=scene.name)


def _wanted(settings: Mapping[str, Any]) -> _Wanted:
    """Return what the keywords of either method ask for."""
    index = settings.get("index")
    made = INDICES[index] if index is not None else None
    colours = ("thermal",) if made is None else made.bands
    formula = _celsius if made is None else made.formula
    mask = tuple(settings["mask"])
    return _Wanted(colours, formula, settings["level"], mask, settings["cloud_confidence"])


def _celsius(kelvin: Float) -> Float:
    return kelvin - 273.15


def _season(settings: Mapping[str, Any]) -> Season:
    return checked_season(settings["season"], settings["months"], settings["minimum_observations"])


def _files(settings: Mapping[str, Any], epochs: Sequence[Years], root: Path) -> list[Path]:
    """Return every file of the season's scenes, of all years; where they are faulty, the folders."""
    del epochs
    path = settings.get("path")
    if not isinstance(path, str) or "://" in path:
        return []
    pattern = str(root / path)
    try:
        season, wanted = _season(settings), _wanted(settings)
        files: list[Path] = []
        for mtl in mtl_files(pattern):
            files.append(mtl)
            scene = read_scene(mtl)
            if season.holds(scene.day) and wanted.offered(scene):
                files += bands_needed(scene, wanted.colours, wanted.mask).values()
        return files
    except (PermagridError, KeyError, TypeError):
        # What is wrong with scenes is told by the faults, and with keywords before them.
        return places(pattern)


def _faults(settings: Mapping[str, Any], files: Sequence[Path]) -> Iterator[str]:
    """Yield what is wrong with the keywords, and with each scene of the season."""
    if "://" in settings["path"]:
        yield from told(partial(located, settings["path"]))
        return
    faults = list(told(partial(_season, settings)))
    scenes = {file for file in files if file.name.endswith(SUFFIXES)}
    for folder in filter(Path.is_dir, files):
        try:
            scenes.update(mtl_files(str(folder)))
        except PermagridError as error:
            faults.append(str(error))
    yield from faults
    if not faults:
        season, wanted = _season(settings), _wanted(settings)
        for mtl in sorted(scenes):
            yield from told(partial(_checked, mtl, season, wanted))


def _checked(mtl: Path, season: Season, wanted: _Wanted) -> None:
    scene = read_scene(mtl)
    if season.holds(scene.day) and wanted.offered(scene):
        wanted.image(scene)


@COVARIATES.register
@traits(unit="1", rasters=False, files=_files, faults=_faults)
def landsat_index(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    index: IndexName,
    season: Sequence[str] | None = None,
    months: Sequence[int] | None = None,
    composite: Composite = "median",
    statistic: Literal["composite", "observations"] = "composite",
    level: Level = "surface",
    mask: Sequence[MaskName] = CLEAR,
    cloud_confidence: Literal["medium", "high"] = "high",
    minimum_observations: int = 1,
    resampling: SceneResampling = "auto",
) -> xr.DataArray:
    """Return a spectral index composed of Landsat scenes [1].

    The index is made cell by cell at the scene's own 30 m and masked there; then each scene is brought to the
    grid on its own, whatever its CRS; then the scenes are combined. Scenes of one satellite and day are one
    observation: neighbours along an orbit overlap. The scenes are those of the epoch's years, or of all years
    if the covariate has none.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        Folder that holds scenes, itself or in folders below, or a glob pattern of folders or MTL files. A
        scene is what an MTL file (``_MTL.txt``, ``_MTL.json``) describes: of Landsat 4 and 5 TM, 7, 8 or 9.
    index
        ``ndvi``, ``evi``, ``ndwi_mcfeeters`` (open water), ``ndwi_gao`` (water in leaves) or ``ndsi``.
    season
        First and last day, such as ``[06-01, 09-15]``.
    months
        Months instead of a season, such as ``[6, 7, 8]``.
    composite
        ``median`` or ``maximum`` of the observations.
    statistic
        ``observations`` gives the number of valid ones instead.
    level
        ``surface`` takes Level-2 scenes (surface reflectance); ``top_of_atmosphere`` takes Level-1 scenes,
        whose reflectance is not corrected for the atmosphere. Scenes of the other level are left alone.
    mask
        Flags of QA_PIXEL to leave out, and ``saturation`` by QA_RADSAT.
    cloud_confidence
        From which confidence on a cell counts as ``cloud``.
    minimum_observations
        Valid observations that a cell must have.
    resampling
        As for a raster.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [1].

    Raises
    ------
    PermagridError
        If there is no scene, a scene lacks its MTL file, a band or a quality band, or none is in the season.
    """
    made = INDICES[index]
    wanted = _Wanted(made.bands, made.formula, level, tuple(mask), cloud_confidence)
    when = checked_season(season, months, minimum_observations)
    combine = combined(composite, statistic, minimum_observations)
    array = _composed(request, path, wanted, when, combine, resampling)
    return array.assign_attrs(analysis=f"{index} of {array.analysis}; {composite} of the observations")


@COVARIATES.register
@traits(unit="degC", rasters=False, files=_files, faults=_faults)
def landsat_surface_temperature(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    season: Sequence[str] | None = None,
    months: Sequence[int] | None = None,
    composite: Composite = "median",
    level: Level = "surface",
    mask: Sequence[MaskName] = CLEAR,
    cloud_confidence: Literal["medium", "high"] = "high",
    minimum_observations: int = 1,
    resampling: SceneResampling = "auto",
) -> xr.DataArray:
    """Return the temperature of the surface composed of Landsat scenes [degC].

    It is that of the morning, about 10 h local time, under a clear sky: no mean of the day, still less of the
    year. Made, masked and combined as `landsat_index`.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path, season, months, composite, mask, cloud_confidence, minimum_observations, resampling
        As `landsat_index`.
    level
        ``surface`` takes the surface temperature of Level-2 scenes, and leaves those alone that have none;
        ``top_of_atmosphere`` takes the brightness temperature of Level-1 scenes, which is corrected neither
        for the atmosphere nor for the emissivity of the ground.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [degC].

    Raises
    ------
    PermagridError
        As `landsat_index`.
    """
    wanted = _Wanted(("thermal",), _celsius, level, tuple(mask), cloud_confidence)
    when = checked_season(season, months, minimum_observations)
    combine = combined(composite, "composite", minimum_observations)
    array = _composed(request, path, wanted, when, combine, resampling)
    return array.assign_attrs(analysis=f"temperature of {array.analysis}; {composite} of the observations")


def _composed(
    request: Request,
    path: str,
    wanted: _Wanted,
    season: Season,
    combine: Combine,
    resampling: SceneResampling,
) -> xr.DataArray:
    scenes = _offered(path, read_scenes(request.path(path)), wanted)
    scenes = chosen(request, path, scenes, season)
    images = [Image(wanted.image(scene), (scene.day, scene.satellite)) for scene in scenes]
    masked_by = f"masked ({', '.join(wanted.mask)})" if wanted.mask else "not masked"
    array = compose(request, images, combine, resampling=resampling)
    return array.assign_attrs(
        analysis=f"each scene at its own resolution, {masked_by}, then brought to the grid",
        level=_LEVELS[wanted.level],
        scenes=f"{len(scenes)} of {', '.join(sorted({scene.satellite for scene in scenes}))}",
        valid_years=as_ranges(sorted({scene.day.year for scene in scenes})),
    )


def _offered(path: str, scenes: Sequence[LandsatScene], wanted: _Wanted) -> list[LandsatScene]:
    offered = [scene for scene in scenes if wanted.offered(scene)]
    if offered:
        return offered
    held = {scene.level for scene in scenes}
    if wanted.level in held:
        raise PermagridError(f"{path}: none of its {len(scenes)} scenes holds a surface temperature (L2SP)")
    (other,) = held
    raise PermagridError(
        f"{path}: holds no scene of the {_LEVELS[wanted.level]}, but {len(scenes)} of the {_LEVELS[other]}: "
        f"set level: {other}"
    )
