"""Fitted estimators as files of skops: no pickle, a list of what may be loaded, and bytes that repeat."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from permagrid.errors import PermagridError

_SCHEMA = "schema.json"
_OURS = ("permagrid.learners.", "permagrid.physics.")
_ALLOWED = {
    "collections.OrderedDict",
    "functools.partial",
    "lightgbm.basic.Booster",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
    "xgboost.core.Booster",
}
"""What estimators of this package hold, beside their own types and those that skops trusts by itself."""
_SHARED = {"JsonNode", "TypeNode"}
"""Values which one process shares, where another makes several that are equal."""
_DAMAGED = (
    *(OSError, zipfile.BadZipFile, ValueError, KeyError),
    *(TypeError, AttributeError, ImportError),
)
"""What reading a file that is none, or of other versions, may raise."""
_DATE = (1980, 1, 1, 0, 0, 0)


def write_estimator(path: Path, estimator: Any) -> None:
    """Write a fitted estimator.

    Raises
    ------
    PermagridError
        If it holds what would not be loaded again.
    """
    found = skops.io.dumps(estimator)
    _refuse_foreign(skops.io.get_untrusted_types(data=found), path)
    path.write_bytes(_repeatable(found))


def read_estimator(path: Path) -> Any:
    """Return a fitted estimator.

    Raises
    ------
    PermagridError
        If the file is damaged, or asks for a type that is not allowed; nothing of it has been run then.
    """
    try:
        data = path.read_bytes()
        asked = skops.io.get_untrusted_types(data=data)
        _refuse_foreign(asked, path)
        return skops.io.loads(data, trusted=asked)
    except UntrustedTypesFoundException as error:
        raise PermagridError(f"{path}: asks for types that are not allowed: {error}") from error
    except _DAMAGED as error:
        raise PermagridError(f"{path}: cannot be read as a fitted estimator ({error})") from error


def _refuse_foreign(types: list[str], path: Path) -> None:
    foreign = [name for name in types if name not in _ALLOWED and not name.startswith(_OURS)]
    if foreign:
        raise PermagridError(f"{path.name}: asks for types that are not allowed: {', '.join(foreign)}")


def _repeatable(found: bytes) -> bytes:
    """Return a file of skops numbered in its own order, not by places in memory, and without a date."""
    out = io.BytesIO()
    with ZipFile(io.BytesIO(found)) as source, ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        schema = json.loads(source.read(_SCHEMA))
        numbers, files = dict[int, int](), dict[str, str]()
        _renumber(schema, numbers, files, [0])
        for old, new in files.items():
            _add(target, new, source.read(old))
        _add(target, _SCHEMA, json.dumps(schema, indent=1).encode())
    return out.getvalue()


def _renumber(node: Any, numbers: dict[int, int], files: dict[str, str], count: list[int]) -> None:
    if isinstance(node, list):
        for each in node:
            _renumber(each, numbers, files, count)
    if not isinstance(node, dict):
        return
    if "__id__" in node:
        shared = node.get("__loader__") in _SHARED
        known = None if shared else numbers.get(node["__id__"])
        if known is None:
            count[0] += 1
            known = count[0]
            if not shared:
                numbers[node["__id__"]] = known
        node["__id__"] = known
    if isinstance(node.get("file"), str):
        old = node["file"]
        node["file"] = files.setdefault(old, f"{len(files)}{Path(old).suffix}")
    for key, each in node.items():
        if key not in ("__id__", "file"):
            _renumber(each, numbers, files, count)


def _add(target: ZipFile, name: str, data: bytes) -> None:
    entry = ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    target.writestr(entry, data)
