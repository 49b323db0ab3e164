"""Regions in degrees: checked, cut at the antimeridian, and covered by tiles of one degree."""

import math

from permagrid.errors import PermagridError

Box = tuple[float, float, float, float]
"""west, south, east, north [degree]."""

MOST_TILES = 5000
"""Tiles that one call may fetch."""


def boxes_of(region: Box) -> list[Box]:
    """Return a region as boxes whose west lies west of their east: two where it crosses the antimeridian.

    Raises
    ------
    PermagridError
        If it is no region.

    Examples
    --------
    >>> boxes_of((170.0, 60.0, -170.0, 70.0))
    [(170.0, 60.0, 180.0, 70.0), (-180.0, 60.0, -170.0, 70.0)]
    >>> boxes_of((190.0, 60.0, 200.0, 70.0))
    [(-170.0, 60.0, -160.0, 70.0)]
    """
    west, south, east, north = region
    written = " ".join(f"{value:g}" for value in region)
    if (
        not all(map(math.isfinite, region))
        or not -90 <= south < north <= 90
        or abs(west) > 360
        or abs(east) > 360
    ):
        raise PermagridError(f"region {written} is none; give west south east north in degrees")
    if east - west >= 360:
        return [(-180.0, south, 180.0, north)]
    left, right = (value if -180 <= value <= 180 else (value + 180) % 360 - 180 for value in (west, east))
    if left == right:
        raise PermagridError(f"region {written} has no width; give west south east north in degrees")
    if left < right:
        return [(left, south, right, north)]
    both = [(left, south, 180.0, north), (-180.0, south, right, north)]
    return [box for box in both if box[0] < box[2]]


def one_degree_tiles(region: Box) -> list[tuple[str, str]]:
    """Return the south-west corners of the tiles that cover a region, such as ``("N46", "E009")``.

    Raises
    ------
    PermagridError
        If it is no region, or takes more than `MOST_TILES`.

    Examples
    --------
    >>> one_degree_tiles((9.2, 46.5, 10.0, 46.9))
    [('N46', 'E009')]
    >>> one_degree_tiles((179.5, -0.5, -179.5, 0.5))
    [('S01', 'E179'), ('S01', 'W180'), ('N00', 'E179'), ('N00', 'W180')]
    """
    corners: set[tuple[int, int]] = set()
    for west, south, east, north in boxes_of(region):
        rows = range(math.floor(south), math.ceil(north))
        columns = range(math.floor(west), math.ceil(east))
        if len(rows) * len(columns) > MOST_TILES:
            raise PermagridError(
                f"the region takes {len(rows) * len(columns)} tiles, at most {MOST_TILES} are fetched at once"
            )
        corners.update((row, column) for row in rows for column in columns)
    ordered = sorted(corners, key=lambda corner: (corner[0], corner[1] < 0, corner[1]))
    return [
        (f"{'S' if row < 0 else 'N'}{abs(row):02d}", f"{'W' if column < 0 else 'E'}{abs(column):03d}")
        for row, column in ordered
    ]
