"""Studies of the small virtual world of tests/conftest.py, derived from the one that is shipped."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

SHIPPED = Path(__file__).resolve().parents[1] / "studies" / "virtual_arctic.yaml"
BOUNDS = [-850000, 2160000, -50000, 2960000]
"""Of 80 x 80 cells of 10 km around the centre of the virtual region."""
REGION = [-180, 58, -156, 74]
"""West, south, east and north [degree] around them."""
EPOCHS = ["2000-2004", "2010-2014"]
LEAN = ("bio1", "snow_depth", "elevation", "slope", "depth")


def small_study(*, lean: bool = False, presence: bool = False) -> dict[str, Any]:
    """Return the shipped study on the small world, with few trees and two epochs.

    Parameters
    ----------
    lean
        Whether to use few covariates and one learner.
    presence
        Whether to map presence and absence of permafrost.
    """
    study: dict[str, Any] = YAML(typ="safe").load(SHIPPED)
    study |= {"study": "small", "epochs": list(EPOCHS)}
    study["grid"] = {"crs": "EPSG:3995", "resolution": 10000, "bounds": list(BOUNDS)}
    study["sites"]["region"] = study["sites"]["quality"]["coordinates"]["region"] = list(REGION)
    study["learners"] = [
        {"name": "random_forest", "n_estimators": 20, "min_samples_leaf": 2},
        {"name": "gradient_boosting", "max_iter": 20},
        {"name": "climate_linear", "covariates": ["bio1", "bio10", "snow_depth", "depth"]},
    ]
    folds = [
        {"method": "random", "n_folds": 5},
        {"method": "site", "n_folds": 5},
        {"method": "block", "size": 200000, "n_folds": 4},
    ]
    groups = [{"name": "terrain", "covariates": ["elevation", "slope", "northness"]}]
    study["validation"] = {"folds": folds, "bootstrap": 100, "groups": groups}
    if lean:
        study["covariates"] = [part for part in study["covariates"] if part["name"] in LEAN]
        study["learners"] = study["learners"][:1]
        study["validation"] = {"folds": folds[:2], "bootstrap": 100}
    if presence:
        study["target"] = {
            "variable": "permafrost_presence",
            "kind": "class",
            "unit": "1",
            "valid_range": [0, 1],
        }
        study["sites"]["labels"] = {"depth_range": [3, 30]}
        study["sites"]["reduce"] = {}
        study["covariates"] = [part for part in study["covariates"] if part["name"] != "depth"]
        for learner in study["learners"]:
            if "covariates" in learner:
                learner["covariates"] = ["bio1", "bio10", "snow_depth"]
        study["truth"] = {"path": "truth/permafrost_presence_{epoch}.tif"}
    return study
