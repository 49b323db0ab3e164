"""The published rule of the area of applicability once more, by plain loops, and data sets to try it on."""

import math
import statistics
from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    """Training rows, new rows, importances, folds."""

    rows: np.ndarray
    new: np.ndarray
    weights: list[float]
    folds: list[int]
    classes: tuple[int, ...] = ()

    @property
    def names(self):
        return [f"c{k}" for k in range(self.rows.shape[1])]

    @property
    def pairs(self):
        number = np.array(self.folds)
        return [(np.flatnonzero(number != k), np.flatnonzero(number == k)) for k in sorted(set(self.folds))]


def cases() -> dict[str, Case]:
    random = np.random.default_rng(20)
    normal = random.normal

    def folds(n, k=5):
        return [int(x) for x in random.permutation(np.arange(n) % k)]

    plain = Case(
        normal(0, 1, (90, 4)) * [1, 50, 0.01, 3] + [0, -300, 7, 0],
        normal(0, 1.5, (60, 4)) * [1, 50, 0.01, 3] + [0, -300, 7, 0],
        [0.4, 3.0, 0.0, 1.1],
        folds(90),
    )
    centres = random.uniform(-10, 10, (8, 12))
    member = random.integers(0, 8, 150)
    clustered = Case(
        centres[member] + normal(0, 0.3, (150, 12)),
        centres[random.integers(0, 8, 70)] + normal(0, 2.0, (70, 12)),
        list(random.exponential(1.0, 12)),
        [int(k) for k in member],
    )
    constant = Case(
        np.column_stack([normal(0, 1, 40), np.full(40, 0.1), normal(5, 2, 40)]),
        np.column_stack([normal(0, 1, 30), normal(0.1, 1, 30), normal(5, 2, 30)]),
        [1.0, 5.0, 2.0],
        folds(40, 4),
    )
    site = normal(0, 1, (25, 3))
    repeated = Case(
        np.repeat(site, 4, axis=0),
        np.vstack([site[:10], normal(0, 1, (30, 3))]),
        [-0.2, 1.0, 0.5],
        [k // 10 for k in range(100)],
    )
    far = normal(0, 1, (61, 5))
    far[17] = 1e4
    outlier = Case(far, normal(0, 1, (40, 5)), [0.0] * 5, folds(61))
    mixed = np.column_stack(
        [normal(0, 1, (80, 3)), random.integers(1, 6, 80), random.choice([10, 20, 35], 80)]
    )
    unlike = np.column_stack(
        [normal(0, 2, (50, 3)), random.integers(1, 8, 50), random.choice([10, 20, 40], 50)]
    )
    with_classes = Case(mixed, unlike, [0.5, 2.0, 0.1, 1.3, 0.7], folds(80), (3, 4))
    only_classes = Case(mixed[:, 3:], unlike[:, 3:], [2.0, 1.0], folds(80), (0, 1))
    wide = Case(normal(0, 1, (37, 45)), normal(0, 1, (20, 45)), list(random.uniform(0, 1, 45)), folds(37))
    return {
        "plain": plain,
        "clustered": clustered,
        "constant": constant,
        "repeated": repeated,
        "outlier": outlier,
        "classes": with_classes,
        "only_classes": only_classes,
        "wide": wide,
    }


def usable(case: Case) -> list[float]:
    """Return the weights: none below 0, none of a constant, all alike if none is left."""
    varies = [len({float(v) for v in column}) > 1 for column in case.rows.T]
    weights = [max(0.0, w) if v else 0.0 for w, v in zip(case.weights, varies, strict=True)]
    return weights if sum(weights) > 0 else [1.0 if v else 0.0 for v in varies]


def euclidean(case: Case):
    """Return the distance of two rows: dummy variables, training mean and standard deviation, weights."""
    parts = []
    for k, weight in enumerate(usable(case)):
        if weight == 0:
            continue
        column = [float(v) for v in case.rows[:, k]]
        if k not in case.classes:
            parts.append((k, None, statistics.fmean(column), statistics.stdev(column), weight))
            continue
        for code in sorted(set(column)):
            dummy = [1.0 if v == code else 0.0 for v in column]
            parts.append((k, code, statistics.fmean(dummy), statistics.stdev(dummy), weight))

    def place(row):
        values = [(float(row[k]) if code is None else float(row[k] == code)) for k, code, *_ in parts]
        return [(v - mean) / sd * w for v, (_, _, mean, sd, w) in zip(values, parts, strict=True)]

    return lambda one, other: math.dist(place(one), place(other))


def gower(case: Case):
    """Return Gower's distance of two rows: by the range of the training rows, 0 or 1 for classes."""
    weights = usable(case)
    spans = [max(column) - min(column) for column in case.rows.T.tolist()]

    def distance(one, other):
        total = 0.0
        for k, weight in enumerate(weights):
            if weight == 0:
                continue
            unlike = float(one[k] != other[k]) if k in case.classes else abs(one[k] - other[k]) / spans[k]
            total += weight * unlike
        return total / sum(weights)

    return distance


class ByHand(NamedTuple):
    mean: float
    threshold: float
    training_di: list[float]
    training_density: list[int]
    di: list[float]
    density: list[int]


def by_hand(case: Case, distance) -> ByHand:
    """Return the whole rule, pair by pair."""
    rows = case.rows.tolist()
    n = len(rows)
    pairwise = [[distance(rows[i], rows[j]) for j in range(n)] for i in range(n)]
    mean = statistics.fmean(statistics.fmean(pairwise[i][j] for j in range(n) if j != i) for i in range(n))
    others = [[pairwise[i][j] / mean for j in range(n) if case.folds[j] != case.folds[i]] for i in range(n)]
    training_di = [min(found) for found in others]
    threshold = min(type_seven(training_di, 0.75) + 1.5 * spread(training_di), max(training_di))
    new = [[distance(row, known) / mean for known in rows] for row in case.new.tolist()]
    return ByHand(
        mean,
        threshold,
        training_di,
        [sum(d < threshold for d in found) for found in others],
        [min(found) for found in new],
        [sum(d < threshold for d in found) for found in new],
    )


def spread(values: list[float]) -> float:
    return type_seven(values, 0.75) - type_seven(values, 0.25)


def type_seven(values: list[float], share: float) -> float:
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
