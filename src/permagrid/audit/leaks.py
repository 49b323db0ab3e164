"""Rules on covariates that are the target itself, or are made of it."""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from permagrid.audit.evidence import CovariateFacts, Evidence
from permagrid.audit.findings import AUDIT, Finding, Severity, are, listed

Float = NDArray[np.float64]

_FOLDS = 5
_FEWEST_SITES = 20
_MOST_ROWS = 5000
_PERMAFROST = re.compile(
    r"permafrost|(?<![a-z])(?:pfr|nhipa|magt)(?![a-z])|active[ _-]?layer|ground[ _-]?ice|frozen[ _-]?ground"
    r"|ground[ _-]?temperature",
    re.IGNORECASE,
)


@AUDIT.register
def covariate_is_target(
    evidence: Evidence, *, perfect: float = 0.995, near: float = 0.98
) -> Iterator[Finding]:
    """Find a covariate that alone gives the target: by rank, or by a tree that has not seen the site.

    Nature has no such covariate: it was made from the observations, or from a map that was.

    Parameters
    ----------
    evidence
        What is looked at.
    perfect, near
        Rank correlation, or skill of a tree on places that it has not seen (R2, or balanced accuracy), from
        which on a covariate is the target, or suspiciously close to it.
    """
    if len(evidence.sites) < _FEWEST_SITES:
        return
    # Of very many rows every second or third place does.
    part = evidence.groups % -(-len(evidence.training) // _MOST_ROWS) == 0
    value, groups = evidence.values("value")[part], evidence.groups[part]
    folds = _folds(np.unique(groups, return_inverse=True)[1].ravel())
    for covariate in evidence.predictors:
        column = evidence.values(covariate.name)[part]
        known = np.isfinite(column) & np.isfinite(value)
        if known.sum() < _FEWEST_SITES or len(np.unique(column[known])) < 2:
            continue
        is_class = evidence.target.kind == "class"
        rank = 0.0 if covariate.kind == "class" or is_class else _rank(column[known], value[known])
        skill = _tree_skill(column[known], value[known], folds[known], is_class=is_class)
        best = max(abs(rank), skill)
        if best < near:
            continue
        if abs(rank) >= skill:
            said = f"the rank correlation of {covariate.name} with the target is {rank:.4f}"
        else:
            what = "balanced accuracy" if is_class else "R2"
            said = f"a tree on {covariate.name} alone predicts places it has not seen with {what} {skill:.4f}"
        severity: Severity = "fatal" if best >= perfect else "caution"
        yield Finding(
            severity,
            f"{said[0].upper()}{said[1:]} (n {int(known.sum())})",
            f"covariates.{covariate.name}",
            "Leave the covariate out unless it was made without any of these observations."
            if severity == "fatal"
            else "Find out how the covariate was made, and whether these observations took part.",
        )


@AUDIT.register
def covariates_hold_target(evidence: Evidence, *, perfect: float = 0.995) -> Iterator[Finding]:
    """Find covariates whose sum gives the target, though none alone does.

    Parameters
    ----------
    evidence
        What is looked at.
    perfect
        R2 of a linear model on places that it has not seen from which on the covariates hold the target.
    """
    names, sites = evidence.continuous, len(evidence.sites)
    if evidence.target.kind == "class" or len(names) < 2 or sites < max(_FEWEST_SITES, 2 * len(names)):
        return
    table = evidence.training[names].to_numpy(dtype=float)
    value, folds = evidence.values("value"), _folds(evidence.groups)
    known = np.isfinite(table).all(axis=1) & np.isfinite(value)
    table, value, folds = table[known], value[known], folds[known]
    if len(value) < _FEWEST_SITES:
        return
    spread = table.std(axis=0)
    scaled = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    predicted = np.full(len(value), np.nan)
    for fold in np.unique(folds):
        test = folds == fold
        predicted[test] = LinearRegression().fit(scaled[~test], value[~test]).predict(scaled[test])
    skill = _r2(value, predicted)
    # One that gives the target alone is told by another rule.
    if skill < perfect or any(
        max(abs(_rank(column, value)), _tree_skill(column, value, folds, is_class=False)) >= perfect
        for column in table.T
    ):
        return
    weights = np.abs(LinearRegression().fit(scaled, value).coef_)
    heavy = [names[index] for index in np.argsort(-weights, kind="stable")[:3]]
    yield Finding(
        "fatal",
        f"A linear model of the covariates predicts places it has not seen with R2 {skill:.4f}; the most "
        f"weight have {listed(heavy)}",
        "covariates",
        "Find out which of them were made with these observations, and leave those out.",
    )


@AUDIT.register
def covariate_of_target_source(evidence: Evidence) -> Iterator[Finding]:
    """Find covariates read from a table of observations, a reference map, or a map of permafrost by its name.

    Such a map was made from much the same observations and climate; agreement with it is no confirmation.

    Parameters
    ----------
    evidence
        What is looked at.
    """
    named: dict[str, list[str]] = {}
    for covariate in evidence.predictors:
        lineage = evidence.lineage(covariate)
        paths = [path for each in lineage for path in each.paths]
        observed = [path for path in paths if path in evidence.site_files]
        compared = [path for path in paths if path in evidence.reference_files]
        if observed:
            yield Finding(
                "fatal",
                f"{covariate.name} is read from {observed[0]}, from which the observations come",
                f"covariates.{covariate.name}",
                "Leave it out: it holds what is to be predicted.",
            )
        elif compared:
            yield Finding(
                "severe",
                f"{covariate.name} is read from {compared[0]}, with which the maps are compared",
                f"covariates.{covariate.name}",
                "Leave it out, or compare the maps with something that they were not made from.",
            )
        else:
            words = [word for each in lineage if (word := _permafrost_word(each))]
            for word in words[:1]:
                named.setdefault(word, []).append(covariate.name)
    for word, names in named.items():
        yield Finding(
            "severe",
            f"By the name ({word!r}) {are(names)} made from a map of permafrost, itself made from "
            "observations and climate",
            ", ".join(f"covariates.{name}" for name in names),
            "Leave it out, or show that neither its observations nor its model are those of this study.",
        )


def _permafrost_word(covariate: CovariateFacts) -> str | None:
    """Return the words by which a covariate that is read from files is a map of permafrost."""
    if not covariate.paths:
        return None
    is_plain = covariate.method == "raster"
    for text in (*covariate.paths, *([covariate.name, covariate.long_name] if is_plain else [])):
        if _PERMAFROST.search(text):
            return text
    title = covariate.citation.split(".")[0]
    return title if is_plain and _PERMAFROST.search(title) else None


def _folds(groups: NDArray[np.int_]) -> NDArray[np.int_]:
    """Return the fold of each row; places go round the folds in the order of their numbers."""
    return groups % _FOLDS


def _rank(column: Float, value: Float) -> float:
    """Return Spearman's rank correlation; 0 where one of the two does not vary or has few values."""
    if min(len(np.unique(column)), len(np.unique(value))) < 10:
        return 0.0
    return float(np.corrcoef(rankdata(column), rankdata(value))[0, 1])


def _tree_skill(column: Float, value: Float, folds: NDArray[np.int_], *, is_class: bool) -> float:
    """Return R2, or for classes the balanced accuracy, of a tree on rows of folds that it has not seen."""
    predicted = np.full(len(value), np.nan)
    for fold in np.unique(folds):
        test = folds == fold
        if not (~test).any():
            return 0.0
        if is_class:
            tree = DecisionTreeClassifier(max_depth=2, random_state=0)
        else:
            tree = DecisionTreeRegressor(min_samples_leaf=3, random_state=0)
        tree.fit(column[~test, np.newaxis], value[~test])
        predicted[test] = tree.predict(column[test, np.newaxis])
    if not is_class:
        return _r2(value, predicted)
    codes, counts = np.unique(value, return_counts=True)
    # Of a class with few rows a perfect score is luck.
    if len(codes) < 2 or counts.min() < 5:
        return 0.0
    return float(np.mean([np.mean(predicted[value == code] == code) for code in codes]))


def _r2(value: Float, predicted: Float) -> float:
    total = float(((value - value.mean()) ** 2).sum())
    return 1.0 - float(((value - predicted) ** 2).sum()) / total if total > 0 else 0.0
