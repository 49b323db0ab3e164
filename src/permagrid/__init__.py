"""permagrid turns point observations of frozen ground and gridded covariates into validated maps."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from permagrid.check import check_study
    from permagrid.covariates import Covariate
    from permagrid.covariates import build as build_covariate
    from permagrid.errors import PermagridError
    from permagrid.grid import make_geobox
    from permagrid.learners import build_learner
    from permagrid.models import load_model, save_model
    from permagrid.predict import predict as predict_study
    from permagrid.prediction import predict_blocks
    from permagrid.products.geotiff import write_cog
    from permagrid.run import run as run_study
    from permagrid.sites.quality import flag_sites
    from permagrid.sites.readers import READERS
    from permagrid.sites.reduce import reduce_sites
    from permagrid.sites.sample import sample_stack
    from permagrid.study import read_study
    from permagrid.validation import Candidate, Problem, compare
    from permagrid.world import make_world, write_world

_FACE = {
    "Candidate": ("permagrid.validation", "Candidate"),
    "Covariate": ("permagrid.covariates", "Covariate"),
    "PermagridError": ("permagrid.errors", "PermagridError"),
    "Problem": ("permagrid.validation", "Problem"),
    "READERS": ("permagrid.sites.readers", "READERS"),
    "build_covariate": ("permagrid.covariates", "build"),
    "build_learner": ("permagrid.learners", "build_learner"),
    "check_study": ("permagrid.check", "check_study"),
    "compare": ("permagrid.validation", "compare"),
    "flag_sites": ("permagrid.sites.quality", "flag_sites"),
    "load_model": ("permagrid.models", "load_model"),
    "make_geobox": ("permagrid.grid", "make_geobox"),
    "make_world": ("permagrid.world", "make_world"),
    "predict_blocks": ("permagrid.prediction", "predict_blocks"),
    "predict_study": ("permagrid.predict", "predict"),
    "read_study": ("permagrid.study", "read_study"),
    "reduce_sites": ("permagrid.sites.reduce", "reduce_sites"),
    "run_study": ("permagrid.run", "run"),
    "sample_stack": ("permagrid.sites.sample", "sample_stack"),
    "save_model": ("permagrid.models", "save_model"),
    "write_cog": ("permagrid.products.geotiff", "write_cog"),
    "write_world": ("permagrid.world", "write_world"),
}
"""Public name -> where it stands; imported when it is first used, so that the command line starts at once."""

__all__ = [
    "READERS",
    "Candidate",
    "Covariate",
    "PermagridError",
    "Problem",
    "build_covariate",
    "build_learner",
    "check_study",
    "compare",
    "flag_sites",
    "load_model",
    "make_geobox",
    "make_world",
    "predict_blocks",
    "predict_study",
    "read_study",
    "reduce_sites",
    "run_study",
    "sample_stack",
    "save_model",
    "write_cog",
    "write_world",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _FACE:
        raise AttributeError(f"module 'permagrid' has no attribute {name!r}")
    module, attribute = _FACE[name]
    return getattr(import_module(module), attribute)
