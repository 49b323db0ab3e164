"""Planted faults: the mistakes that real site tables hold, with a record of where each one is."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from permagrid.errors import PermagridError
from permagrid.world.noise import generator

Change = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]

RECORD = ("row", "site_id", "fault", "column", "original", "planted")
"""Columns of the record: ``row`` is the place in the table, from 0; values are written as text."""


def plant_faults(
    sites: pd.DataFrame, *, seed: int = 0, share: float = 0.05
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a table of sites with faults in it, and the record of every value that is wrong.

    Faults are dealt out in turn, and a site has one at most: swapped and missing coordinates, flipped
    longitude, Kelvin for degC, metres for cm, copies under another name, impossible values,
    infrastructure, wrong elevation.

    Parameters
    ----------
    sites
        From `sample_sites`; left as it is.
    seed
        Of the faults.
    share
        Share of the sites that get a fault, 0-1; at least one site for each kind unless 0.

    Returns
    -------
    sites
        The same rows in the same order, some changed, and copies at the end.
    record
        One row for each changed value, with the columns `RECORD`. A copy is recorded once a row, by
        its ``site_id``.

    Raises
    ------
    PermagridError
        If `share` is not within 0-1.

    Examples
    --------
    >>> from permagrid.world import default_geobox, make_world, sample_sites
    >>> clean = sample_sites(make_world(default_geobox(30, 50_000.0), seed=1))
    >>> faulty, record = plant_faults(clean)
    >>> record["fault"].nunique(), len(faulty) > len(clean)
    (9, True)
    """
    if not 0.0 <= share <= 1.0:
        raise PermagridError(f"the share of sites with faults must lie in 0-1, found {share}")
    random = generator(seed, "faults")
    faulty = sites.reset_index(drop=True)
    records: list[dict[str, object]] = []
    copies: list[pd.DataFrame] = []
    for fault, rows in _victims(faulty, random, share):
        before = faulty.loc[rows]
        after = _FAULTS[fault](before.copy(), random)
        if fault == "near_duplicate":
            after.index = pd.RangeIndex(len(after)) + len(faulty) + sum(map(len, copies))
            copies.append(after)
            records += [
                dict(zip(RECORD, (row, new, fault, "site_id", old, new), strict=True))
                for row, new, old in zip(after.index, after["site_id"], before["site_id"], strict=True)
            ]
        else:
            faulty.loc[rows] = after
            records += _differences(fault, before, after)
    record = pd.DataFrame(records, columns=list(RECORD)).sort_values(["row", "column"], ignore_index=True)
    return pd.concat([faulty, *copies], ignore_index=True).astype(sites.dtypes.to_dict()), record


def _victims(sites: pd.DataFrame, random: np.random.Generator, share: float) -> list[tuple[str, pd.Index]]:
    """Deal the kinds of fault out to sites that can have them, no site twice."""
    if share == 0.0 or sites.empty:
        return []
    first = sites.drop_duplicates("site_id").set_index("site_id")
    order = random.permutation(len(first))
    free = [str(first.index[n]) for n in order]
    wanted = max(len(_FAULTS), round(share * len(free)))
    dealt: list[tuple[str, pd.Index]] = []
    for turn in range(wanted):
        fault = list(_FAULTS)[turn % len(_FAULTS)]
        site = next((name for name in free if _can_have(fault, first, name)), None)
        if site is not None:
            free.remove(site)
            dealt.append((fault, sites.index[sites["site_id"] == site]))
    return dealt


def _can_have(fault: str, sites: pd.DataFrame, name: str) -> bool:
    """Tell whether a fault would be one at this site, and not go unnoticed by its very nature."""
    longitude, latitude = (float(sites[axis][name]) for axis in ("longitude", "latitude"))
    variable = str(sites["variable"][name])
    if fault == "flipped_longitude":
        # Degrees east of the sites' middle: a mirror image among the sites would be no visible fault.
        middle = np.angle(np.exp(1j * np.radians(sites["longitude"])).mean(), deg=True)
        away, mirrored = (
            np.abs(np.mod(east - middle + 180.0, 360.0) - 180.0) for east in (sites["longitude"], -longitude)
        )
        return bool(mirrored > away.max() + 4.0)
    if fault == "swapped_coordinates":
        return abs(longitude - latitude) > 1.0
    if fault == "metres_for_centimetres":
        return variable == "active_layer_thickness"
    if fault in ("kelvin_for_celsius", "infrastructure"):
        return variable == "ground_temperature"
    return True


def _differences(fault: str, before: pd.DataFrame, after: pd.DataFrame) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for column in before.columns:
        old, new = before[column], after[column]
        changed = (old != new) & ~(old.isna() & new.isna())
        for row in before.index[changed.fillna(True).to_numpy(dtype=bool)]:
            place = {"row": row, "site_id": before.at[row, "site_id"], "fault": fault, "column": column}
            found.append(place | {"original": _text(old[row]), "planted": _text(new[row])})
    return found


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value)  # type: ignore[call-overload]


def _swapped(rows: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    return rows.assign(latitude=rows["longitude"], longitude=rows["latitude"])


def _flipped(rows: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    return rows.assign(longitude=-rows["longitude"])


def _without_coordinates(rows: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    return rows.assign(latitude=np.nan, longitude=np.nan)


def _kelvin(rows: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    warm = rows["variable"] == "ground_temperature"
    return rows.assign(value=rows["value"].where(~warm, (rows["value"] + 273.15).round(2)))


def _metres(rows: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    return rows.assign(value=(rows["value"] / 100.0).round(2))


def _copied(rows: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Return the site once more under another name, some ten metres off."""
    return rows.assign(
        site_id=rows["site_id"] + "x",
        original_id=rows["original_id"] + "x",
        name=rows["name"] + " (copy)",
        latitude=rows["latitude"] + random.choice((-1e-4, 1e-4)),
        longitude=rows["longitude"] + random.choice((-1e-4, 1e-4)),
        elevation=rows["elevation"] + 1.0,
    )


def _impossible(rows: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    value = rows["value"].copy()
    value.iloc[int(random.integers(len(value)))] = random.choice((-999.0, 9999.0))
    return rows.assign(value=value)


def _infrastructure(rows: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Warm the ground as below a heated house, and say so in the flags."""
    warm = rows["variable"] == "ground_temperature"
    warmer = (rows["value"] + random.uniform(2.0, 4.0)).round(2)
    return rows.assign(site_flags="infrastructure", value=rows["value"].where(~warm, warmer))


def _elevation(rows: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    return rows.assign(elevation=rows["elevation"] + float(np.round(random.uniform(900.0, 2500.0))))


_FAULTS: dict[str, Change] = {
    "swapped_coordinates": _swapped,
    "flipped_longitude": _flipped,
    "missing_coordinates": _without_coordinates,
    "kelvin_for_celsius": _kelvin,
    "metres_for_centimetres": _metres,
    "near_duplicate": _copied,
    "impossible_value": _impossible,
    "infrastructure": _infrastructure,
    "elevation_mismatch": _elevation,
}
"""Kind of fault -> what it does to the rows of a site."""
