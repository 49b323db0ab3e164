"""What the audit looks at: a study and its training table in plain facts, free of the study's classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Index = NDArray[np.int_]
Epoch = tuple[int, int]


@dataclass(frozen=True)
class CovariateFacts:
    """A covariate: how it is made and when it holds."""

    name: str
    """Column of the training table."""
    method: str = "raster"
    """How it is made."""
    unit: str = ""
    """Unit of its values."""
    kind: str = "continuous"
    """``continuous`` or ``class``."""
    years: Epoch | None = None
    """Years that its own data cover; None for what states none."""
    static: bool = False
    """Whether data of stated years stand for every epoch."""
    varies: bool = False
    """Whether its values differ between epochs, itself or through what it is made from."""
    long_name: str = ""
    """What people call it."""
    citation: str = ""
    """Where its data come from."""
    paths: tuple[str, ...] = ()
    """Files that it reads, as the study names them."""
    made_from: tuple[str, ...] = ()
    """Names of the covariates that it is made from."""
    predictor: bool = True
    """Whether a learner sees it."""
    column: str = ""
    """Column of the site table whose value it is at sites, where it is one."""
    valid_years: str = ""
    """What its layers say of the years behind them, such as ``1996-2004: 7 of 9: 1998-2004``."""


@dataclass(frozen=True)
class FoldFacts:
    """A fold scheme on the rows of the training table."""

    name: str
    """``random``, ``site``, ``block_500km``, ..."""
    pairs: tuple[tuple[Index, Index], ...]
    """Row numbers of the training and the test set of each fold."""
    spatial: bool = True
    """Whether it says that it keeps test sites apart from training sites."""


@dataclass(frozen=True)
class LearnerFacts:
    """A learner as the study states it."""

    name: str
    """What it is called in scores."""
    keywords: tuple[str, ...] = ()
    """Keywords that the study sets by hand."""
    covariates: tuple[str, ...] | None = None
    """Covariates that the study picked for it; None for all."""
    searches: bool = False
    """Whether keywords are chosen within the training rows of each fold."""
    selects: bool = False
    """Whether covariates are chosen within the training rows of each fold."""
    parameters: int | None = None
    """Free parameters of one fit, where they can be counted."""


@dataclass(frozen=True)
class Screen:
    """A quality test that compares sites with covariates."""

    test: str
    """Its name."""
    covariates: tuple[str, ...]
    """Those it compares with."""
    judges_value: bool = True
    """Whether its verdict depends on the observed value, and not on the place alone."""
    dropped: int = 0
    """Observations of the target that it had left out."""
    observations: int = 0
    """Observations of the target that it judged."""


@dataclass(frozen=True)
class TargetFacts:
    """What is mapped."""

    variable: str
    """Name, such as ``mean_annual_ground_temperature``."""
    unit: str
    """Unit of the values."""
    kind: Literal["value", "class"] = "value"
    """A value, or class codes."""
    valid_range: tuple[float, float] = (float("-inf"), float("inf"))
    """To what the study clips its maps [unit]."""


@dataclass(frozen=True)
class Evidence:
    """All that the rules of the audit look at.

    Examples
    --------
    >>> rows = pd.DataFrame({"site_id": ["a"], "site_group": ["a"], "epoch": ["2000-2004"], "value": [-1.0],
    ...                      "longitude": [25.0], "latitude": [69.0], "slope": [3.0]})
    >>> target = TargetFacts("mean_annual_ground_temperature", "degC")
    >>> Evidence(rows, target, covariates=(CovariateFacts("slope"),)).predictors[0].name
    'slope'
    """

    training: pd.DataFrame
    """Rows that learners are fitted to: value, site_id, site_group, epoch, longitude, latitude [degree], a
    column for each predictor; and where they are known n_years, years, source, label_basis, residual."""
    target: TargetFacts
    """What is mapped."""
    covariates: tuple[CovariateFacts, ...] = ()
    """All covariates of the study."""
    epochs: tuple[Epoch, ...] = ()
    """First and last year of each epoch that is mapped."""
    folds: tuple[FoldFacts, ...] = ()
    """Fold schemes on the rows of `training`."""
    learners: tuple[LearnerFacts, ...] = ()
    """Learners that are compared."""
    inner: str = ""
    """Method of the folds, within training rows, by which learners choose."""
    screens: tuple[Screen, ...] = ()
    """Quality tests that compare sites with covariates."""
    unused: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Rows that were not used, with the reason in ``excluded``."""
    domain: pd.DataFrame | None = None
    """Places drawn evenly by area from the map, with longitude, latitude, epoch and covariates."""
    site_files: tuple[str, ...] = ()
    """Files from which observations come, as the study names them."""
    reference_files: tuple[str, ...] = ()
    """Files of maps with which the result is compared, or of the truth."""
    cell: float = 0.0
    """Side of a cell of the map [m]."""
    same_place: float = 0.0
    """Distance within which sites are one place when folds are made [m]."""
    correlation_range: float | None = None
    """Distance beyond which residuals are independent [m]; estimated from the rows if None."""

    @property
    def predictors(self) -> tuple[CovariateFacts, ...]:
        """Covariates that a learner sees and the training table has."""
        return tuple(c for c in self.covariates if c.predictor and c.name in self.training)

    @property
    def continuous(self) -> list[str]:
        """Names of predictors that are no classes."""
        return [c.name for c in self.predictors if c.kind != "class"]

    @property
    def classes(self) -> list[str]:
        """Names of predictors that are classes."""
        return [c.name for c in self.predictors if c.kind == "class"]

    @property
    def epoch_names(self) -> list[str]:
        """Epochs as they are written, such as ``1980-1984``."""
        return [f"{first}-{last}" for first, last in self.epochs]

    def lineage(self, covariate: CovariateFacts) -> tuple[CovariateFacts, ...]:
        """Return a covariate and all that it is made from, each once."""
        known: Mapping[str, CovariateFacts] = {c.name: c for c in self.covariates}
        found = {covariate.name: covariate}
        waiting = list(covariate.made_from)
        while waiting:
            name = waiting.pop(0)
            if name in known and name not in found:
                found[name] = known[name]
                waiting += known[name].made_from
        return tuple(found.values())

    def values(self, name: str) -> NDArray[np.float64]:
        """Return a column of the training table as numbers."""
        return self.training[name].to_numpy(dtype=float)

    @property
    def groups(self) -> Index:
        """Number of the place of each training row."""
        return np.asarray(pd.factorize(self.training["site_group"], sort=True)[0])

    @property
    def sites(self) -> pd.DataFrame:
        """One row per place: longitude and latitude [degree] of its first row, and the mean value."""
        grouped = self.training.groupby("site_group", sort=True)
        places: Any = grouped[["longitude", "latitude"]].first()
        return pd.DataFrame(places.assign(value=grouped["value"].mean()))
