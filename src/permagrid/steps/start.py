"""Steps that everything else rests on: the covariate stack of a study, and its rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import pandas as pd
import xarray as xr
from odc.geo.geobox import GeoBox

from permagrid.covariates.stack import Layer
from permagrid.progress import Steps
from permagrid.rundir import RunDir
from permagrid.steps import sites, stack, tabular
from permagrid.steps.inputs import Hashes, covariates_of
from permagrid.study import Study


@dataclass(frozen=True)
class Start:
    """What a study stands on."""

    stores: Mapping[Layer, Path]
    """Layer -> where it is kept."""
    cube: xr.Dataset
    """The covariates, on the grid or, for a study of a table, by row."""
    flagged: gpd.GeoDataFrame
    """All observations, with their flags."""
    table: pd.DataFrame
    """One row per site and epoch, or per observation of a study of a table; those left out among them."""

    @cached_property
    def used(self) -> pd.DataFrame:
        """The rows that learners see."""
        return self.table[self.table["excluded"] == ""].reset_index(drop=True)


def started(
    study: Study,
    geobox: GeoBox | None,
    folder: RunDir,
    hashes: Hashes,
    root: Path,
    *,
    workers: int,
    steps: Steps,
) -> Start:
    """Return the covariate stack of a study, layers that are kept taken over, and its rows.

    Parameters
    ----------
    study, geobox, folder, hashes, root
        The study, its grid if it has one, its folder, the hashes of its inputs, and where its paths start.
    workers
        Chunks in work at a time.
    steps
        Shows progress.

    Raises
    ------
    PermagridError
        If a covariate or a table of sites cannot be read.
    """
    if geobox is None:
        with steps.step("sites"):
            return _of_a_table(study, root)
    with steps.step("covariate stack") as advance:
        stores = stack.layer_stores(study, geobox, hashes, root, folder.work / "stack")
        cube = stack.build_stack(
            study, geobox, folder, stores, root, hashes=hashes, workers=workers, advance=advance
        )
    with steps.step("sites"):
        observations = sites.read_sources(study.sites.sources, root)
        flagged = sites.flag_observations(observations, study, cube)
        reduced = sites.reduce_observations(flagged, study, root)
        table = sites.training_table(reduced, study, cube, covariates_of(study))
    return Start(stores, cube, flagged, table)


def _of_a_table(study: Study, root: Path) -> Start:
    """Return what a study without grid stands on, whose covariates are those of its rows."""
    observations = sites.read_sources(study.sites.sources, root)
    flagged = sites.flag_observations(observations, study, xr.Dataset())
    covariates = covariates_of(study)
    table, notes = tabular.training_table(tabular.rows_of(flagged, study), study, covariates)
    return Start({}, tabular.columns_of(table, covariates, notes), flagged, table)
