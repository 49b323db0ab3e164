"""Compiled estimators as a header for JSON and arrays for npz, and back, with nothing taken on trust."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from permagrid.compiled.additive import CompiledAdditive, Terms
from permagrid.compiled.columns import NONE_OF, Column, Columns, Recipe
from permagrid.compiled.combined import Compiled, CompiledMean
from permagrid.compiled.encoded import EncodedTrees
from permagrid.compiled.forest import CompiledForest
from permagrid.compiled.kernels import VECTORS
from permagrid.compiled.process import ByClass, CompiledProcess, CompiledWithProcess
from permagrid.compiled.quantiles import CompiledQuantiles, Leaves
from permagrid.compiled.support_vectors import CompiledSupportVectors
from permagrid.errors import PermagridError

Header = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
_COLUMNS, _TERMS, _MEMBER = "columns_", "terms_", "member_{}_"
_LEAVES, _PROCESS, _LEARNER = "rows_", "process_", "learner_"


def is_compiled(fitted: Any) -> bool:
    """Return whether something is a compiled estimator, which `plain` takes."""
    return type(fitted) in _PLAIN


def plain(compiled: Compiled) -> tuple[Header, Arrays]:
    """Return all that a compiled estimator is: a header that JSON can hold, and arrays.

    Parameters
    ----------
    compiled
        What `compile_estimator` returned.

    Raises
    ------
    PermagridError
        If it is something else.
    """
    known = _PLAIN.get(type(compiled))
    if known is None:
        raise PermagridError(f"{type(compiled).__name__} is not a compiled estimator")
    form, told = known
    header, arrays = told(compiled)
    return {"form": form, **header}, arrays


def compiled_of(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Compiled:
    """Return the compiled estimator of which `plain` was made.

    Raises
    ------
    PermagridError
        If parts are missing, or do not fit together.
    """
    form = header.get("form")
    if form not in _FORMS:
        raise PermagridError(f"form {form!r} of a compiled estimator: allowed are {', '.join(_FORMS)}")
    try:
        return _FORMS[form](header, arrays)
    except KeyError as error:
        raise PermagridError(f"compiled {form} lack {error.args[0]}") from None


def _plain_encoded(compiled: EncodedTrees | CompiledQuantiles) -> tuple[Header, Arrays]:
    header, arrays = compiled.trees.plain()
    if isinstance(compiled, CompiledQuantiles):
        arrays |= within(_LEAVES, compiled.leaves._asdict())
    return {"raw": compiled.recipe.raw, **header}, arrays | _recipe(compiled)


def _plain_support(compiled: CompiledSupportVectors) -> tuple[Header, Arrays]:
    header = {"scale": compiled.scale, "raw": compiled.recipe.raw, "is_class": compiled.is_class}
    arrays = {name: getattr(compiled, name) for name in ("blocks", "coefficients", "lines")}
    return header, arrays | _recipe(compiled)


def _plain_additive(compiled: CompiledAdditive) -> tuple[Header, Arrays]:
    header = {"raw": compiled.recipe.raw, "is_class": compiled.is_class}
    arrays = within(_TERMS, compiled.terms._asdict()) | {"intercepts": compiled.intercepts}
    return header, arrays | _recipe(compiled)


def _plain_mean(compiled: CompiledMean) -> tuple[Header, Arrays]:
    headers, every = [], Arrays()
    for place, member in enumerate(compiled.members):
        header, arrays = plain(member)
        headers.append(header)
        every |= within(_MEMBER.format(place), arrays)
    columns = [None if each is None else list(each) for each in compiled.columns]
    return {"raw": compiled.raw, "members": headers, "columns": columns}, every


def _plain_process(compiled: CompiledProcess) -> tuple[Header, Arrays]:
    header = {name: getattr(compiled, name) for name in ("raw", "law", "factor", "line", "even")}
    header |= {"columns": dict(compiled.columns), "values": dict(compiled.values)}
    header["by_class"] = None if compiled.by_class is None else asdict(compiled.by_class)
    header["is_class"] = compiled.scores is not None
    return header, {} if compiled.scores is None else {"scores": compiled.scores}


def _plain_with(compiled: CompiledWithProcess) -> tuple[Header, Arrays]:
    process, own = plain(compiled.process)
    learner, arrays = plain(compiled.learner)
    columns = None if compiled.columns is None else list(compiled.columns)
    header = {"use": compiled.use, "columns": columns, "process": process, "learner": learner}
    return header, within(_PROCESS, own) | within(_LEARNER, arrays)


def within(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return arrays by names that begin with a prefix."""
    return {prefix + name: array for name, array in arrays.items()}


def part_of(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], prefix: str) -> Compiled:
    """Return the part of a compiled estimator whose arrays have names that begin with a prefix.

    Raises
    ------
    PermagridError
        As `compiled_of`, with the prefix.
    """
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    try:
        return compiled_of(header, own)
    except PermagridError as error:
        raise PermagridError(f"{prefix.rstrip('_').replace('_', ' ')}: {error}") from None


def _mean_of(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Compiled:
    members = [part_of(own, arrays, _MEMBER.format(place)) for place, own in enumerate(header["members"])]
    columns = tuple(None if each is None else tuple(map(int, each)) for each in header["columns"])
    return CompiledMean(int(header["raw"]), tuple(members), columns)


def _process_of(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> CompiledProcess:
    by_class, line = header["by_class"], header["line"]
    if by_class is not None:
        codes, factors = (tuple(map(float, by_class[name])) for name in ("codes", "factors"))
        low, high = float(by_class["low"]), float(by_class["high"])
        by_class = ByClass(int(by_class["source"]), str(by_class["parameter"]), codes, factors, low, high)
    return CompiledProcess(
        int(header["raw"]),
        str(header["law"]),
        {str(role): int(place) for role, place in header["columns"].items()},
        {str(name): float(value) for name, value in header["values"].items()},
        float(header["factor"]),
        by_class,
        None if line is None else (float(line[0]), float(line[1])),
        _floats(arrays["scores"]) if header["is_class"] else None,
        float(header["even"]),
    )


def _with_of(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Compiled:
    process = part_of(header["process"], arrays, _PROCESS)
    if not isinstance(process, CompiledProcess):
        raise PermagridError("a compiled estimator does not fit together: its process model is none")
    columns = header["columns"]
    return CompiledWithProcess(
        process,
        part_of(header["learner"], arrays, _LEARNER),
        None if columns is None else tuple(map(int, columns)),
        header["use"],
    )


def _recipe(compiled: Any) -> Arrays:
    return {_COLUMNS + name: array for name, array in compiled.recipe.arrays()._asdict().items()}


def _recipe_of(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Recipe:
    found = Columns(**{name: arrays[_COLUMNS + name] for name in Columns._fields})
    many, raw = len(found.source), int(header["raw"])
    _check(
        "columns",
        all(len(part) == many for part in (found.kind, found.centre, found.spread)),
        _rises(found.first, many, len(found.known)),
        ((found.source >= 0) & (found.source < raw)).all(),
        ((found.kind >= 0) & (found.kind <= NONE_OF)).all(),
    )
    return Recipe(
        raw,
        tuple(
            Column(
                int(found.source[at]),
                int(found.kind[at]),
                tuple(float(code) for code in found.known[found.first[at] : found.first[at + 1]]),
                float(found.centre[at]),
                float(found.spread[at]),
            )
            for at in range(many)
        ),
    )


def _support_of(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Compiled:
    recipe = _recipe_of(header, arrays)
    blocks, weights, lines = (_floats(arrays[name]) for name in ("blocks", "coefficients", "lines"))
    _check(
        "support vectors",
        blocks.ndim == 2 and blocks.shape[1:] == (VECTORS * (1 + len(recipe.columns)),),
        lines.ndim == 2 and lines.shape[1:] == (3,) and len(lines) > 0,
        weights.shape == (len(blocks), VECTORS * len(lines)),
    )
    return CompiledSupportVectors(
        recipe, blocks, weights, lines, float(header["scale"]), bool(header["is_class"])
    )


def _additive_of(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Compiled:
    recipe, intercepts = _recipe_of(header, arrays), _floats(arrays["intercepts"])
    given = {name: arrays[_TERMS + name] for name in Terms._fields}
    for name in ("output", "column", "kind", "first"):
        given[name] = np.ascontiguousarray(given[name], dtype=np.int64)
    terms = Terms(**given | {name: _floats(given[name]) for name in ("table", "ends")})
    many = len(terms.output)
    _check(
        "terms",
        intercepts.ndim == 1 and len(intercepts) > 0,
        all(part.shape == (many,) for part in (terms.output, terms.column, terms.kind)),
        terms.table.ndim == 2 and terms.table.shape[1:] == (5,) and terms.ends.shape == (many, 4),
    )
    _check(
        "terms",
        _rises(terms.first, many, len(terms.table)),
        ((terms.output >= 0) & (terms.output < len(intercepts))).all(),
        ((terms.column >= 0) & (terms.column < len(recipe.columns))).all(),
    )
    # A curve without pieces would be looked up beyond the table.
    _check("terms", (np.diff(terms.first)[terms.kind == 0] > 0).all())
    return CompiledAdditive(recipe, terms, intercepts, bool(header["is_class"]))


def _encoded_of(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Compiled:
    recipe, trees = _recipe_of(header, arrays), CompiledForest.of(header, arrays)
    _check("columns", len(trees.forest.first) - 1 == len(recipe.columns))
    return EncodedTrees(recipe, trees)


def _quantiles_of(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Compiled:
    recipe, trees = _recipe_of(header, arrays), CompiledForest.of(header, arrays)
    given = {name: _floats(arrays[_LEAVES + name]) for name in ("totals", "weights", "values")}
    starts = np.ascontiguousarray(arrays[_LEAVES + "starts"], dtype=np.int64)
    members = np.ascontiguousarray(arrays[_LEAVES + "members"], dtype=np.int32)
    _check(
        "columns",
        len(trees.forest.first) - 1 == len(recipe.columns),
        not trees.is_class and trees.outputs == 1 and trees.link == "mean" and not len(trees.named),
    )
    of_one_axis = [part.ndim == 1 for part in (starts, members)] + [part.ndim == 1 for part in given.values()]
    _check("rows of leaves", all(of_one_axis), len(starts) > 1)
    return CompiledQuantiles(recipe, trees, Leaves(starts, members, **given))


def _floats(array: NDArray[Any]) -> NDArray[np.float64]:
    return np.ascontiguousarray(array, dtype=float)


def _rises(first: NDArray[Any], many: int, last: int) -> bool:
    """Whether places begin at 0, never fall, and end at the last."""
    whole = first.shape == (many + 1,)
    return bool(whole and first[0] == 0 and first[-1] == last and (np.diff(first) >= 0).all())


def _check(part: str, *sound: Any) -> None:
    if not all(sound):
        raise PermagridError(f"a compiled estimator does not fit together: {part}")


_PLAIN: dict[type, tuple[str, Callable[[Any], tuple[Header, Arrays]]]] = {
    CompiledForest: ("trees", CompiledForest.plain),
    EncodedTrees: ("encoded trees", _plain_encoded),
    CompiledQuantiles: ("quantiles", _plain_encoded),
    CompiledSupportVectors: ("support vectors", _plain_support),
    CompiledAdditive: ("additive", _plain_additive),
    CompiledMean: ("mean", _plain_mean),
    CompiledProcess: ("process", _plain_process),
    CompiledWithProcess: ("with process", _plain_with),
}
_FORMS: dict[str, Callable[[Mapping[str, Any], Mapping[str, NDArray[Any]]], Compiled]] = {
    "trees": CompiledForest.of,
    "encoded trees": _encoded_of,
    "support vectors": _support_of,
    "additive": _additive_of,
    "mean": _mean_of,
    "quantiles": _quantiles_of,
    "process": _process_of,
    "with process": _with_of,
}
