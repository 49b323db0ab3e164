"""Quality tests of where a row says it stands: coordinates and elevation."""

from collections.abc import Callable, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.sites.identity import chord_coordinates, great_circle_distance
from permagrid.sites.quality.flags import (
    FAIL,
    MISSING,
    NOT_EVALUATED,
    QUALITY,
    SUSPECT,
    Flags,
    Mask,
    Verdicts,
    numbers,
    wording,
)

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]

_SWAPPED = "latitude and longitude swapped"
_VARIANTS: dict[str, Callable[[Floats, Floats], tuple[Floats, Floats]]] = {
    _SWAPPED: lambda lon, lat: (lat, lon),
    "the sign of the longitude flipped": lambda lon, lat: (-lon, lat),
    "the sign of the latitude flipped": lambda lon, lat: (lon, -lat),
    "both signs flipped": lambda lon, lat: (-lon, -lat),
}


_LOST = 10.0
"""Multiple of the largest distance within a site beyond which a row fails."""


@QUALITY.register
def coordinates(
    sites: gpd.GeoDataFrame,
    *,
    region: Sequence[float] | None = None,
    margin: float = 5.0,
    precision: float = 0.1,
    same_site: float = 50_000.0,
) -> Flags:
    """Flag coordinates that are missing, impossible, swapped, sign-flipped or coarse.

    Missing is code 9; out of range and exactly 0, 0 fail. A row that stands swapped or mirrored to the most
    frequent place of its own site fails. With a `region`, a row clearly outside that would lie inside with
    latitude and longitude swapped fails as well, if that explains half or more of the sites which its
    source has outside; else it is suspect. With a sign flipped it is only suspect, as a real site on another
    continent looks the same. Coordinates rounded to `precision` are suspect.

    Parameters
    ----------
    sites
        Site table.
    region
        West, south, east, north [degree] of where sites are expected; west > east crosses the
        antimeridian. Rows outside it are not at fault for that alone.
    margin
        Width [degree] of the strip around `region` in which a site is taken to be where it says: just
        outside the region, real sites are common (Almaty, 43 N 77 E, swaps into the Barents Sea).
    precision
        Step [degree] to which both coordinates are rounded in a coarse row; 0 switches the test off.
    same_site
        Largest distance [m] between rows of one site; ten times as far is no site's width, and fails.

    Raises
    ------
    PermagridError
        If `region` is not a box, or `margin` is negative.

    Examples
    --------
    >>> rows = gpd.GeoDataFrame({"site_id": ["a"], "latitude": [129.73], "longitude": [62.03]})
    >>> coordinates(rows).reasons.tolist()
    ['probably latitude and longitude swapped: latitude 129.73, longitude 62.03']
    """
    box = _checked_region(region)
    if not margin >= 0.0:
        raise PermagridError(f"coordinates: margin must be 0 degrees or more; found {margin}")
    lon, lat = numbers(sites, "longitude"), numbers(sites, "latitude")
    found = Verdicts(sites)
    missing = np.isnan(lon) | np.isnan(lat)
    found.mark(missing, MISSING, "no coordinates")
    valid = _valid(lon, lat)
    given = wording("latitude {:g}, longitude {:g}", lat, lon, where=~missing)
    swapped_only = ~missing & ~valid & _valid(lat, lon)
    found.mark(swapped_only, FAIL, _said(f"probably {_SWAPPED}", given))
    found.mark(~missing & ~valid, FAIL, _said("out of range", given))
    origin = valid & (lon == 0.0) & (lat == 0.0)
    found.mark(origin, FAIL, "exactly 0, 0")
    usable = valid & ~origin
    _mark_by_site(found, sites, usable, given, same_site)
    if box is not None:
        outside = usable & ~_within(lon, lat, _widened(box, margin))
        _mark_by_region(found, sites, outside, box, given)
    if precision > 0.0:
        for step, word in ((1.0, "whole degrees"), (precision, f"{precision:g} degree")):
            coarse = usable & _rounded(lon, step) & _rounded(lat, step)
            found.mark(coarse, SUSPECT, _said(f"rounded to {word}", given))
    return found.flags()


def _checked_region(region: Sequence[float] | None) -> Box | None:
    if region is None:
        return None
    sides = [float(side) for side in region]
    # The comparisons are written so that NaN fails them.
    if len(sides) != 4 or not (
        -90.0 <= sides[1] < sides[3] <= 90.0
        and abs(sides[0]) <= 360.0
        and abs(sides[2]) <= 360.0
        and sides[0] != sides[2]
    ):
        raise PermagridError(
            f"coordinates: region must be [west, south, east, north] in degrees, south < north, west not "
            f"equal to east; found {list(region)}"
        )
    return sides[0], sides[1], sides[2], sides[3]


def _valid(lon: Floats, lat: Floats) -> Mask:
    return (np.abs(lat) <= 90.0) & (np.abs(lon) <= 180.0)


def _within(lon: Floats, lat: Floats, box: Box) -> Mask:
    west, south, east, north = box
    # Counted in degrees east of the western side, a box over the antimeridian is no special case.
    width = 360.0 if east - west >= 360.0 else (east - west) % 360.0
    return ((lon - west) % 360.0 <= width) & (lat >= south) & (lat <= north) & _valid(lon, lat)


def _widened(box: Box, margin: float) -> Box:
    west, south, east, north = box
    width = 360.0 if east - west >= 360.0 else (east - west) % 360.0
    sides = (west - margin, west + width + margin)
    return sides[0], max(south - margin, -90.0), sides[1], min(north + margin, 90.0)


def _said(what: str, given: NDArray[np.object_]) -> NDArray[np.object_]:
    texts: NDArray[np.object_] = np.char.add(f"{what}: ", given.astype(str)).astype(object)
    return texts


def _rounded(values: Floats, step: float) -> Mask:
    return np.abs(values - np.round(values / step) * step) < 1e-6


def _mark_by_region(
    found: Verdicts, sites: gpd.GeoDataFrame, outside: Mask, box: Box, given: NDArray[np.object_]
) -> None:
    position = numbers(sites, "longitude"), numbers(sites, "latitude")
    for what, variant in _VARIANTS.items():
        inside = outside & _within(*variant(*position), box)
        said = _said(f"outside the region, but inside with {what}", given)
        if what == _SWAPPED:
            found.mark(inside & _explained_by_source(sites, outside, inside), FAIL, said)
        found.mark(inside, SUSPECT, said)


def _explained_by_source(sites: gpd.GeoDataFrame, outside: Mask, inside: Mask) -> Mask:
    """Return the rows whose source has half or more of its outside sites explained.

    A source that reaches beyond the region has real sites whose swapped coordinates lie in it by chance
    (weather stations in Afghanistan swap into the Barents Sea), among many that do not.
    """
    source = sites["source"].astype(str).to_numpy() if "source" in sites else np.full(len(sites), "")
    rows = pd.DataFrame({"source": source, "site": sites["site_id"].astype(str).to_numpy()})
    outer = rows[outside].groupby("source")["site"].nunique()
    explained = rows[inside].groupby("source")["site"].nunique()
    share = rows["source"].map(explained / outer).to_numpy(dtype=float)
    return share >= 0.5


def _mark_by_site(
    found: Verdicts, sites: gpd.GeoDataFrame, usable: Mask, given: NDArray[np.object_], same_site: float
) -> None:
    """Compare each row with the most frequent other position of its site."""
    lon, lat = numbers(sites, "longitude"), numbers(sites, "latitude")
    others = _other_position(sites, usable)
    reference = chord_coordinates(others["lon"].to_numpy(), others["lat"].to_numpy())
    own = chord_coordinates(lon, lat)
    apart = usable & (great_circle_distance(own, reference) > same_site)
    outvoted = apart & (others["count"].to_numpy() > others["own"].to_numpy())
    tied = apart & (others["count"].to_numpy() == others["own"].to_numpy())
    for what, variant in _VARIANTS.items():
        there = variant(lon, lat)
        moved = chord_coordinates(*there)
        explains = _valid(*there) & (great_circle_distance(moved, reference) <= same_site)
        found.mark(outvoted & explains, FAIL, _said(f"at the site's other rows with {what}", given))
        found.mark(tied & explains, SUSPECT, _said(f"here or in the site's other rows {what}", given))
    distance = great_circle_distance(own, reference) / 1000.0
    far = outvoted | tied
    lost = outvoted & (distance > _LOST * same_site / 1000.0)
    found.mark(lost, FAIL, wording("{:.0f} km from the site's other rows", distance, where=lost))
    found.mark(far, SUSPECT, wording("{:.0f} km from the site's other rows", distance, where=far))


def _other_position(sites: gpd.GeoDataFrame, usable: Mask) -> pd.DataFrame:
    """Return for each row the most frequent position of its site that is not its own, and both counts.

    Positions are told apart to 0.01 degree, so that small differences between years do not split a site.
    """
    rows = pd.DataFrame(
        {
            "site": sites["site_id"].astype(str).to_numpy(),
            "lon": np.where(usable, np.round(numbers(sites, "longitude"), 2), np.nan),
            "lat": np.where(usable, np.round(numbers(sites, "latitude"), 2), np.nan),
        }
    )
    places = rows.dropna().groupby(["site", "lon", "lat"]).size().rename("count").reset_index()
    places = places.sort_values(["site", "count", "lon", "lat"], ascending=[True, False, True, True])
    rank = places.groupby("site").cumcount()
    first, second = places[rank == 0].set_index("site"), places[rank == 1].set_index("site")
    top, runner_up = first.reindex(rows["site"]), second.reindex(rows["site"])
    at_top = (top["lon"].to_numpy() == rows["lon"]) & (top["lat"].to_numpy() == rows["lat"])
    columns = {
        name: np.where(at_top, runner_up[name].to_numpy(dtype=float), top[name].to_numpy(dtype=float))
        for name in ("lon", "lat", "count")
    }
    own = rows.merge(places, on=["site", "lon", "lat"], how="left")["count"]
    return pd.DataFrame(columns).assign(own=own.to_numpy(dtype=float))


@QUALITY.register
def elevation_mismatch(
    sites: gpd.GeoDataFrame, *, dem_elevation: str = "dem_elevation", max_difference: float = 300.0
) -> Flags:
    """Flag as suspect a site whose elevation is not that of the terrain model at its coordinates.

    Parameters
    ----------
    sites
        Site table with the elevation of a terrain model [m] at the sites in the column `dem_elevation`.
    dem_elevation
        Name of that column; without it nothing is evaluated.
    max_difference
        Largest difference [m] to accept. A coarse cell in mountains needs a generous one.

    Examples
    --------
    >>> rows = gpd.GeoDataFrame({"elevation": [2700.0], "dem_elevation": [640.0]})
    >>> elevation_mismatch(rows).reasons.tolist()
    ['site says 2700 m, terrain model 640 m']
    """
    site, model = numbers(sites, "elevation"), numbers(sites, dem_elevation)
    found = Verdicts(sites)
    found.mark(np.isnan(site - model), NOT_EVALUATED, "")
    far = np.abs(site - model) > max_difference
    found.mark(far, SUSPECT, wording("site says {:.0f} m, terrain model {:.0f} m", site, model, where=far))
    return found.flags()
