"""Random fields over the sphere, one for each member, the same at a place in whatever block it lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv

from permagrid.errors import PermagridError
from permagrid.grid import chord
from permagrid.sums import Float32, add_rows

Float = NDArray[np.float64]

Model = Literal["exponential", "gaussian"]
Structure = tuple[float, float]
"""Share of the variance, and effective range [m], where 95 % of the correlation is gone."""

RADIUS = 6371008.8
"""Mean radius of the Earth [m]."""
_NEAR_3 = 3.0
"""exp(-3) is about 0.05."""
_SALT = 0x6669656C
_STEPS = np.array([0.8191725133961645, 0.6710436067037893, 0.5497004779019703])
"""Powers of 1 / g, where g**4 = g + 1: their multiples fill a cube evenly."""
_AT_A_TIME = 1024
_TOGETHER = 32
"""Places whose sums are added up side by side."""
_WAVES_AT_ONCE = 64
"""A multiple of eight, as many as are added in one pass."""


@dataclass(frozen=True, eq=False)
class CorrelatedField:
    """Standard normal fields with a stated spatial correlation, one for each member.

    A field is a sum of waves through space, seen on the sphere: there is no seam, and any cell has its value
    without the others (Rahimi and Recht 2007, Random features for large-scale kernel machines). Waves are
    shared by the members, which have amplitudes of their own; those are normal, so a field is normal with
    variance 1 exactly, and its correlation is the mean of the cosines of the waves. Wave numbers are not
    drawn but spread evenly over their distribution (Kronecker's sequence), with a start drawn by chance.
    """

    waves: Float
    """Wave numbers [1/m], turns along each axis, shape ``(waves, 3)``."""
    amplitudes: Float32
    """Of the cosine and then of the sine of each wave, shape ``(2 * waves, members)``."""
    structures: tuple[Structure, ...]
    model: Model
    nugget: float
    """Share of the variance that differs from cell to cell."""
    seed: int

    @classmethod
    def of(
        cls,
        structures: Sequence[Structure],
        nugget: float,
        *,
        members: int,
        seed: int,
        features: int = 512,
        model: Model = "exponential",
    ) -> "CorrelatedField":
        """Return the fields of some members.

        Parameters
        ----------
        structures
            Shares of the variance and their effective ranges [m]; none if all is nugget.
        nugget
            Share of the variance without spatial correlation; all shares add up to 1.
        members
            How many fields. Field m depends on the seed and m alone.
        seed
            Seed.
        features
            How many waves, dealt to the structures by their shares.
        model
            ``exponential``, correlation exp(-3 d / range), or ``gaussian``, exp(-3 (d / range)**2), with the
            straight distance d.

        Raises
        ------
        PermagridError
            If shares are below 0 or do not add up to 1, a range is not above 0, or there are fewer waves than
            structures.

        Examples
        --------
        >>> fields = CorrelatedField.of([(0.8, 500e3)], 0.2, members=3, seed=0)
        >>> fields.normal([179.9, -180.1], [70.0, 70.0], [5, 5]).shape
        (2, 3)
        """
        shares = [share for share, _ in structures]
        if min([nugget, *shares]) < 0.0 or abs(nugget + sum(shares) - 1.0) > 1e-9:
            raise PermagridError(
                f"field: shares are at least 0 and add up to 1, found nugget {nugget:g} and {shares}"
            )
        if any(not 0.0 < reach < np.inf for _, reach in structures):
            raise PermagridError(
                f"field: ranges must be above 0 m, found {[reach for _, reach in structures]}"
            )
        if members < 1 or features < len(structures):
            raise PermagridError(
                "field: at least one member, and at least one wave for each structure, are needed"
            )
        if model not in ("exponential", "gaussian"):
            raise PermagridError(f"field: model is exponential or gaussian, found {model!r}")
        kept = [(share, reach) for share, reach in structures if share > 0.0]
        waves, scales = _waves(kept, features, seed, model)
        amplitudes = np.empty((2 * len(waves), members), dtype=np.float32)
        for member in range(members):
            drawn = np.random.default_rng([_SALT, seed, 1, member]).standard_normal(2 * len(waves))
            amplitudes[:, member] = drawn * np.concatenate([scales, scales])
        return cls(waves, amplitudes, tuple(structures), model, float(nugget), int(seed))

    def normal(self, longitude: ArrayLike, latitude: ArrayLike, cells: ArrayLike) -> Float32:
        """Return values of all fields at places.

        Parameters
        ----------
        longitude, latitude
            Coordinates [degree], shape ``(n,)``.
        cells
            Numbers of the cells, which stand for them in what differs from cell to cell, shape ``(n,)``.

        Returns
        -------
        array
            Standard normal, shape ``(n, members)``. The same bits whatever other places are asked for, and
            in whatever order.
        """
        points = chord(np.asarray(longitude, dtype=float), np.asarray(latitude, dtype=float)) * RADIUS
        numbers = np.asarray(cells).astype(np.int64).astype(np.uint64)
        out = np.zeros((len(points), self.amplitudes.shape[1]), dtype=np.float32)
        for start in range(0, len(points), _AT_A_TIME):
            part = slice(start, start + _AT_A_TIME)
            _add_waves(points[part], self.waves, self.amplitudes, out[part])
            if self.nugget > 0.0:
                _add_noise(numbers[part], np.uint64(self.seed & (2**63 - 1)), self.nugget**0.5, out[part])
        return out

    def correlation(self, distance: ArrayLike) -> Float:
        """Return the stated correlation of cells a straight distance [m] apart; 1 of a cell with itself."""
        apart = np.asarray(distance, dtype=float)
        power = 1 if self.model == "exponential" else 2
        shared = [share * np.exp(-_NEAR_3 * (apart / reach) ** power) for share, reach in self.structures]
        return np.where(apart == 0.0, 1.0, np.sum([np.zeros_like(apart), *shared], axis=0))


def _waves(structures: Sequence[Structure], features: int, seed: int, model: Model) -> tuple[Float, Float]:
    """Return wave numbers, and the standard deviation of the amplitude of each."""
    waves, scales = [np.zeros((0, 3))], [np.zeros(0)]
    total = sum(share for share, _ in structures)
    for number, (share, reach) in enumerate(structures):
        count = max(1, round(features * share / total))
        start = np.random.default_rng([_SALT, seed, 0, number]).random(3)
        across, around, along = ((start + np.arange(1, count + 1)[:, np.newaxis] * _STEPS) % 1.0).T
        height, turn = 2.0 * across - 1.0, 2.0 * np.pi * around
        flat = np.sqrt(1.0 - height**2)
        directions = np.stack([flat * np.cos(turn), flat * np.sin(turn), height], axis=1)
        lengths = _lengths(np.clip(along, 1e-12, 1.0 - 1e-12), reach, model)
        waves.append(directions * lengths[:, np.newaxis] / (2.0 * np.pi))
        scales.append(np.full(count, np.sqrt(share / count)))
    return np.concatenate(waves), np.concatenate(scales)


def _lengths(levels: Float, reach: float, model: Model) -> Float:
    """Return quantiles of the length of wave vectors [radian/m], by the spectral density in space."""
    if model == "gaussian":
        # Three normal components with variance 6 / range**2.
        return np.asarray(np.sqrt(2.0 * gammaincinv(1.5, levels) * 2.0 * _NEAR_3) / reach)
    # Density r**2 / (1 + r**2)**2, whose integral is (atan r - r / (1 + r**2)) 2 / pi. With r = tan t,
    # Newton's method on 2 t - sin 2 t = pi level goes down from its start without overshooting.
    turns = np.full(len(levels), np.pi / 2.0)
    wanted = np.pi * levels
    for _ in range(200):
        slope = 2.0 - 2.0 * np.cos(2.0 * turns)
        step = (2.0 * turns - np.sin(2.0 * turns) - wanted) / np.maximum(slope, 1e-300)
        turns = np.clip(turns - step, 1e-9, np.pi / 2.0)
    return np.asarray(np.tan(turns) * _NEAR_3 / reach)


_TURN = np.float32(2.0 * np.pi)
_S3, _S5, _S7 = np.float32(-1.0 / 6.0), np.float32(1.0 / 120.0), np.float32(-1.0 / 5040.0)
_S9, _S11 = np.float32(1.0 / 362880.0), np.float32(-1.0 / 39916800.0)
_ONE, _QUARTER = np.float32(1.0), np.float32(0.25)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sine(turns: np.float32) -> np.float32:
    """Return the sine of at most a quarter of a turn to either side."""
    angle = turns * _TURN
    square = angle * angle
    return angle * (_ONE + square * (_S3 + square * (_S5 + square * (_S7 + square * (_S9 + square * _S11)))))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_waves(points: Float, waves: Float, amplitudes: Float32, out: Float32) -> None:
    count = len(waves)
    across, along, up = waves[:, 0].copy(), waves[:, 1].copy(), waves[:, 2].copy()
    told = np.empty((_TOGETHER, 2 * count), dtype=np.float32)
    places = np.arange(_WAVES_AT_ONCE)
    for first in range(0, len(points), _TOGETHER):
        some = min(_TOGETHER, len(points) - first)
        for row in range(some):
            x, y, z = points[first + row, 0], points[first + row, 1], points[first + row, 2]
            for wave in range(count):
                turns = x * across[wave] + y * along[wave] + z * up[wave]
                # What is left of whole turns is exact enough for single precision.
                left = np.float32(turns - np.rint(turns))
                size = abs(left)
                told[row, wave] = _sine(_QUARTER - size)
                told[row, count + wave] = np.copysign(_sine(_QUARTER - abs(size - _QUARTER)), left)
        # Amplitudes of some waves stay near while all these places need them.
        for start in range(0, 2 * count, _WAVES_AT_ONCE):
            stop = min(start + _WAVES_AT_ONCE, 2 * count)
            for row in range(some):
                add_rows(
                    out[first + row], told[row, start:stop], places, stop - start, amplitudes[start:stop]
                )


_GOLDEN, _OTHER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mixed(key: np.uint64) -> np.uint64:
    """Return a number all of whose bits depend on all those of another (Steele et al. 2014, SplitMix64)."""
    key = (key ^ (key >> np.uint64(30))) * _FIRST
    key = (key ^ (key >> np.uint64(27))) * _SECOND
    return key ^ (key >> np.uint64(31))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_noise(cells: NDArray[np.uint64], seed: np.uint64, size: float, out: Float32) -> None:
    members = out.shape[1]
    offset = np.empty(members)
    for row in range(len(out)):
        key = _mixed(_mixed(seed * _GOLDEN + _OTHER) + (cells[row] + np.uint64(1)) * _GOLDEN)
        for member in range(members):
            bits = _mixed(key + np.uint64(member + 1) * _OTHER)
            offset[member] = (np.float64(np.int64(bits >> np.uint64(11))) + 0.5) * 2.0**-53 - 0.5
        for member in range(members):
            out[row, member] += np.float32(size * _normal(offset[member]))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _normal(offset: float) -> float:
    """Return the normal quantile at 0.5 + offset, to 1e-7 (Wichura 1988, doi:10.2307/2347330, PPND7)."""
    if abs(offset) <= 0.425:
        r = 0.180625 - offset * offset
        above = ((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179
        below = ((67.18756360 * r + 78.757757664) * r + 17.895169469) * r + 1.0
        return offset * above / below
    r = np.sqrt(-np.log(0.5 - abs(offset)))
    if r <= 5.0:
        r -= 1.6
        above = ((0.17023821103 * r + 1.3067284816) * r + 2.75681539) * r + 1.4234372777
        found = above / ((0.12021132975 * r + 0.7370016425) * r + 1.0)
    else:
        r -= 5.0
        above = ((0.017337203997 * r + 0.42868294337) * r + 3.081226386) * r + 6.657905115
        found = above / ((0.012258202635 * r + 0.24197894225) * r + 1.0)
    return float(found if offset > 0.0 else -found)
