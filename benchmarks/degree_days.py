"""Freezing and thawing indices of real stations: sums of days against each approximation from months."""

import argparse
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from permagrid.covariates.climate.index_formulas import (
    Sign,
    degree_days,
    degree_days_of_sinusoid,
    degree_days_with_scatter,
    sinusoid_of_months,
)
from permagrid.covariates.climate.index_options import FIRST_MONTH
from permagrid.covariates.climate.seasons import season_of

Float = NDArray[np.float64]
Formula = Callable[[Float, Float], Float]

STATIONS = {"Yakutsk": "24959", "Oymyakon": "24688", "Verkhoyansk": "24266"}
ARCHIVE = Path("rihmi-yakutia", "wr373144a2.zip")
USUAL = 4.5
"""Standard deviation of daily means within a month that models of ice sheets use [degC]."""

_FIELDS = {
    "station": (0, 5),
    "year": (6, 10),
    "month": (11, 13),
    "day": (14, 16),
    "mean": (27, 32),
    "flag": (33, 34),
}


class Station(NamedTuple):
    """Complete years of one station, as the index of one sign needs them."""

    years: list[int]
    truth: Float
    """Sum over days, shape ``(years,)`` [degC day]."""
    months: Float
    """Monthly means in order of time, shape ``(12, years)`` [degC]."""
    days: Float
    """Days of the months, shape ``(12, years)`` [day]."""
    variance: Float
    """Variance of the days about the means of their months, shape ``(12, years)`` [degC2]."""


class Row(NamedTuple):
    """How far one approximation is from the sums of days."""

    station: str
    index: str
    approximation: str
    bias: float
    rmse: float
    largest: float
    mean: float
    years: int

    def written(self) -> str:
        """Return the row of the table."""
        bias, rmse = (100.0 * value / self.mean for value in (self.bias, self.rmse))
        return (
            f"| {self.station} | {self.index} | {self.years} | {self.mean:.0f} | {self.approximation} "
            f"| {self.bias:+.1f} ({bias:+.2f} %) | {self.rmse:.1f} ({rmse:.2f} %) | {self.largest:.0f} |"
        )


HEAD = (
    "| station | index | years | mean [°C d] | approximation | bias [°C d] | RMSE [°C d] | largest [°C d] |",
    "| --- | --- | ---: | ---: | --- | ---: | ---: | ---: |",
)


def daily_air_temperature(archive: Path) -> pd.DataFrame:
    """Return the daily means of good quality, a column a station [degC]; the index is the date."""
    with zipfile.ZipFile(archive) as held:
        member = next(name for name in held.namelist() if name.startswith("wr"))
        lines = held.read(member).splitlines()
    text = np.array(lines)
    parts = {
        name: np.char.strip(text.view("S1").reshape(len(lines), -1)[:, a:b].copy().view(f"S{b - a}")[:, 0])
        for name, (a, b) in _FIELDS.items()
    }
    good = (parts["flag"] == b"0") & (parts["mean"] != b"")
    table = pd.DataFrame(
        {
            "station": parts["station"][good].astype(str),
            "mean": parts["mean"][good].astype(float),
            **{name: parts[name][good].astype(int) for name in ("year", "month", "day")},
        }
    )
    table["date"] = pd.to_datetime(table[["year", "month", "day"]])
    return table.pivot(index="date", columns="station", values="mean")


def complete_years(daily: pd.Series, sign: Sign) -> Station:
    """Return the years of an index in which no day is missing."""
    first = FIRST_MONTH[sign]
    known = daily.dropna()
    years = [season_of(date.year, date.month, first) for date in known.index]
    found = []
    for year, days in known.groupby(years):
        start = pd.Timestamp(year - int(first > 1), first, 1)
        if len(days) == (start + pd.DateOffset(years=1) - start).days:
            found.append((year, days))
    months = [days.groupby(days.index.to_period("M")) for _, days in found]
    return Station(
        [int(year) for year, _ in found],
        np.array([degree_days(days.to_numpy(), sign=sign) for _, days in found]),
        np.array([each.mean() for each in months]).T,
        np.array([each.count() for each in months], dtype=float).T,
        np.array([each.var(ddof=0) for each in months]).T,
    )


def by_year(station: Station, formula: Formula) -> Float:
    """Return a formula of months and days for each year, leap years with theirs."""
    years = [formula(station.months[:, i], station.days[:, i]) for i in range(len(station.years))]
    return np.array(years, dtype=float)


def sums_of_months(station: Station, sign: Sign) -> Float:
    return by_year(station, lambda months, days: degree_days(months, days, sign=sign))


def scattered(station: Station, deviation: Float | float, sign: Sign) -> Float:
    return by_year(station, lambda months, days: degree_days_with_scatter(months, days, deviation, sign=sign))


def some(station: Station, chosen: NDArray[np.bool_]) -> Station:
    """Return part of the years."""
    return Station(
        [year for year, keep in zip(station.years, chosen, strict=True) if keep],
        station.truth[chosen],
        *(part[:, chosen] for part in (station.months, station.days, station.variance)),
    )


def fitted_deviation(station: Station, sign: Sign) -> float:
    """Return the one standard deviation with which the squared errors of the index are least."""

    def loss(deviation: float) -> float:
        return float(np.square(scattered(station, deviation, sign) - station.truth).sum())

    return float(minimize_scalar(loss, bounds=(0.1, 15.0), method="bounded", options={"xatol": 1e-3}).x)


def deviation_of_months(station: Station) -> Float:
    """Return the standard deviation of daily means about the mean of their month, of twelve months."""
    return np.sqrt(station.variance.mean(axis=1))


def crossed(station: Station, fit: Callable[[Station], Float | float], sign: Sign) -> Float:
    """Return indices with a standard deviation learned from the years of the other parity."""
    odd = np.array(station.years) % 2 == 1
    found = np.empty(odd.size)
    for chosen in (odd, ~odd):
        found[chosen] = scattered(some(station, chosen), fit(some(station, ~chosen)), sign)
    return found


def sinusoid(months: Float, days: Float, sign: Sign, *, half_range: bool = False) -> Float:
    mean, amplitude = sinusoid_of_months(months, days)
    swing = (months.max() - months.min()) / 2.0 if half_range else amplitude
    return degree_days_of_sinusoid(mean, swing, float(days.sum()), sign=sign)


def approximations(station: Station, sign: Sign) -> dict[str, Float]:
    """Return the indices of each approximation, a number a year."""
    return {
        "`monthly`": sums_of_months(station, sign),
        f"`monthly_variance`, {USUAL} °C": scattered(station, USUAL, sign),
        "`monthly_variance`, fitted": crossed(station, lambda half: fitted_deviation(half, sign), sign),
        "`monthly_variance`, of each month": crossed(station, deviation_of_months, sign),
        "`sinusoid`, first harmonic": by_year(station, lambda months, days: sinusoid(months, days, sign)),
        "`sinusoid`, half range": by_year(
            station, lambda months, days: sinusoid(months, days, sign, half_range=True)
        ),
    }


def rows(daily: pd.DataFrame) -> list[Row]:
    """Return the table: every approximation at every station, of both indices."""
    table = []
    for name, code in STATIONS.items():
        for sign, index in ((-1, "freezing"), (1, "thawing")):
            station = complete_years(daily[code], sign)
            for approximation, found in approximations(station, sign).items():
                error = found - station.truth
                table.append(
                    Row(
                        name,
                        index,
                        approximation,
                        float(error.mean()),
                        float(np.sqrt(np.square(error).mean())),
                        float(np.abs(error).max()),
                        float(station.truth.mean()),
                        len(station.years),
                    )
                )
    return table


def deviations(daily: pd.DataFrame) -> list[str]:
    """Return the fitted standard deviations of both indices and those of each month, a line a station."""
    lines = ["| station | freezing | thawing | January to December |", "| --- | ---: | ---: | --- |"]
    for name, code in STATIONS.items():
        winter, year = complete_years(daily[code], -1), complete_years(daily[code], 1)
        monthly = ", ".join(f"{value:.1f}" for value in deviation_of_months(year))
        lines.append(
            f"| {name} | {fitted_deviation(winter, -1):.2f} | {fitted_deviation(year, 1):.2f} | {monthly} |"
        )
    return lines


def climates(daily: pd.DataFrame, window: int = 9) -> list[str]:
    """Return how much less the index of the mean climate of nine years is than the mean of their indices."""
    lines = [
        "| station | index | windows | of daily means | of monthly means |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for name, code in STATIONS.items():
        for sign, index in ((-1, "freezing"), (1, "thawing")):
            station, days = complete_years(daily[code], sign), daily[code]
            monthly = sums_of_months(station, sign)
            lost: list[tuple[float, float]] = []
            for start in range(len(station.years) - window + 1):
                part = slice(start, start + window)
                if station.years[part][-1] - station.years[start] != window - 1:
                    continue
                climate = degree_days(
                    station.months[:, part].mean(axis=1), station.days[:, part].mean(axis=1), sign=sign
                )
                by_day = _of_mean_days(days, station.years[part], sign)
                lost.append(
                    (
                        1.0 - by_day / float(station.truth[part].mean()),
                        1.0 - float(climate) / float(monthly[part].mean()),
                    )
                )
            shares = np.round(100.0 * np.array(lost).mean(axis=0), 2)
            lines.append(f"| {name} | {index} | {len(lost)} | {shares[0]:.2f} % | {shares[1] + 0.0:.2f} % |")
    return lines


def _of_mean_days(daily: pd.Series, years: list[int], sign: Sign) -> float:
    """Return the index of the mean year of some years, day by day, 29 February left to its own years."""
    first = FIRST_MONTH[sign]
    span = daily[
        pd.Timestamp(years[0] - int(first > 1), first, 1) : pd.Timestamp(
            years[-1] + int(first == 1), first, 1
        )
        - pd.Timedelta(days=1)
    ]
    of_day = span.groupby([span.index.month, span.index.day])
    mean, share = of_day.mean().to_numpy(), of_day.count().to_numpy() / len(years)
    return float(degree_days(mean, share, sign=sign))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("PERMAGRID_DATA"), help="folder of rihmi-yakutia")
    options = parser.parse_args()
    if options.data is None:
        parser.error("state --data, or set PERMAGRID_DATA")
    daily = daily_air_temperature(Path(options.data) / ARCHIVE)
    print("\n".join([*HEAD, *(row.written() for row in rows(daily))]))
    print("\n".join(["", *deviations(daily), "", *climates(daily)]))


if __name__ == "__main__":
    main()
