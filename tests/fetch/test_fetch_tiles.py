"""Regions and tiles: across the antimeridian, at the poles, and with longitudes beyond 180."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permagrid.errors import PermagridError
from permagrid.fetch.tiles import boxes_of, one_degree_tiles


@pytest.mark.parametrize(
    ("region", "boxes"),
    [
        ((9, 46, 10, 47), [(9, 46, 10, 47)]),
        ((-180, 45, 180, 90), [(-180, 45, 180, 90)]),
        ((0, 45, 360, 90), [(-180, 45, 180, 90)]),
        ((170, 60, -170, 70), [(170, 60, 180, 70), (-180, 60, -170, 70)]),
        ((170, 60, 190, 70), [(170, 60, 180, 70), (-180, 60, -170, 70)]),
        ((170, 60, 180, 70), [(170, 60, 180, 70)]),
        ((180, 60, -170, 70), [(-180, 60, -170, 70)]),
    ],
)
def test_boxes(region: tuple[float, ...], boxes: list[tuple[float, ...]]) -> None:
    assert boxes_of(region) == boxes  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "region", [(0, 10, 1, 5), (0, -91, 1, 5), (0, 0, 500, 5), (5, 0, 5, 5), (0, 0, math.nan, 5)]
)
def test_what_is_no_region(region: tuple[float, float, float, float]) -> None:
    with pytest.raises(PermagridError, match="give west south east north in degrees"):
        boxes_of(region)


@given(
    west=st.floats(-180, 180),
    width=st.floats(0.01, 20),
    south=st.floats(-89, 88),
    height=st.floats(0.01, 1),
    at=st.tuples(st.floats(0.001, 0.999), st.floats(0.001, 0.999)),
)
def test_every_place_of_a_region_lies_in_one_of_its_tiles(
    west: float, width: float, south: float, height: float, at: tuple[float, float]
) -> None:
    east = (west + width + 180) % 360 - 180
    tiles = one_degree_tiles((west, south, east, south + height))
    longitude = (west + at[0] * width + 180) % 360 - 180
    latitude = south + at[1] * height
    row, column = math.floor(latitude), math.floor(longitude)
    name = f"{'S' if row < 0 else 'N'}{abs(row):02d}", f"{'W' if column < 0 else 'E'}{abs(column):03d}"
    assert name in tiles
    assert len(tiles) == len(set(tiles)) <= 22 * 3


def test_too_many_tiles_are_refused() -> None:
    with pytest.raises(PermagridError, match="takes 16200 tiles, at most 5000 are fetched at once"):
        one_degree_tiles((-180, 45, 180, 90))
