"""Step: how far the intervals of an ensemble may be trusted: coverage, width, PIT and CRPS by part."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.steps.applicability import Belief
from permagrid.steps.ensemble import Joined, variants_of
from permagrid.steps.regions import region_of_rows
from permagrid.steps.scores import Ground
from permagrid.study import Ensemble, Study
from permagrid.validation import Comparison, Folds
from permagrid.validation.conformal import calibrated_out_of_fold
from permagrid.validation.distribution_tables import (
    coverage_table,
    crps_table,
    paired_crps,
    pit_histogram,
)
from permagrid.validation.distributions import central_intervals, crps, pit

Float = NDArray[np.float64]
Plain = dict[str, Any]

_DI_EDGES = (0.0, 0.25, 0.5, 0.75, 1.0)
_DI_NAMES = ("up to 25 %", "25 to 50 %", "50 to 75 %", "75 to 100 %", "outside")


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
    told = distributions_of(comparison, joined)
    parts: dict[str, list[pd.DataFrame]] = {
        "coverage": [],
        "crps": [],
        "paired": [],
        "pit": [],
        "conformal": [],
    }
    for scheme in comparison.folds:
        own = {name: values for (name, folds), values in told.items() if folds == scheme.name}
        work = _Scheme(study, ensemble, ground, scheme, _parts(study, ground, belief, scheme))
        for name, frame in work.tables(own).items():
            parts[name].append(frame)
        if scheme.spatial:
            parts["conformal"].append(work.conformal(own[ensemble.label], comparison))
    return {
        "reference": ensemble.label,
        "method": ensemble.method,
        "quote": quote,
        "unit": study.target.unit,
        "levels": list(ensemble.intervals),
        "mixture": joined.mixture.describe(list(ensemble.learners)),
        **{name: _plain(pd.concat(frames, ignore_index=True)) for name, frames in parts.items() if frames},
    }


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
        shares = belief.area.across(scheme.rounds[0]).di / belief.area.threshold
        known = np.isfinite(shares)
        place = np.searchsorted(_DI_EDGES[1:], np.where(known, shares, 0.0), side="left")
        labels = np.array(_DI_NAMES, dtype=object)[place]
        labels[~known] = None
        found["di_bin"] = labels
    return found


class _Scheme:
    """The distributions of one fold scheme, rows of its rounds one below the other."""

    def __init__(
        self,
        study: Study,
        ensemble: Ensemble,
        ground: Ground,
        scheme: Folds,
        parts: Mapping[str, NDArray[Any]],
    ) -> None:
        self._ensemble, self._scheme = ensemble, scheme
        self._unit = study.target.unit
        self._draws: dict[str, Any] = {"draws": study.validation.bootstrap, "seed": study.seed}
        self._seed = study.seed
        self._observed = ground.table["value"].to_numpy(float)
        self._parts = parts

    def _rows(self, column: NDArray[Any]) -> NDArray[Any]:
        return np.tile(column, self._scheme.repeats)

    def tables(self, own: Mapping[str, Float]) -> dict[str, pd.DataFrame]:
        """Return coverage, CRPS, its paired differences and PIT histograms of all distributions."""
        observed, groups = self._rows(self._observed), self._rows(self._scheme.groups)
        parts = {name: self._rows(labels) for name, labels in self._parts.items()}
        coverage, histograms, losses = [], [], {}
        for name, quantiles in own.items():
            flat = quantiles.reshape(-1, quantiles.shape[-1])
            ends = central_intervals(flat, self._ensemble.intervals)
            labels: dict[str, Any] = {"learner": name, "folds": self._scheme.name}
            is_own = name == self._ensemble.label
            coverage.append(
                coverage_table(observed, ends, groups, parts if is_own else None, **labels, **self._draws)
            )
            losses[name] = crps(flat, observed)
            if is_own or name not in variants_of(self._ensemble):
                histograms.append(
                    pit_histogram(pit(flat, observed, self._seed), groups, bins=10, **labels, **self._draws)
                )
        shaped = {name: each.reshape(self._scheme.repeats, -1) for name, each in losses.items()}
        return {
            "coverage": pd.concat(coverage, ignore_index=True),
            "crps": crps_table(losses, groups, None, folds=self._scheme.name, **self._draws),
            "paired": paired_crps(shaped, self._scheme, self._ensemble.label, **self._draws),
            "pit": pd.concat(histograms, ignore_index=True),
        }

    def conformal(self, quantiles: Float, comparison: Comparison) -> pd.DataFrame:
        """Return coverage and width of intervals that each fold's rows get from those of the others."""
        fold, first = self._scheme.numbers(0), quantiles[0]
        bins = self._parts.get("di_bin")
        predicted = comparison.raw[self._ensemble.label, self._scheme.name].values[0]
        labels: dict[str, Any] = {"learner": self._ensemble.label, "folds": self._scheme.name}
        stated = central_intervals(first, self._ensemble.intervals)
        whole = coverage_table(self._observed, stated, self._scheme.groups, **labels, **self._draws)
        frames = [whole.assign(method="stated")]
        for method in ("split", "cqr", "mondrian"):
            if method == "mondrian" and bins is None:
                continue
            ends = {
                level: calibrated_out_of_fold(
                    self._observed,
                    predicted if method == "split" else first,
                    fold,
                    method,
                    level,
                    bins=bins if method == "mondrian" else None,
                )
                for level in self._ensemble.intervals
            }
            told = coverage_table(self._observed, ends, self._scheme.groups, **labels, **self._draws)
            frames.append(told.assign(method=method))
        return pd.concat(frames, ignore_index=True)


def _plain(frame: pd.DataFrame) -> list[Plain]:
    return [
        {
            str(key): None if isinstance(value, float) and not np.isfinite(value) else value
            for key, value in row.items()
        }
        for row in frame.to_dict("records")
    ]
