"""The parts of a study file on joining learners into one distribution, and on totals made from it."""

from typing import Annotated, Literal

from pydantic import Field

from permagrid.study.bases import Part
from permagrid.study.learning import FoldsPart

Family = Literal["independence", "gaussian", "student_t", "clayton", "gumbel", "frank"]


class Ensemble(Part):
    """Learners joined into one predictive distribution by Bayesian model averaging, and its members."""

    label: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")] = "copula_bma"
    """What it is called in scores and in products.learner."""
    method: Literal["copula", "gaussian"] = "copula"
    """What joins a learner's predictions to observations: copulas, or normal distributions about a line; for
    a class it is always the mean of probabilities, weighted."""
    learners: Annotated[tuple[str, ...], Field(min_length=1)]
    """Labels of the learners that are joined; the first speaks for all in importance."""
    inner: FoldsPart | None = None
    """Folds made of the training rows, on whose predictions weights are learned; validation.inner if left
    out."""
    families: tuple[Family, ...] | None = None
    """Copulas to choose from, for method copula; all if left out."""
    intervals: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1)] = (
        0.5,
        0.8,
        0.9,
        0.95,
    )
    """Probabilities of the intervals that are scored; the widest is mapped."""
    members: Annotated[int, Field(ge=0, le=10_000)] = 200
    """Members: plausible worlds whose totals and changes give the ranges."""
    block: Annotated[float, Field(gt=0)] | None = None
    """Side of the blocks of sites that are drawn with replacement for a member [m]; if left out, the range to
    which errors are alike, and not less than a sixth of the greatest distance between sites."""


class Storage(Part):
    """How much ice there is, from a target in % of volume."""

    thickness: Annotated[float, Field(gt=0)]
    """Thickness of the layer that the target speaks of [m]."""
    ice: Literal["total", "excess"] = "total"
    """Which ice the target counts: all of it, or only what exceeds the pores of unfrozen soil."""
    presence: str | None = None
    """Covariate that says which fraction of a cell has permafrost (0 to 1); all of every cell if left out."""


class Permafrost(Part):
    """How much permafrost there is, from a ground temperature or from its probability."""

    threshold: float = 0.0
    """Temperature at or below which there is permafrost [unit of the target], where the target is a value."""


class Regions(Part):
    """Parts of the map for which totals and coverage are told beside those of the whole."""

    path: str
    """Vector file of polygons, from the data folder."""
    name: str
    """Column that names them."""


class Inventory(Part):
    """Totals over the map, with the ranges that the members give."""

    storage: Storage | None = None
    """Ice storage."""
    permafrost: Permafrost | None = None
    """Area of permafrost and its zones."""
    regions: Regions | None = None
    """Parts of the map; the whole alone if left out."""
