"""Places on the sphere and the groups that folds keep together."""

from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.errors import PermagridError
from permagrid.sites.identity import (
    EARTH_RADIUS,
    chord_coordinates,
    great_circle_distance,
    near_components,
    site_groups,
)

DEGREE = np.pi * EARTH_RADIUS / 180.0

positions = st.tuples(
    st.sampled_from(["a", "b", "c", "d", "e"]),
    st.one_of(st.floats(-180.0, 180.0), st.sampled_from([179.999, -179.999, 180.0, -180.0])),
    st.one_of(st.floats(-90.0, 90.0), st.sampled_from([90.0, 89.9999, 70.0])),
)
tables = st.lists(positions, min_size=1, max_size=25)


def frame(rows: list[tuple[str, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["site_id", "longitude", "latitude"])


def test_distance_of_a_degree_is_the_same_along_a_meridian_and_the_equator():
    start = chord_coordinates(np.array([10.0, 10.0]), np.array([0.0, 0.0]))
    end = chord_coordinates(np.array([11.0, 10.0]), np.array([0.0, 1.0]))
    assert great_circle_distance(start, end) == pytest.approx([DEGREE, DEGREE])


def test_distance_of_antipodes_is_half_the_circumference():
    ends = chord_coordinates(np.array([0.0, 180.0]), np.array([45.0, -45.0]))
    assert great_circle_distance(ends[:1], ends[1:]) == pytest.approx([np.pi * EARTH_RADIUS])


def test_groups_join_the_same_site_id_wherever_it_stands():
    groups = site_groups(frame([("b", 0.0, 60.0), ("b", 90.0, 60.0), ("c", 45.0, 60.0)]))
    assert groups.tolist() == ["b", "b", "c"]


def test_groups_join_sites_at_the_same_coordinates():
    assert site_groups(frame([("z", 25.78, 71.31), ("m", 25.78, 71.31)]), distance=0.0).tolist() == ["m", "m"]


def test_groups_are_transitive_over_steps():
    step = 900.0 / DEGREE
    rows = frame([("a", 10.0, 0.0), ("b", 10.0 + step, 0.0), ("c", 10.0 + 2 * step, 0.0)])
    assert site_groups(rows, distance=1000.0).tolist() == ["a", "a", "a"]
    assert site_groups(rows, distance=800.0).tolist() == ["a", "b", "c"]


def test_groups_cross_the_antimeridian():
    rows = frame([("wrangel-east", -179.999, 71.0), ("wrangel-west", 179.999, 71.0)])
    assert site_groups(rows, distance=100.0).nunique() == 1
    assert site_groups(rows, distance=50.0).nunique() == 2


def test_groups_meet_at_the_pole():
    rows = frame([("a", 0.0, 89.9999), ("b", 180.0, 89.9999), ("c", -60.0, 90.0)])
    assert site_groups(rows, distance=30.0).nunique() == 1


def test_groups_of_rows_without_coordinates_follow_the_site_id():
    rows = frame([("a", np.nan, np.nan), ("a", 10.0, 60.0), ("b", np.nan, np.nan), ("c", np.nan, 5.0)])
    assert site_groups(rows).tolist() == ["a", "a", "b", "c"]


def test_groups_keep_the_index_and_work_on_an_empty_table():
    rows = frame([("a", 10.0, 60.0), ("b", 20.0, 60.0)]).set_axis([7, 7])
    assert site_groups(rows).index.tolist() == [7, 7]
    assert site_groups(frame([])).empty


@pytest.mark.parametrize("distance", [-1.0, np.nan, np.inf])
def test_groups_refuse_a_distance_that_is_none(distance: float):
    with pytest.raises(PermagridError, match="distance must be a number of metres"):
        site_groups(frame([("a", 10.0, 60.0)]), distance=distance)


@given(tables, st.floats(0.0, 3.0e6))
@settings(max_examples=60, deadline=None)
def test_rows_within_the_distance_share_a_group(rows: list[tuple[str, float, float]], distance: float):
    table = frame(rows)
    groups = site_groups(table, distance=distance).to_numpy()
    points = chord_coordinates(table["longitude"].to_numpy(), table["latitude"].to_numpy())
    for i, point in enumerate(points):
        near = great_circle_distance(np.broadcast_to(point, points.shape), points) <= distance
        assert (groups[near] == groups[i]).all()
        assert (groups[(table["site_id"] == table["site_id"][i]).to_numpy()] == groups[i]).all()


@given(tables, st.randoms())
@settings(max_examples=60, deadline=None)
def test_groups_do_not_depend_on_the_order_of_rows(rows: list[tuple[str, float, float]], random: Random):
    table = frame(rows)
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = site_groups(table.iloc[order], distance=50_000.0)
    assert shuffled.sort_index().tolist() == site_groups(table, distance=50_000.0).tolist()


@given(tables)
@settings(max_examples=60, deadline=None)
def test_groups_only_grow_with_the_distance(rows: list[tuple[str, float, float]]):
    table = frame(rows)
    fine, coarse = site_groups(table, distance=1e4), site_groups(table, distance=1e6)
    assert (coarse.groupby(fine).nunique() == 1).all()


def test_components_are_quick_for_thirty_thousand_places():
    random = np.random.default_rng(1)
    numbers = near_components(
        random.uniform(-180, 180, 30_000), random.uniform(45, 85, 30_000), distance=1000.0
    )
    assert numbers.min() == 0
    assert numbers.max() > 29_000
