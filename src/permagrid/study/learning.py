"""The parts of a study file on learners and on how honest their scores are."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from permagrid.study.bases import Part, PlugIn


class Chooser(Part):
    """What a choice from training rows goes by."""

    metric: str | None = None
    """Score of predictions on the inner folds; rmse for values and brier for classes if left out."""
    one_standard_error: bool = False
    """Whether the simplest is taken that is within one standard error of the best."""
    trials: dict[str, Any] = Field(default_factory=dict)
    """Keywords of the learner that hold while it chooses and not in what is chosen, such as fewer trees."""


class Search(Chooser):
    """How keywords of a learner are chosen, anew from the training rows of every fold."""

    method: Literal["grid", "random", "bayesian"] = "grid"
    """All combinations, some drawn at random, or each where most is expected after those before."""
    space: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] | None = None
    """Keyword -> values to try; the learner's own if left out."""
    draws: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Combinations to try, for random and bayesian."""


class Selection(Chooser):
    """How covariates of a learner are chosen, anew from the training rows of every fold."""

    method: Literal["forward", "ranking", "combination"] = "forward"
    """Adding what brings most; the first so many of a ranking by importance; all combinations of groups."""
    groups: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] | None = None
    """Group -> covariates that come and go together; those of validation.groups if left out."""
    start: tuple[str, ...] = ()
    """Groups or covariates that are always kept, for forward and ranking."""
    rank: Literal["permutation", "impurity"] = "permutation"
    """By what covariates are ranked, for ranking: what shuffling them costs, or what the splits on them
    bring to a learner of trees."""
    most: Annotated[int, Field(ge=1)] | None = None
    """Most groups or covariates that are chosen, for forward and ranking."""
    correlation: Annotated[float, Field(gt=0, le=1)] | None = None
    """Absolute rank correlation with a better one above which a covariate falls out, for ranking."""


class Weights(Part):
    """How much each row counts when a learner is fitted."""

    rule: Literal["inverse_density", "quality"] = "inverse_density"
    """One over the number of places nearby, or the share of good observations behind the row."""
    distance: Annotated[float, Field(gt=0)] = 200_000.0
    """How near is nearby, for inverse_density [m]."""


class LearnerPart(PlugIn):
    """One learner; keys beside those below are its keywords."""

    name: str
    """Name in the table of learners."""
    label: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")] = ""
    """What it is called in scores and files, where one learner takes part more than once; its name if left
    out."""
    covariates: tuple[str, ...] | None = None
    """Covariates that it sees; all if left out."""
    classes: Literal["one_hot", "native", "codes"] | None = None
    """How class covariates enter it: a column of 0 and 1 for each class, as classes in a way of its own
    (gradient_boosting has one), or as their codes, for classes in order only; native where possible, else
    one_hot, if left out."""

    search: Search | None = None
    """How its keywords are chosen; as they are given if left out."""
    selection: Selection | None = None
    """How its covariates are chosen, before its keywords; all of them if left out."""
    weights: Weights | None = None
    """How much each row counts when it is fitted; all the same if left out."""

    @model_validator(mode="after")
    def _labelled(self) -> Self:
        if not self.label:
            object.__setattr__(self, "label", self.name)
        return self


class FoldsPart(PlugIn):
    """One fold scheme; keys beside method are its keywords."""

    method: str
    """Name in the table of folds."""


class Subset(Part):
    """A part of the sites for which the comparison is made once more, fitted to that part alone."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
    """Name in the score table."""
    minimum: float = float("-inf")
    """Lowest target value of the part."""
    maximum: float = float("inf")
    """Highest target value of the part, exclusive."""


class CovariateGroup(Part):
    """Covariates of one kind, whose worth is shown by scores with and without them."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
    """Name in the report."""
    covariates: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of its covariates."""


class Validation(Part):
    """How honest the scores are."""

    folds: Annotated[tuple[FoldsPart, ...], Field(min_length=1)]
    """Fold schemes; at least one by site or by block."""
    inner: FoldsPart = FoldsPart.model_validate({"method": "site", "n_folds": 5})
    """Folds made of the training rows of every fold, by which learners choose keywords and covariates."""
    domain: Annotated[int, Field(ge=100, le=100_000)] = 2000
    """Points drawn from the map, to which distances of test rows are compared."""
    bootstrap: Annotated[int, Field(ge=50, le=100_000)] = 1000
    """Draws behind the intervals."""
    subsets: tuple[Subset, ...] = ()
    """Parts of the sites to be scored for themselves."""
    groups: tuple[CovariateGroup, ...] = ()
    """Groups of covariates without which a learner is scored too, on folds by site and by block."""
    group_learner: str = ""
    """Label of that learner; the one whose maps are written if left out."""
