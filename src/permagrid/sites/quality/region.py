"""Quality test: whether a row lies in the region of the study."""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np

from permagrid.grid import inside_region
from permagrid.sites.quality.flags import FAIL, NOT_EVALUATED, QUALITY, Flags, Verdicts, numbers


@QUALITY.register
def inside_study_region(sites: gpd.GeoDataFrame, *, region: Sequence[float]) -> Flags:
    """Fail rows outside the study's region; rows without coordinates are not evaluated.

    Parameters
    ----------
    sites
        Site table.
    region
        ``[west, south, east, north]`` [degree]; west > east crosses the antimeridian.

    Examples
    --------
    >>> rows = gpd.GeoDataFrame({"longitude": [10.0, 10.0], "latitude": [70.0, 40.0]})
    >>> inside_study_region(rows, region=[-180, 45, 180, 90]).codes.tolist()
    [1, 4]
    """
    longitude, latitude = numbers(sites, "longitude"), numbers(sites, "latitude")
    found = Verdicts(sites)
    unknown = np.isnan(longitude) | np.isnan(latitude)
    found.mark(unknown, NOT_EVALUATED, "")
    box = ", ".join(f"{value:g}" for value in region)
    found.mark(~unknown & ~inside_region(longitude, latitude, region), FAIL, f"outside the region {box}")
    return found.flags()
