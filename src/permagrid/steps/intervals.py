"""Step: how far the intervals of an ensemble may be trusted: coverage, width, PIT and CRPS by part."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.steps.applicability import Belief
from permagrid.steps.ensemble import Joined
from permagrid.steps.regions import region_of_rows
from permagrid.steps.scores import Ground
from permagrid.study import Ensemble, Study
from permagrid.validation import Comparison, Folds
from permagrid.validation.interval_evidence import (
    DI_BIN,
    conformal_intervals,
    conformal_table,
    index_bins,
    index_edges,
    interval_evidence,
    plain_records,
)

Float = NDArray[np.float64]
Plain = dict[str, Any]


def distributions_of(comparison: Comparison, joined: Joined) -> dict[tuple[str, str], Float]:
    """Return the predictive distributions of all that have one: name, fold scheme -> quantiles.

    Learners that predict distributions by themselves stand under their label with ``_own`` where the
    ensemble has another one of the same learner.
    """
    found = dict(joined.quantiles)
    for (label, scheme), predicted in comparison.raw.items():
        if predicted.quantiles is not None:
            name = f"{label}_own" if (label, scheme) in found else label
            found[name, scheme] = predicted.quantiles
    return found


def interval_record(
    study: Study,
    ensemble: Ensemble,
    ground: Ground,
    comparison: Comparison,
    joined: Joined,
    belief: Belief | None,
    quote: str,
) -> Plain | None:
    """Return how good the predictive distributions are, as plain values; None for classes.

    Parameters
    ----------
    study, ensemble, ground
        The study, what it joins, and all rows.
    comparison, joined
        The comparison, the ensemble among its learners, and the distributions.
    belief
        Where the map may be believed, for bins of dissimilarity.
    quote
        The fold scheme to quote.
    """
    if study.target.kind == "class":
        return None
    observed = ground.table["value"].to_numpy(float)
    told = distributions_of(comparison, joined)
    parts = {scheme.name: _parts(study, ground, belief, scheme) for scheme in comparison.folds}
    draws: dict[str, Any] = {"draws": study.validation.bootstrap, "seed": study.seed}
    evidence = interval_evidence(
        observed,
        told,
        comparison.folds,
        reference=ensemble.label,
        parts=parts,
        nominal=ensemble.intervals,
        **draws,
    )
    conformal = []
    for scheme in comparison.folds:
        quantiles, bins = told[ensemble.label, scheme.name], parts[scheme.name].get(DI_BIN)
        intervals = conformal_intervals(observed, quantiles, scheme, nominal=ensemble.intervals, bins=bins)
        conformal.append(conformal_table(observed, intervals, scheme, learner=ensemble.label, **draws))
    return {
        "reference": ensemble.label,
        "method": ensemble.method,
        "quote": quote,
        "unit": study.target.unit,
        "mixture": _mixture(ensemble, joined),
        **evidence.plain(),
        "conformal": plain_records(pd.concat(conformal, ignore_index=True)),
    }


def _mixture(ensemble: Ensemble, joined: Joined) -> Plain:
    """Return how the learners are joined for the map."""
    told = joined.mixture.describe(list(ensemble.learners))
    for line, p in zip(told["learners"], joined.goodness, strict=False):
        line["goodness_p"] = p
    return told


def measured_coverage(record: Plain | None, level: float) -> tuple[str, float] | None:
    """Return the share of observed values in the interval of a level, under the folds to quote."""
    if record is None:
        return None
    for line in record["coverage"]:
        is_it = line["learner"] == record["reference"] and line["folds"] == record["quote"]
        if is_it and line["by"] == "all" and line["level"] == level:
            return str(line["folds"]), float(line["coverage"])
    return None


def _parts(study: Study, ground: Ground, belief: Belief | None, scheme: Folds) -> dict[str, NDArray[Any]]:
    """Return by what coverage is told apart: region, and dissimilarity to the rows that train."""
    found: dict[str, NDArray[Any]] = {}
    region = region_of_rows(ground.table, study, ground.root)
    if region is not None:
        found["region"] = region
    if belief is not None:
        index = belief.area.across(scheme.rounds[0]).di
        found[DI_BIN] = index_bins(index, index_edges(index, belief.area.threshold))
    return found
