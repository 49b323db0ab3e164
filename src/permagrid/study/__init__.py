"""The study file: everything a scientist decides, read and checked for its form."""

from permagrid.study.ensembles import Ensemble, Inventory
from permagrid.study.expansion import CovariateSource
from permagrid.study.file import Draft, draft, parse_study, read_draft, read_study
from permagrid.study.learning import (
    Chooser,
    FoldsPart,
    LearnerPart,
    Search,
    Selection,
    Subset,
    Validation,
    Weights,
)
from permagrid.study.parts import (
    CovariatePart,
    Grid,
    Labels,
    Metadata,
    Products,
    Reduction,
    Reference,
    Sampling,
    Sites,
    SourceTable,
    Study,
    Target,
    Truth,
    resolved,
)
from permagrid.study.places import Finding, Location, Places

__all__ = [
    "Chooser",
    "CovariatePart",
    "CovariateSource",
    "Draft",
    "Ensemble",
    "Finding",
    "FoldsPart",
    "Grid",
    "Inventory",
    "Labels",
    "LearnerPart",
    "Location",
    "Metadata",
    "Places",
    "Products",
    "Reduction",
    "Reference",
    "Sampling",
    "Search",
    "Selection",
    "Sites",
    "SourceTable",
    "Study",
    "Subset",
    "Target",
    "Truth",
    "Validation",
    "Weights",
    "draft",
    "parse_study",
    "read_draft",
    "read_study",
    "resolved",
]
