"""Dissimilarity and point density of a million cells against scikit-learn, scipy's tree and plain numpy.

All on one thread, by the processor time of that thread, in one run. Ours reads covariates and gives both
layers; the others are handed points that are scaled and weighted already. Two maps: one as maps are, smooth,
with covariates that go together and an importance that falls off; and the hardest, noise in covariates that
know nothing of each other and are all as important, in which no tree helps.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from permagrid.prediction.applicability import Applicability, fit_applicability

Float = NDArray[np.float64]
ROWS_AT_A_TIME = 32768
ROWS_OF_NUMPY = 1024


class Timed(NamedTuple):
    """What a peer found, and how many cells it does in a second."""

    values: Float
    rate: float


def smooth_map(side: int, covariates: int, random: np.random.Generator) -> Float:
    """Return cells of a map, in order of rows: six patterns, of which each covariate is a mixture."""

    def field(reach: float) -> Float:
        values = gaussian_filter(random.normal(0, 1, (side, side)), reach, mode="wrap")
        return np.asarray(values / values.std()).ravel()

    patterns = np.stack([field(reach) for reach in (80, 40, 20, 10, 5, 3)], axis=1)
    shares = random.normal(0, 1, (6, covariates))
    return np.stack([patterns @ shares[:, k] + 0.5 * field(2) for k in range(covariates)], axis=1)


def timed(work: Callable[[Float], Float], cells: Float, at_a_time: int = ROWS_AT_A_TIME) -> Timed:
    work(cells[:64])
    start = time.thread_time()
    parts = [work(part) for part in pieces(cells, at_a_time)]
    return Timed(np.concatenate(parts), len(cells) / (time.thread_time() - start))


def pieces(cells: Float, at_a_time: int) -> Iterator[Float]:
    for start in range(0, len(cells), at_a_time):
        yield cells[start : start + at_a_time]


def by_numpy(train: Float, reach: float) -> Callable[[Float], Float]:
    """Return nearest distance and count of near rows by one matrix product."""
    squares = np.square(train).sum(axis=1)

    def work(points: Float) -> Float:
        totals = np.square(points).sum(axis=1)[:, np.newaxis] + squares - 2.0 * points @ train.T
        distances = np.sqrt(np.maximum(totals, 0.0))
        return np.stack([distances.min(axis=1), (distances < reach).sum(axis=1)], axis=1)

    return work


def compare(name: str, fitted: Applicability, train: Float, cells: Float, few: int) -> None:
    points, known = fitted._space.place(cells)[0], fitted._space.place(train)[0]
    reach = float(np.nextafter(fitted.threshold * fitted.mean_distance, 0.0))
    ours = timed(lambda rows: np.stack(fitted.neighbours(rows), axis=1), cells)
    brute = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(known)
    tree = cKDTree(known)

    def within(rows: Float) -> Float:
        found = brute.radius_neighbors(rows, reach, return_distance=False)
        return np.array([len(each) for each in found], dtype=float)

    peers = {
        "scikit-learn brute, nearest": (timed(lambda p: brute.kneighbors(p)[0][:, 0], points), 0),
        "scipy cKDTree, nearest": (timed(lambda p: tree.query(p)[0], points[:few]), 0),
        "numpy, nearest and near": (timed(by_numpy(known, reach), points[:few], ROWS_OF_NUMPY), None),
        "scikit-learn brute, near": (timed(within, points[:few], 4096), 1),
        "scipy cKDTree, near": (
            timed(lambda p: tree.query_ball_point(p, reach, return_length=True).astype(float), points[:few]),
            1,
        ),
    }
    inside, near = (ours.values[:, 0] <= fitted.threshold).mean(), ours.values[:, 1].mean()
    print(f"{name}: {inside:.0%} inside, {near:.0f} near rows a cell")
    print(f"  {'ours, nearest and near':30}{ours.rate:>12,.0f} cells/s")
    for peer, (found, column) in peers.items():
        same = ours.values[: len(found.values)]
        theirs = found.values.reshape(len(same), -1).copy()
        if column != 1:
            theirs[:, 0] /= fitted.mean_distance
        apart = np.abs(theirs - (same if column is None else same[:, [column]])).max(axis=0)
        print(
            f"  {peer:30}{found.rate:>12,.0f} cells/s, ours {ours.rate / found.rate:5.1f} x; "
            f"apart {', '.join(f'{value:.1e}' for value in apart)}"
        )
    for peer in ("scikit-learn brute", "scipy cKDTree"):
        both = sum(1.0 / peers[f"{peer}, {what}"][0].rate for what in ("nearest", "near"))
        print(f"  both layers by {peer}: {1.0 / both:,.0f} cells/s, ours {ours.rate * both:.1f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=1_000_000, help="cells of a map")
    parser.add_argument("--few", type=int, default=50_000, help="cells for the slower peers")
    parser.add_argument("--rows", type=int, default=1400, help="training rows")
    parser.add_argument("--covariates", type=int, default=30)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    side = round(options.cells**0.5)
    names = [f"c{k}" for k in range(options.covariates)]
    shape = (
        f"{side * side:,} cells, {options.rows} training rows, {options.covariates} covariates, one thread"
    )
    print(f"{shape}; slower peers on {options.few:,} cells")
    maps = {
        "as maps are": (
            smooth_map(side, options.covariates, random),
            np.exp(-np.arange(options.covariates) / 6),
        ),
        "hardest": (random.normal(0, 1, (side * side, options.covariates)), None),
    }
    number = np.arange(options.rows) % 10
    pairs = [(np.flatnonzero(number != k), np.flatnonzero(number == k)) for k in range(10)]
    with threadpool_limits(1):
        for name, (cells, weights) in maps.items():
            train = cells[random.choice(len(cells), options.rows, replace=False)]
            train = train + random.normal(0, 0.05, train.shape)
            start = time.thread_time()
            fitted = fit_applicability(train, weights, pairs, covariates=names)
            print(f"fitted in {time.thread_time() - start:.2f} s")
            compare(name, fitted, train, cells, options.few)


if __name__ == "__main__":
    main()
