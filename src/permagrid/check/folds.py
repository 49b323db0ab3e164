"""Fold schemes and inner folds that can never be made, told from the study alone."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from permagrid.check.named import named
from permagrid.errors import PermagridError
from permagrid.steps.folds import looks_at_the_map
from permagrid.study import Finding, FoldsPart, Location, Study
from permagrid.validation import FOLDS
from permagrid.validation.folds import called, enough
from permagrid.validation.knndm import refuse_share

_RESIDUALS = "residual_variogram"


def fold_faults(study: Study) -> Iterator[Finding]:
    """Yield what is wrong with the fold schemes and the inner folds of a study.

    What only the observations can tell is judged with them: here are names and keywords, and numbers of
    schemes that need the map, of which no check makes folds.
    """
    schemes = study.validation.folds
    names = [scheme_name(part) for part in schemes]
    for index, part in enumerate(schemes):
        place: Location = ("validation", "folds", index)
        unfit = list(named(FOLDS, place, part.method, part.keywords, key="method"))
        yield from unfit
        if not unfit and looks_at_the_map(part):
            yield from (Finding((*place, key), said) for key, said in _impossible(part))
        if names[index] is not None and names[index] in names[:index]:
            first = names.index(names[index])
            yield Finding(
                place,
                f"would be called {names[index]} in scores and files, as validation.folds[{first}] is; "
                "keep one of them",
            )
    inner = study.validation.inner
    unfit = list(named(FOLDS, ("validation", "inner"), inner.method, inner.keywords, key="method"))
    yield from unfit
    if not unfit:
        yield from (Finding(("validation", "inner", key), said) for key, said in inner_faults(inner))


def inner_faults(inner: FoldsPart) -> Iterator[tuple[str, str]]:
    """Yield keywords by which inner folds could never be made, each with why.

    Parameters
    ----------
    inner
        Inner folds with known keywords of the right types.
    """
    if _RESIDUALS in inner.keywords.values():
        yield (
            "size",
            f"{_RESIDUALS} is not for inner folds, as rows that train have no residuals yet; give the size "
            "in metres",
        )
    if inner.method == "region" and inner.keywords.get("path"):
        yield "path", "inner folds cannot be of regions in a file; use boxes or column"
    yield from _impossible(inner)


def _impossible(part: FoldsPart) -> Iterator[tuple[str, str]]:
    """Yield numbers of folds, of rounds and shares that a method would refuse whatever the rows are."""
    allowed = FOLDS.keywords(part.method)
    given = {key: part.keywords.get(key, parameter.default) for key, parameter in allowed.items()}
    number, repeats = given.get("n_folds"), given.get("repeats", 1)
    for key, folds, rounds in (("n_folds", 2 if number is None else number, 1), ("repeats", 2, repeats)):
        try:
            enough(folds, folds, "rows", repeats=rounds)
        except PermagridError as error:
            yield key, str(error).removeprefix("folds: ")
    if part.method == "knndm" and number is not None and number >= 2:
        try:
            refuse_share(number, given["max_share"])
        except PermagridError as error:
            yield "max_share", str(error).removeprefix("folds: ")


def scheme_name(part: FoldsPart) -> str | None:
    """Return what the folds of a scheme will be called, but for parts that the rows decide; None if unknown.

    Schemes of which this is the same have one name.

    Examples
    --------
    >>> scheme_name(FoldsPart(method="block", size=500000, buffer=1e5))
    'block_500km_buffer_100km'
    """
    if part.method not in FOLDS or FOLDS.faults(part.method, part.keywords):
        return None
    allowed = FOLDS.keywords(part.method)
    given = {key: part.keywords.get(key, parameter.default) for key, parameter in allowed.items()}
    naming = _NAMES.get(part.method)
    return None if naming is None else naming(given)


def _called_block(given: Mapping[str, Any]) -> str:
    size = "residual" if given["size"] == _RESIDUALS else _kilometres(given["size"])
    name = f"{'block' if given['shape'] == 'square' else 'hexagon'}_{size}"
    buffer = "" if given["buffer"] is None else f"_buffer_{_kilometres(given['buffer'])}"
    return called(name + buffer, given["n_folds"] or 0, given["repeats"])


def _called_knndm(given: Mapping[str, Any]) -> str:
    feature, kmeans = bool(given["space"] == "feature"), bool(given["clustering"] == "kmeans")
    return "knndm" + "_feature" * feature + "_kmeans" * kmeans


def _kilometres(metres: float) -> str:
    return f"{metres / 1000:g}km"


_NAMES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "random": lambda given: called("random", given["n_folds"], given["repeats"]),
    "site": lambda given: called("site", given["n_folds"], given["repeats"]),
    "holdout": lambda given: "holdout" if given["repeats"] == 1 else f"holdout_{given['repeats']}x",
    "epoch": lambda given: "epoch",
    "block": _called_block,
    "buffered_leave_one_out": lambda given: f"buffered_{_kilometres(given['radius'])}",
    "knndm": _called_knndm,
    "region": lambda given: "region" if given["column"] is None else f"region_{given['column']}",
}
"""Fold method -> what folds of some keywords will be called."""
