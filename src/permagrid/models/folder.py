"""The folder of a model: a description for people and machines, and arrays, all hashed, none of it code."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast
from zipfile import BadZipFile

import numpy as np
import sklearn

from permagrid.compiled import compiled_of, plain
from permagrid.compiled.stored import is_compiled
from permagrid.ensemble import ClassMixture, CopulaMixture, GaussianMixture
from permagrid.ensemble.mixture import Mixture
from permagrid.errors import PermagridError
from permagrid.files import replacing, sha256_of
from permagrid.models.estimators import read_estimator, write_estimator
from permagrid.models.forms import learner_of
from permagrid.models.model import Column, Learner, Model, Target

FORMAT = 1
"""Version of the layout."""
DESCRIPTION = "model.json"
_MIXTURE = "mixture.json"
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MIXTURES: dict[str, Callable[[Mapping[str, Any]], Mixture | ClassMixture]] = {
    "classes": ClassMixture.of,
    "copula": CopulaMixture.of,
    "gaussian": GaussianMixture.of,
}


def save_model(path: Path, model: Model) -> None:
    """Write a model to a folder, which takes the place of one of the same name.

    Parameters
    ----------
    path
        The folder.
    model
        What to write.

    Raises
    ------
    PermagridError
        If a learner has neither a compiled form nor one that skops may load again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as folder:
        write_model(folder, model)


def write_model(folder: Path, model: Model) -> None:
    """Write the files of a model into a new folder; see `save_model`."""
    folder.mkdir()
    learners = [_write_learner(folder, learner, model) for learner in model.learners]
    if model.mixture is not None:
        _write_json(folder / _MIXTURE, model.mixture.plain())
    target = model.target
    described = {
        "format": FORMAT,
        "name": model.name,
        "target": {
            "variable": target.variable,
            "kind": target.kind,
            "unit": target.unit,
            "depth_m": target.depth,
            "valid_range": [_finite(end) for end in target.valid_range],
            "classes": list(target.classes),
        },
        "covariates": [
            {
                "name": column.name,
                "unit": column.unit,
                "kind": column.kind,
                "long_name": column.long_name,
                "classes": None if column.classes is None else list(column.classes),
            }
            for column in model.columns
        ],
        "learners": learners,
        "is_joined": model.mixture is not None,
        "origin": dict(model.origin),
        "files": {each.name: sha256_of(each) for each in sorted(folder.iterdir())},
    }
    _write_json(folder / DESCRIPTION, described)


def load_model(path: Path | str) -> Model:
    """Return the model that a folder holds.

    Nothing in the folder is run: compiled learners are arrays whose parts must fit together, and other
    estimators are put together from types on a list.

    Parameters
    ----------
    path
        The folder, such as ``out/models/random_forest`` of a run.

    Raises
    ------
    PermagridError
        If it is no model, was changed or damaged, or needs another version of scikit-learn.
    """
    folder = Path(path)
    described = _read_json(folder / DESCRIPTION)
    if described.get("format") != FORMAT:
        raise PermagridError(
            f"{folder}: has the format {described.get('format')!r} of models; this version reads {FORMAT}"
        )
    try:
        _refuse_damaged(folder, described["files"])
        return _model_of(folder, described)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, BadZipFile, OSError) as error:
        raise PermagridError(f"{folder}: does not hold together as a model ({_said(error)})") from error


def _model_of(folder: Path, described: Mapping[str, Any]) -> Model:
    target = described["target"]
    lower, upper = target["valid_range"]
    bounds = (-np.inf if lower is None else float(lower), np.inf if upper is None else float(upper))
    classes = tuple(float(code) for code in target["classes"])
    made = Target(
        str(target["variable"]),
        str(target["kind"]),
        str(target["unit"]),
        bounds,
        None if target["depth_m"] is None else float(target["depth_m"]),
        classes,
    )
    columns = tuple(_column_of(each) for each in described["covariates"])
    origin = dict(described["origin"])
    if not isinstance(dict(origin.get("fitted_to", {})).get("interval", {}), dict):
        raise ValueError("the interval is described by no mapping")
    learners = tuple(_read_learner(folder, each, made.kind, origin) for each in described["learners"])
    names = {column.name for column in columns}
    if not learners or any(set(each.covariates) - names for each in learners):
        raise ValueError("learners and covariates do not fit together")
    mixture = _mixture_of(folder) if described["is_joined"] else None
    if mixture is None and len(learners) != 1:
        raise ValueError(f"{len(learners)} learners, and nothing that joins them")
    return Model(str(described["name"]), made, columns, learners, mixture, origin)


def _column_of(described: Mapping[str, Any]) -> Column:
    known = described["classes"]
    return Column(
        str(described["name"]),
        str(described["unit"]),
        str(described["kind"]),
        str(described["long_name"]),
        None if known is None else tuple(float(code) for code in known),
    )


def _write_learner(folder: Path, learner: Learner, model: Model) -> dict[str, Any]:
    if not _LABEL.fullmatch(learner.label):
        raise PermagridError(f"{model.name}: the learner {learner.label!r} cannot name a file")
    described: dict[str, Any] = {"label": learner.label, "covariates": list(learner.covariates)}
    if is_compiled(learner.fitted):
        header, arrays = plain(learner.fitted)
        with (folder / f"{learner.label}.npz").open("wb") as stream:
            np.savez_compressed(stream, **cast(dict[str, Any], arrays))
        return described | {"compiled": header}
    write_estimator(folder / f"{learner.label}.skops", learner.fitted)
    return described | {"compiled": None}


def _read_learner(
    folder: Path, described: Mapping[str, Any], task: str, origin: Mapping[str, Any]
) -> Learner:
    label = str(described["label"])
    if not _LABEL.fullmatch(label):
        raise ValueError(f"the learner {label!r} names no file")
    covariates = tuple(map(str, described["covariates"]))
    if described["compiled"] is not None:
        with np.load(folder / f"{label}.npz", allow_pickle=False) as held:
            compiled = compiled_of(described["compiled"], dict(held))
        return Learner(label, covariates, compiled, compiled.predict)
    _refuse_other_versions(folder, label, origin)
    estimator = read_estimator(folder / f"{label}.skops")
    return learner_of(label, covariates, estimator, task=task)


def _mixture_of(folder: Path) -> Mixture | ClassMixture:
    described = _read_json(folder / _MIXTURE)
    method = described.get("method")
    if method not in _MIXTURES:
        raise ValueError(f"a mixture of the kind {method!r}")
    return _MIXTURES[str(method)](described)


def _refuse_damaged(folder: Path, files: Mapping[str, str]) -> None:
    for name, wanted in files.items():
        if Path(name).name != name:
            raise ValueError(f"a file {name!r}")
        if sha256_of(folder / name) != wanted:
            raise PermagridError(
                f"{folder / name}: is damaged or was changed; its hash is not that of {DESCRIPTION}"
            )


def _refuse_other_versions(folder: Path, label: str, origin: Mapping[str, Any]) -> None:
    """Refuse an estimator of another scikit-learn, whose parts may mean something else."""
    made = str(origin.get("versions", {}).get("scikit-learn", sklearn.__version__))
    if made.split(".")[:2] != sklearn.__version__.split(".")[:2]:
        raise PermagridError(
            f"{folder}: {label} was fitted by scikit-learn {made} and has no compiled form; "
            f"installed is {sklearn.__version__}"
        )


def _finite(end: float) -> float | None:
    return float(end) if np.isfinite(end) else None


def _said(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def _write_json(path: Path, plain_values: Mapping[str, Any]) -> None:
    text = json.dumps(plain_values, indent=1, allow_nan=False, ensure_ascii=False, default=_plain)
    path.write_text(f"{text}\n", encoding="utf-8", newline="\n")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no plain value")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PermagridError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from error
    if not isinstance(found, dict):
        raise PermagridError(f"{path}: holds no mapping")
    return found
