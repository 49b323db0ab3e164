"""Covariates from Sentinel-2: spectral indices composed of the scenes of a season."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from permagrid.covariates.surface.composite import Image, combined, compose
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
from permagrid.covariates.surface.sentinel2_scene import (
    METADATA,
    ClassName,
    Sentinel2Scene,
    hidden,
    home_of,
    read_scenes,
)
from permagrid.covariates.surface.spectral import INDICES, IndexName
from permagrid.covariates.surface.stored import digital_numbers
from permagrid.covariates.table import COVARIATES, Request, Years
from permagrid.covariates.times import as_ranges
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.grid import Float

CLEAR: tuple[ClassName, ...] = (
    "no_data",
    "saturated",
    "cloud_shadow",
    "cloud_medium",
    "cloud_high",
    "cirrus",
)
"""What is masked unless a study says otherwise."""


def _image(scene: Sentinel2Scene, index: str, mask: Sequence[str]) -> xr.DataArray:
    """Return an index at the scene's own resolution, lazily, NaN where it is masked."""
    made = INDICES[index]
    files = scene.needed(made.bands, mask)
    bands = {key: digital_numbers(str(path)) for key, path in files.items()}

    def formula(numbers: Mapping[str, Float]) -> Float:
        values = made.formula(*(scene.reflectance(colour, numbers[colour]) for colour in made.bands))
        return np.where(hidden(numbers["classes"], mask) > 0, np.nan, values) if mask else values

    return pixels(bands, formula, like=made.bands, name=scene.name)


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
        season, bands = _season(settings), INDICES[settings["index"]].bands
        files: list[Path] = []
        for scene in read_scenes(pattern, boa_add_offset=settings["boa_add_offset"]):
            if season.holds(scene.day):
                files += scene.needed(bands, settings["mask"]).values()
                files += [scene.metadata] if scene.metadata is not None else []
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
    yield from faults
    folders = sorted({file if file.is_dir() else home_of(file) for file in files if file.name != METADATA})
    for folder in [] if faults else folders:
        try:
            scenes = read_scenes(str(folder), boa_add_offset=settings["boa_add_offset"])
        except PermagridError as error:
            yield str(error)
            continue
        for scene in scenes:
            if _season(settings).holds(scene.day):
                yield from told(partial(_image, scene, settings["index"], settings["mask"]))


@COVARIATES.register
@traits(unit="1", rasters=False, files=_files, faults=_faults)
def sentinel2_index(  # noqa: PLR0913
    request: Request,
    *,
    path: str,
    index: IndexName,
    season: Sequence[str] | None = None,
    months: Sequence[int] | None = None,
    composite: Composite = "median",
    statistic: Literal["composite", "observations"] = "composite",
    mask: Sequence[ClassName] = CLEAR,
    boa_add_offset: float | None = None,
    minimum_observations: int = 1,
    resampling: SceneResampling = "auto",
) -> xr.DataArray:
    """Return a spectral index composed of Sentinel-2 scenes of Level 2A [1].

    The index is made cell by cell at 10 m, or at 20 m where it needs the band B11 (bands of 10 m are
    averaged), and masked there by the scene classes of 20 m; then each scene is brought to the grid on its
    own; then the scenes are combined. Tiles of one satellite and day are one observation: neighbours
    overlap.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        Folder that is or holds ``.SAFE`` folders, or folders of files such as ``B04.tif`` or
        ``..._20200715_B04.jp2``, or a glob pattern of such folders.
    index, season, months, composite, statistic, minimum_observations, resampling
        As `landsat_index`.
    mask
        Scene classes to leave out.
    boa_add_offset
        What is added to the numbers before they are divided by 10000, in place of what ``MTD_MSIL2A.xml``
        says: -1000 since processing baseline 04.00, 0 before. Needed where that file is missing.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [1].

    Raises
    ------
    PermagridError
        If there is no scene, a scene lacks a band, its classes or its offset, or none is in the season.
    """
    when = checked_season(season, months, minimum_observations)
    scenes = read_scenes(request.path(path), boa_add_offset=boa_add_offset)
    scenes = chosen(request, path, scenes, when)
    images = [Image(_image(scene, index, mask), (scene.day, scene.satellite)) for scene in scenes]
    combine = combined(composite, statistic, minimum_observations)
    masked_by = f"masked ({', '.join(mask)})" if mask else "not masked"
    return compose(request, images, combine, resampling=resampling).assign_attrs(
        analysis=f"{index} of each scene at its own resolution, {masked_by}, then brought to the grid; "
        f"{composite} of the observations",
        level="surface (Level 2A)",
        scenes=f"{len(scenes)} of {', '.join(sorted({scene.satellite for scene in scenes}))}",
        valid_years=as_ranges(sorted({scene.day.year for scene in scenes})),
    )
