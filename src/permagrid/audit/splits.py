"""Rules on folds: what training and test sets share, beyond the rows."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.audit.evidence import Evidence, FoldFacts
from permagrid.audit.findings import AUDIT, Finding, Severity, kilometres, listed, percent
from permagrid.audit.spheres import beside, points_of

Index = NDArray[np.int_]
Mask = NDArray[np.bool_]


@AUDIT.register
def same_site_across_folds(evidence: Evidence) -> Iterator[Finding]:
    """Find rows of one site in the training and in the test set.

    Fatal where the folds say that they keep sites apart; where they do not, their score is an upper bound,
    which must not stand alone.

    Parameters
    ----------
    evidence
        What is looked at.
    """
    groups = evidence.groups
    apart = [scheme.name for scheme in evidence.folds if scheme.spatial]
    for scheme in evidence.folds:
        shared, tested = _counted(scheme, lambda train, test: np.isin(groups[test], groups[train]))
        if not shared:
            continue
        said = (
            f"{percent(shared / tested)} of the test rows have other rows of their site in the training set"
        )
        where = f"validation.folds: {scheme.name}"
        if scheme.spatial:
            yield Finding(
                "fatal",
                f"{said}, though these folds are to keep sites apart ({shared} of {tested} rows tested)",
                where,
                "Give the rows of one place one site_group, and make the folds of those.",
            )
            continue
        what = "known sites in years without data" if _by_epoch(scheme, evidence) else "gaps in known series"
        is_alone: Severity = "note" if apart else "severe"
        yield Finding(
            is_alone,
            f"{said} ({shared} of {tested}): the score is one of {what}",
            where,
            f"Quote {listed(apart)} for the map, not {scheme.name}."
            if apart
            else "Add folds that keep sites apart, and quote those.",
        )


@AUDIT.register
def copies_across_folds(evidence: Evidence, *, alike: float = 1e-3, many: float = 0.1) -> Iterator[Finding]:
    """Find rows of different sites with the same covariates in the training and in the test set.

    A test row that has a double among the training rows asks for nothing new.

    Parameters
    ----------
    evidence
        What is looked at.
    alike
        Difference, in standard deviations, up to which covariates and values are the same.
    many
        Share of test rows, under the folds with the fewest, from which on it is a caution.
    """
    names = [c.name for c in evidence.predictors]
    if not names or not evidence.folds:
        return
    kind, groups = _kinds(evidence.training[names], alike), evidence.groups

    def doubled(train: Index, test: Index) -> Mask:
        held = pd.Series(groups[train]).groupby(kind[train]).agg(["nunique", "first"]).reindex(kind[test])
        several, first = held["nunique"].to_numpy(float), held["first"].to_numpy(float)
        return np.asarray((several > 1) | ((several == 1) & (first != groups[test])))

    found = {scheme.name: _counted(scheme, doubled) for scheme in evidence.folds}
    places = pd.DataFrame({"kind": kind, "group": groups, "value": evidence.values("value")})
    several = places.groupby("kind")["group"].transform("nunique") > 1
    yield from _told(
        evidence,
        found,
        many,
        what="have a training row of another site with the same covariates",
        more="" if evidence.target.kind == "class" else _same_values(places[several], alike),
        advice="Join such sites (a larger sites.same_place), and quote folds that part whole blocks; a finer "
        "grid or local covariates tell them apart.",
    )


@AUDIT.register
def neighbours_across_folds(evidence: Evidence, *, many: float = 0.1) -> Iterator[Finding]:
    """Find test sites within a cell of the map of a training site, or within the distance of one place.

    Parameters
    ----------
    evidence
        What is looked at.
    many
        Share of test rows, under the folds with the fewest, from which on it is a caution.
    """
    distance = max(evidence.cell, evidence.same_place)
    if distance <= 0.0 or not evidence.folds:
        return
    points = points_of(evidence.values("longitude"), evidence.values("latitude"))
    if not np.isfinite(points).all():
        return
    found = {
        scheme.name: _counted(scheme, lambda train, test: beside(points[test], points[train], distance))
        for scheme in evidence.folds
        if scheme.spatial
    }
    yield from _told(
        evidence,
        found,
        many,
        what=f"lie within {kilometres(distance)} of a training site",
        more="",
        advice="Quote folds that part whole blocks or follow the distances of the map (kNNDM), or leave a "
        "buffer between training and test sites.",
    )


def _counted(scheme: FoldFacts, judge: Callable[[Index, Index], Mask]) -> tuple[int, int]:
    """Return how many test rows a judgement holds for, and how many there are, over all folds."""
    shared = sum(int(judge(train, test).sum()) for train, test in scheme.pairs if len(train) and len(test))
    return shared, sum(len(test) for _, test in scheme.pairs)


def _told(
    evidence: Evidence,
    found: dict[str, tuple[int, int]],
    many: float,
    *,
    what: str,
    more: str,
    advice: str,
) -> Iterator[Finding]:
    """Yield one finding on all schemes, as bad as the spatial scheme that has the fewest such rows."""
    shares = {name: part / whole for name, (part, whole) in found.items() if whole}
    apart = [shares[scheme.name] for scheme in evidence.folds if scheme.spatial and scheme.name in shares]
    if not apart or max(apart) == 0.0:
        return
    told = listed([f"{percent(value)} ({name})" for name, value in shares.items()], 8)
    severity: Severity = "caution" if min(apart) > many else "note"
    yield Finding(
        severity, f"Of the test rows {told} {what}{more}", f"validation.folds: {listed(shares, 8)}", advice
    )


def _by_epoch(scheme: FoldFacts, evidence: Evidence) -> bool:
    """Return whether the epochs of test sets are never trained on."""
    epochs = pd.factorize(evidence.training["epoch"])[0]
    return all(not np.intersect1d(epochs[train], epochs[test]).size for train, test in scheme.pairs)


def _kinds(table: pd.DataFrame, alike: float) -> Index:
    """Return a number for each row; rows whose values are the same, but for a little, share one."""
    values = table.to_numpy(dtype=float)
    spread = np.nanstd(values, axis=0)
    steps = np.round(values / np.where(spread > 0, spread, 1.0) / alike)
    return np.asarray(pd.DataFrame(steps).groupby(list(range(steps.shape[1])), dropna=False).ngroup())


def _same_values(places: pd.DataFrame, alike: float) -> str:
    """Return how many pairs of sites with the same covariates have the same value as well."""
    pairs = places.merge(places, on="kind", suffixes=("", "_other"))
    pairs = pairs[pairs["group"] < pairs["group_other"]]
    close = (pairs["value"] - pairs["value_other"]).abs() <= alike * places["value"].std()
    sites = pairs[["group", "group_other"]].drop_duplicates()
    same = pairs.loc[close, ["group", "group_other"]].drop_duplicates()
    return f"; of such pairs of sites {len(same)} of {len(sites)} have the same value as well"
