"""Bayesian model averaging with copulas: what learners' ranks tell of the observation's rank."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from permagrid.ensemble.copula_fit import goodness_of_fit
from permagrid.ensemble.copula_member import CopulaMember, Ranks
from permagrid.ensemble.copula_ties import drawn_ranks, fit_tied_copula
from permagrid.ensemble.copulas import FAMILIES, Copula, Family
from permagrid.ensemble.marginals import Marginal, NormalMarginal, distribution_of
from permagrid.ensemble.mixture import (
    Rows,
    blend,
    bounds_of,
    checked_levels,
    checked_predictions,
    checked_rows,
    checked_y,
    kept_nan,
    named,
    plain_number,
    root,
)
from permagrid.ensemble.tables import MixtureTables, Sheet
from permagrid.ensemble.weights import em_weights
from permagrid.errors import PermagridError
from permagrid.grid import Float

_INSIDE = 1e-12
"""Ranks nearer to 0 or 1 are taken for this one."""
_REACH = 7.0
"""Normal score of the outermost ranks of an observation that are told apart."""
_TABLE_REACH = 5.5


@dataclass(frozen=True, eq=False)
class CopulaMixture:
    """A mixture whose members join the rank of an observation to that of a learner's prediction.

    Notes
    -----
    COP-BMA of Madadgar and Moradkhani (2014), doi:10.1002/2014WR015965: with F the distribution of
    observations and F_k that of learner k's predictions, member k has the density c_k(F(y), F_k(f_k)) f(y)
    and the distribution h_k(F(y) | F_k(f_k)), the conditional distribution of its copula. It needs no
    correction of bias and takes the bounds and point masses of F. Where learner k itself gives one value to
    many rows, its member is the mean over the ranks that they share.
    """

    weights: Float
    """Shape ``(K,)``, sum 1."""
    members: tuple[CopulaMember, ...]
    marginal: Marginal | NormalMarginal
    """Of the observations."""
    lower: float = -np.inf
    upper: float = np.inf

    @property
    def copulas(self) -> tuple[Copula, ...]:
        """The copula of each learner."""
        return tuple(member.copula for member in self.members)

    def alone(self, place: int) -> "CopulaMixture":
        """Return the distribution that one learner gives by itself."""
        return CopulaMixture(np.ones(1), (self.members[place],), self.marginal, self.lower, self.upper)

    def mean(self, predictions: ArrayLike) -> Float:
        """Return the mean of the distribution, shape ``(n,)``."""
        ranks = self._ranks(predictions)
        u, widths, highest = self._nodes
        columns = [
            highest - member.area(u, widths, of) if weight > 0.0 else of.at
            for weight, member, of in zip(self.weights, self.members, ranks, strict=True)
        ]
        return blend(self.weights, columns)

    def cdf(self, predictions: ArrayLike, y: ArrayLike) -> Float:
        """Return the probability of `y` or less, `y` being one number or one of each row."""
        ranks = self._ranks(predictions)
        return self._below(self._rank(checked_y(y, len(ranks[0].at))), ranks)

    def cdf_below(self, predictions: ArrayLike, y: ArrayLike) -> Float:
        """Return the probability of less than `y`: as `cdf`, but without the mass at `y` itself."""
        ranks = self._ranks(predictions)
        return self._below(self._rank_below(checked_y(y, len(ranks[0].at))), ranks)

    def quantiles(self, predictions: ArrayLike, levels: ArrayLike) -> Float:
        """Return quantiles at levels, shape ``(n, L)``."""
        ranks = self._ranks(predictions)
        asked = np.atleast_1d(checked_levels(levels))
        return np.stack([self._quantile(ranks, np.full(len(ranks[0].at), level)) for level in asked], axis=1)

    def quantile_at(self, predictions: ArrayLike, u: ArrayLike) -> Float:
        """Return for each row the quantile at a level of its own, shape ``(n,)``."""
        ranks = self._ranks(predictions)
        return self._quantile(ranks, checked_levels(u, (len(ranks[0].at),)))

    def log_density(self, predictions: ArrayLike, y: ArrayLike) -> Float:
        """Return the log density of `y`; where `y` has a mass, the log of the mass."""
        ranks = self._ranks(predictions)
        values = checked_y(y, len(ranks[0].at))
        each = [self._relative(member, of, values) for member, of in zip(self.members, ranks, strict=True)]
        outside = (values < self.lower) | (values > self.upper)
        height = np.where(self._mass(values) > 0.0, 1.0, self.marginal.pdf(values))
        with np.errstate(divide="ignore"):
            found = np.log(blend(self.weights, each)) + np.log(height)
        return kept_nan(found, np.where(outside, -np.inf, found))

    def component_densities(self, predictions: ArrayLike, y: ArrayLike) -> Float:
        """Return the density of `y` under each learner by that of its marginal, shape ``(n, K)``."""
        ranks = self._ranks(predictions)
        values = checked_y(y, len(ranks[0].at))
        each = [self._relative(member, of, values) for member, of in zip(self.members, ranks, strict=True)]
        return np.stack(each, axis=1)

    def describe(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """Return what a report tells of the mixture, as plain values."""
        return {
            "method": "copula",
            "lower": plain_number(self.lower),
            "upper": plain_number(self.upper),
            "atom_lower": float(self.marginal.atom_lower),
            "atom_upper": float(self.marginal.atom_upper),
            "learners": [
                {
                    "name": name,
                    "weight": float(self.weights[k]),
                    "family": member.copula.family,
                    "rotation": member.copula.rotation,
                    "parameters": [float(value) for value in member.copula.parameters],
                    "tau": float(member.copula.tau),
                    "correction_kept": float(member.kept),
                    "log_likelihood": plain_number(member.loglik),
                    "aic": plain_number(member.aic),
                }
                for k, (name, member) in enumerate(
                    zip(named(names, len(self.members)), self.members, strict=True)
                )
            ],
        }

    def goodness(
        self, predictions: ArrayLike, observed: ArrayLike, *, draws: int = 200, seed: int = 0
    ) -> list[float]:
        """Return of each learner how often chance alone would set pairs of its copula as far from it.

        Parameters
        ----------
        predictions, observed
            The rows that the mixture was fitted to.
        draws, seed
            Size and seed of the parametric bootstrap.

        Notes
        -----
        Cramér and von Mises's distance; Genest, Rémillard and Beaudoin (2009),
        doi:10.1016/j.insmatheco.2007.10.005.
        """
        rows = checked_rows(predictions, observed, lower=self.lower, upper=self.upper)
        found = []
        for k, (member, column) in enumerate(zip(self.members, rows.predictions.T, strict=True)):
            pairs = drawn_ranks(
                member.copula,
                (self.marginal, rows.observed),
                (member.marginal, column),
                edge=member.edge,
                seed=seed + 2 * k,
            )
            found.append(goodness_of_fit(member.copula, *pairs, draws=draws, seed=seed))
        return found

    def tables(self, size: int = 512) -> MixtureTables:
        """Return look-up tables of `size` predictions and `size` values of each learner."""
        y = self._table_values(size)
        u = self._rank(y)
        # What the last column lacks of 1 is the mass at the upper bound.
        u[-1] = self._rank_below(y[-1:])[0] if y[-1] == self.upper else u[-1]
        sheets = []
        for member in self.members:
            rows = member.rows(u, size)
            sheets.append(Sheet(rows.at, rows.below, rows.lowest, rows.highest))
        return MixtureTables.of_sheets(sheets, y, self.weights, lower=self.lower, upper=self.upper)

    def plain(self) -> dict[str, Any]:
        """Return the mixture as numbers, texts, lists and mappings."""
        return {
            "method": "copula",
            "weights": self.weights.tolist(),
            "members": [member.plain() for member in self.members],
            "marginal": self.marginal.plain(),
            "lower": plain_number(self.lower),
            "upper": plain_number(self.upper),
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "CopulaMixture":
        """Return the mixture that `plain` wrote."""
        lower, upper = bounds_of(plain)
        members = tuple(CopulaMember.of(member) for member in plain["members"])
        return cls(
            np.array(plain["weights"], dtype=float), members, distribution_of(plain["marginal"]), lower, upper
        )

    def _ranks(self, predictions: ArrayLike) -> list[Ranks]:
        columns = checked_predictions(predictions, len(self.members)).T
        return [member.ranks(column) for member, column in zip(self.members, columns, strict=True)]

    def _rank(self, y: Float) -> Float:
        found = np.where(y < self.lower, 0.0, self.marginal.cdf(y))
        return np.where(y >= self.upper, 1.0, found)

    def _rank_below(self, y: Float) -> Float:
        found = np.where(y <= self.lower, 0.0, self.marginal.cdf_below(y))
        return np.where(y > self.upper, 1.0, found)

    def _mass(self, y: Float) -> Float:
        at_bound = (y == self.lower) | (y == self.upper)
        return np.asarray(np.where(at_bound, self._rank(y) - self._rank_below(y), 0.0))

    def _below(self, u: Float, ranks: Sequence[Ranks]) -> Float:
        each = [member.below(u, of) for member, of in zip(self.members, ranks, strict=True)]
        # Weights may sum to a hair above 1.
        return np.minimum(blend(self.weights, each), 1.0)

    def _relative(self, member: CopulaMember, ranks: Ranks, y: Float) -> Float:
        """Return the density of y under a member by that under the marginal; at a point mass, its mass."""
        mass = self._mass(y) > 0.0
        upper = self._rank(y)
        found = member.density(np.clip(upper, _INSIDE, 1.0 - _INSIDE), ranks)
        if mass.any():
            at_point = member.below(upper, ranks) - member.below(self._rank_below(y), ranks)
            found = np.where(mass, np.maximum(at_point, 0.0), found)
        return found

    def _quantile(self, ranks: Sequence[Ranks], levels: Float) -> Float:
        def rising(score: Float, index: Any) -> Float:
            part = [_taken(of, index) for of in ranks]
            return np.asarray(self._below(ndtr(score), part) - levels[index])

        missing = np.isnan(blend(self.weights, [of.at for of in ranks]))
        start = np.where(missing, np.nan, -_REACH)
        score = root(rising, start, np.where(missing, np.nan, _REACH))
        inside = np.clip(self.marginal.ppf(ndtr(score)), self.lower, self.upper)
        ends = [np.full(len(levels), bound) for bound in (self.lower, self.upper)]
        low = (levels <= self._below(self._rank(ends[0]), ranks)) | (levels == 0.0)
        high = (levels > self._below(self._rank_below(ends[1]), ranks)) | (levels == 1.0)
        return kept_nan(start, np.where(low, self.lower, np.where(high, self.upper, inside)))

    @cached_property
    def _nodes(self) -> tuple[Float, Float, float]:
        """Ranks of values, widths by which the distribution there is summed, and the highest value."""
        knots = self._values(96, 96, _REACH)
        node, share = np.polynomial.legendre.leggauss(4)
        half = 0.5 * np.diff(knots)
        y = (knots[:-1, None] + half[:, None] * (1.0 + node)).ravel()
        widths = (half[:, None] * share).ravel()
        return self._rank(y), widths, float(knots[-1])

    def _table_values(self, size: int) -> Float:
        even = size // 8
        values = self._values(size - even, even, _TABLE_REACH)
        # Where two values fell together, the widest gaps are halved until there are as many as asked for.
        while len(values) < size:
            widest = np.argmax(np.diff(values))
            values = np.insert(values, widest + 1, 0.5 * (values[widest] + values[widest + 1]))
        return values

    def _values(self, by_rank: int, even: int, reach: float) -> Float:
        """Return rising values, some even in normal scores of their rank and some in themselves."""
        scored = np.asarray(self.marginal.ppf(ndtr(np.linspace(-reach, reach, by_rank))), dtype=float)
        scored = np.clip(scored, self.lower, self.upper)
        low = self.lower if np.isfinite(self.lower) else float(scored.min())
        high = self.upper if np.isfinite(self.upper) else float(scored.max())
        return np.unique(np.concatenate([scored, np.linspace(low, high, even)]))


def fit_copula_mixture(
    predictions: ArrayLike,
    observed: ArrayLike,
    *,
    lower: float = -np.inf,
    upper: float = np.inf,
    families: Sequence[Family] = FAMILIES,
    row_weights: ArrayLike | None = None,
    seed: int = 0,
    marginal: Literal["smoothed", "normal"] = "smoothed",
) -> CopulaMixture:
    """Return the mixture of copulas that out-of-fold predictions and observed values give.

    Parameters
    ----------
    predictions
        Out-of-fold predictions, shape ``(n, K)``: never those of rows that a learner was trained with.
    observed
        Shape ``(n,)``.
    lower, upper
        Bounds of the quantity.
    families
        Copulas that are tried for each learner; the best by AIC is taken.
    row_weights
        How often each row counts, shape ``(n,)``; once if left out.
    seed
        Of the ranks drawn within point masses, see `permagrid.ensemble.copula_ties`.
    marginal
        ``smoothed``, or ``normal``: with a Gaussian copula the plain mixture of normal distributions.

    Raises
    ------
    PermagridError
        If the rows are not fit to be learned from, see `permagrid.ensemble.mixture.checked_rows`, or there
        is no such marginal.

    Examples
    --------
    >>> observed = np.linspace(1.0, 60.0, 40)
    >>> predictions = np.stack([observed + 5.0 * np.sin(7.0 * observed)], axis=1)
    >>> mixture = fit_copula_mixture(predictions, observed, lower=0.0, upper=100.0)
    >>> low, high = mixture.quantiles([[30.0]], [0.05, 0.95])[0]
    >>> bool(15.0 < low < 30.0 < high < 45.0)
    True
    """
    if marginal not in ("smoothed", "normal"):
        raise PermagridError(f"marginal {marginal!r} is neither smoothed nor normal")
    rows = checked_rows(predictions, observed, lower=lower, upper=upper, row_weights=row_weights)
    of_observed = (
        _normal(rows.observed, rows.weights)
        if marginal == "normal"
        else Marginal.fit(rows.observed, lower=lower, upper=upper, weights=rows.weights)
    )
    members = tuple(
        _member(column, of_observed, rows, seed + 2 * k, (lower, upper), families)
        for k, column in enumerate(rows.predictions.T)
    )
    equal = CopulaMixture(np.full(len(members), 1.0 / len(members)), members, of_observed, lower, upper)
    densities = [
        equal._relative(member, member.ranks(column), rows.observed)
        for member, column in zip(members, rows.predictions.T, strict=True)
    ]
    weights = em_weights(np.stack(densities, axis=1), row_weights=rows.weights)
    return CopulaMixture(weights, members, of_observed, lower, upper)


def _member(
    column: Float,
    of_observed: Marginal | NormalMarginal,
    rows: Rows,
    seed: int,
    bounds: tuple[float, float],
    families: Sequence[Family],
) -> CopulaMember:
    if np.ptp(column) <= 1e-8 * (1.0 + np.abs(column).max()):
        # A learner that always says the same: its ranks tell nothing.
        return CopulaMember(Copula("independence"), NormalMarginal(float(column[0]), 1.0), _INSIDE, 0.0, 0.0)
    if isinstance(of_observed, NormalMarginal):
        of_column: Marginal | NormalMarginal = _normal(column, rows.weights)
        edge = _INSIDE
    else:
        # A learner that passes a bound has a distribution that does.
        lower = bounds[0] if column.min() >= bounds[0] else -np.inf
        upper = bounds[1] if column.max() <= bounds[1] else np.inf
        if len(np.unique(column[(column > lower) & (column < upper)])) < 2:
            # One value beside a bound is told from it by its rank alone.
            lower, upper = -np.inf, np.inf
        of_column = Marginal.fit(column, lower=lower, upper=upper, weights=rows.weights)
        edge = 0.5 / (len(column) + 1.0)
    fitted = fit_tied_copula(
        (of_observed, rows.observed),
        (of_column, column),
        families=families,
        weights=rows.weights,
        edge=edge,
        seed=seed,
    )
    return CopulaMember(fitted.copula, of_column, edge, float(fitted.loglik), float(fitted.aic))


def _normal(values: Float, weights: Float) -> NormalMarginal:
    by = weights / weights.sum()
    middle = float((by * values).sum())
    return NormalMarginal(middle, float(np.sqrt((by * (values - middle) ** 2).sum())))


def _taken(ranks: Ranks, index: Any) -> Ranks:
    """Return the ranks of some rows."""
    if len(ranks.tied) == 0:
        return Ranks(ranks.at[index], ranks.tied, ranks.low, ranks.high)
    place = np.full(len(ranks.at), -1)
    place[ranks.tied] = np.arange(len(ranks.tied))
    of = place[index]
    tied = np.flatnonzero(of >= 0)
    return Ranks(ranks.at[index], tied, ranks.low[of[tied]], ranks.high[of[tied]])
