"""Step: what stands beside the scores, as plain values: what learners chose, who is better, and by what."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from permagrid.audit import Finding
from permagrid.steps.applicability import LAYERS, Belief
from permagrid.steps.layers import Map
from permagrid.steps.scores import Ground
from permagrid.study import Study
from permagrid.validation import Candidate, Comparison
from permagrid.validation.map_error import map_error
from permagrid.validation.paired import paired_differences

Plain = dict[str, Any]

_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_CORNERS = 25
"""Points of the curve of expected errors."""


def quote_record(study: Study, ground: Ground, comparison: Comparison, folds: str) -> Plain:
    """Return which score is to be quoted for the map, by which rule, and between what the map's error is.

    For classes there is no such interval beside that of the score, nor is there without a map.
    """
    learner = study.products.learner
    if ground.domain is None:
        return {
            "learner": learner,
            "folds": folds,
            "wasserstein_km": None,
            "rule": "first of the fold schemes that hold whole sites out and test each, as there is no map",
        }
    record: Plain = {
        "learner": learner,
        "folds": folds,
        "wasserstein_km": comparison.distances[folds].wasserstein / 1000.0,
        "rule": "smallest W among fold schemes that hold whole sites out and test each",
    }
    if study.target.kind == "value":
        scheme = next(scheme for scheme in comparison.folds if scheme.name == folds)
        found = map_error(ground.table, comparison.raw[learner, folds].values, scheme, ground.domain)
        record["rmse_interval"] = [_number(found.low), _number(found.high)]
        record["rmse_spread"] = {"of_sites": _number(found.of_sites), "of_map": _number(found.of_map)}
    return record


def paired_list(study: Study, ground: Ground, comparison: Comparison) -> list[Plain]:
    """Return how each learner differs from that of the map on the same folds, as plain values."""
    if len(study.learners) < 2:
        return []
    observed = ground.table["value"].to_numpy(float)
    table = paired_differences(
        observed,
        comparison.raw,
        comparison.folds,
        study.products.learner,
        classes=np.unique(observed) if study.target.kind == "class" else None,
        draws=study.validation.bootstrap,
        seed=study.seed,
    )
    return [
        {
            **{key: row[key] for key in ("learner", "reference", "folds", "metric")},
            **{key: _number(row[key]) for key in ("score", "reference_score", "difference", "p", "p_holm")},
            "difference_interval": [_number(row["difference_low"]), _number(row["difference_high"])],
            "reason": row["note"],
        }
        for row in table.to_dict("records")
    ]


def applicability_record(ground: Ground, belief: Belief | None, maps: Sequence[Map]) -> Plain | None:
    """Return where the map may be believed, as plain values; shares are of area, if there is a map."""
    if belief is None:
        return None
    area, error = belief.area, belief.error
    di = area.training.di[np.isfinite(area.training.di)]
    at = np.linspace(float(error.knots[0]), float(error.reach), _CORNERS)
    return {
        "folds": belief.folds,
        "distance": area.distance,
        "threshold": area.threshold,
        "mean_distance": area.mean_distance,
        "covariates": dict(zip(area.covariates, area.weights.tolist(), strict=True)),
        "constant": list(area.constant),
        "n_training": len(area.training.di),
        "inside_share": {} if ground.domain is None else _inside_share(belief, ground.domain),
        "training_di": dict(zip(map(str, _QUANTILES), np.quantile(di, _QUANTILES).tolist(), strict=True)),
        "error_name": error.measure,
        "error_model": [
            {"di": float(x), "error": float(y)} for x, y in zip(at, error.expected_error(at), strict=True)
        ],
        "products": [made.path.name for made in maps if made.variable in LAYERS],
    }


def _inside_share(belief: Belief, points: pd.DataFrame) -> dict[str, float]:
    """Return the share of the map inside the area of applicability, of all epochs and of each."""
    inside = pd.Series(belief.area.inside(points[list(belief.area.covariates)].to_numpy(float)), dtype=float)
    shares = {"all": float(inside.mean())}
    if "epoch" in points:
        epochs = points["epoch"].astype(str).reset_index(drop=True)
        shares |= {str(name): float(share) for name, share in inside.groupby(epochs).mean().items()}
    return shares


def audit_list(findings: Sequence[Finding]) -> list[Plain]:
    """Return the findings of the audit as plain values, the worst first."""
    return [dict(finding.as_dict()) for finding in findings]


def importance_list(worth: pd.DataFrame) -> list[Plain]:
    """Return what covariates are worth to the learner of the map, as plain values."""
    return [
        {
            **{key: row[key] for key in ("covariate", "method", "by", "folds", "unit_text")},
            "members": str(row["members"]).split(", "),
            "importance": _number(row["importance"]),
            "interval": None if pd.isna(row["low"]) else [_number(row["low"]), _number(row["high"])],
            "rank": int(row["rank"]),
        }
        for row in worth.to_dict("records")
    ]


def choice_list(comparison: Comparison, learner: str, final: Candidate) -> list[Plain]:
    """Return what each learner chose and in which share of the folds, as plain values.

    Parameters
    ----------
    comparison
        The comparison.
    learner, final
        The learner of the map, and what it chose from all rows.

    Returns
    -------
    list of dict
        One entry per learner that chooses and fold scheme: ``keywords`` with ``keyword``, ``value`` and
        ``share``, ``covariates`` with ``name`` and ``share``, ``untried`` with ``reason`` and ``n_folds``,
        folds in which nothing could be tried, and ``final`` for the learner of the map. Folds whose training
        rows are all of one class, where no learner is fitted, are not counted.
    """
    listed = []
    for (name, folds), found in comparison.raw.items():
        told = [choice for choice in found.choices if choice["covariates"]]
        if not told:
            continue
        entry: Plain = {"learner": name, "folds": folds, "n_folds": len(told)}
        entry["keywords"] = _keywords(told)
        entry["covariates"] = _covariates(told)
        entry["untried"] = _untried(told)
        entry["final"] = (
            {"keywords": dict(final.keywords), "covariates": list(final.covariates)}
            if name == learner
            else None
        )
        listed.append(entry)
    return listed


def _keywords(told: Sequence[Mapping[str, Any]]) -> list[Plain]:
    """Return the values of keywords with their shares; mappings count as the same in any order of keys."""
    counts: Counter[tuple[str, str]] = Counter()
    as_told: dict[str, Any] = {}
    for choice in told:
        for keyword, value in choice["keywords"].items():
            same = json.dumps(value, sort_keys=True)
            counts[keyword, same] += 1
            as_told.setdefault(same, json.loads(json.dumps(value)))
    return [
        {"keyword": keyword, "value": as_told[same], "share": count / len(told)}
        for (keyword, same), count in sorted(counts.items(), key=lambda item: (item[0][0], -item[1]))
    ]


def _covariates(told: Sequence[Mapping[str, Any]]) -> list[Plain]:
    counts = Counter(name for choice in told for name in choice["covariates"])
    return [{"name": name, "share": count / len(told)} for name, count in counts.most_common()]


def _untried(told: Sequence[Mapping[str, Any]]) -> list[Plain]:
    counts = Counter(choice["untried"] for choice in told if choice.get("untried"))
    return [{"reason": reason, "n_folds": count} for reason, count in counts.most_common()]


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
