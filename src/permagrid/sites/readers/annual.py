"""Annual means from daily or monthly readings, where a year is complete enough."""

from collections.abc import Sequence

import pandas as pd


def annual_means(readings: pd.DataFrame, keys: Sequence[str], *, minimum: int) -> pd.DataFrame:
    """Return one row for each group and sensor with at least `minimum` readings.

    Parameters
    ----------
    readings
        The columns named in `keys`, and one column of numbers for each sensor; the index is the row in
        the file.
    keys
        What makes a group, such as station and year.
    minimum
        Fewest readings for a mean. A year with a long gap in one season has no mean worth the name.

    Returns
    -------
    pandas.DataFrame
        The keys, ``sensor``, ``value`` (the mean), ``n_observations`` and ``row`` (the first row of the
        group).

    Examples
    --------
    >>> daily = pd.DataFrame({"year": [2001, 2001, 2002], "10cm": [1.0, 3.0, 5.0]}, index=[2, 3, 4])
    >>> annual_means(daily, ["year"], minimum=2)[["year", "sensor", "value", "row"]].values.tolist()
    [[2001, '10cm', 2.0, 2]]
    """
    names = list(keys)
    grouped = readings.groupby(names, sort=True)
    rows = pd.Series(readings.index, index=readings.index, name="row")
    first = rows.groupby([readings[name] for name in names], sort=True).first().reset_index()
    means = grouped.mean().reset_index().melt(id_vars=names, var_name="sensor", value_name="value")
    counts = grouped.count().reset_index().melt(id_vars=names, var_name="sensor", value_name="n_observations")
    annual = means.assign(n_observations=counts["n_observations"]).merge(first, on=names, how="left")
    return annual[annual["n_observations"] >= minimum].reset_index(drop=True)
