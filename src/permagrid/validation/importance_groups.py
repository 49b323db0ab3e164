"""Groups of covariates that say the same, so that their importance is told together."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from permagrid.errors import PermagridError

Float = NDArray[np.float64]


def correlated_groups(
    table: pd.DataFrame, covariates: Sequence[str], threshold: float = 0.8, *, classes: Sequence[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Return groups of covariates of which any two are associated at least as closely as a threshold.

    Parameters
    ----------
    table
        Rows with the covariates.
    covariates
        Their names.
    threshold
        Least association within a group, above 0 to 1: of quantities the absolute rank correlation of
        Spearman, of classes Cramér's V without its bias. A quantity and classes share no group.
    classes
        Covariates that hold classes.

    Returns
    -------
    dict
        Group -> members, in the order of the covariates. A group of one has its name, one of several that of
        the first member and the number of the others: ``bio1 + 3``.

    Raises
    ------
    PermagridError
        If the threshold is out of its range, or a covariate is not in the table.

    Notes
    -----
    Hierarchical clustering by complete linkage. Bias of V: Bergsma (2013), doi:10.1016/j.jkss.2012.10.002.
    A constant is associated with nothing.

    Examples
    --------
    >>> warm = np.arange(12.0)
    >>> rows = pd.DataFrame({"air": warm, "degree_days": warm**2, "slope": [3.0, 1, 2] * 4})
    >>> correlated_groups(rows, ["slope", "air", "degree_days"])
    {'slope': ('slope',), 'air + 1': ('air', 'degree_days')}
    """
    if not 0 < threshold <= 1:
        raise PermagridError(f"importance: the threshold of groups lies above 0 to 1, found {threshold}")
    missing = [name for name in covariates if name not in table]
    if missing:
        raise PermagridError(f"importance: the table has no covariate {missing[0]}")
    if len(covariates) < 2:
        return {name: (name,) for name in covariates}
    alike = associations(table, covariates, classes=classes)
    apart = squareform(1.0 - alike, checks=False)
    numbers = fcluster(linkage(apart, "complete"), 1.0 - threshold + 1e-9, "distance")
    members = [
        tuple(np.array(covariates, dtype=object)[numbers == number]) for number in dict.fromkeys(numbers)
    ]
    return {_called(names): names for names in members}


def _called(members: Sequence[str]) -> str:
    return members[0] if len(members) == 1 else f"{members[0]} + {len(members) - 1}"


def associations(table: pd.DataFrame, covariates: Sequence[str], *, classes: Sequence[str] = ()) -> Float:
    """Return how closely any two covariates are associated, 0 to 1, as `correlated_groups` does."""
    out = np.eye(len(covariates))
    kinds = np.array([name in classes for name in covariates])
    quantities = np.flatnonzero(~kinds)
    if len(quantities):
        ranks = table[[covariates[int(place)] for place in quantities]].rank()
        out[np.ix_(quantities, quantities)] = np.nan_to_num(ranks.corr().abs().to_numpy())
    for one in np.flatnonzero(kinds):
        for other in np.flatnonzero(kinds[:one]):
            pair = (table[covariates[int(place)]].to_numpy() for place in (one, other))
            out[one, other] = out[other, one] = _cramer(*pair)
    np.fill_diagonal(out, 1.0)
    return out


def _cramer(one: Float, other: Float) -> float:
    """Return Cramér's V without its bias, 0 where one of the two has a single class."""
    counts = pd.crosstab(one, other).to_numpy(float)
    n, (rows, columns) = counts.sum(), counts.shape
    if min(rows, columns) < 2:
        return 0.0
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / n
    square = float(((counts - expected) ** 2 / expected).sum()) / n
    corrected = max(0.0, square - (rows - 1) * (columns - 1) / (n - 1))
    most = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1.0
    return float(min(np.sqrt(corrected / most), 1.0)) if most > 0 else 0.0
