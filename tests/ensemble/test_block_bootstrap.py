"""Blocks are drawn with replacement, groups whole, and a member depends on its number and the seed alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.ensemble.block_bootstrap import block_weights
from permagrid.errors import PermagridError


def places(n=120, seed=0):
    random = np.random.default_rng(seed)
    group = np.sort(random.integers(0, n // 2, n))
    longitude, latitude = random.uniform(-180, 180, n // 2), random.uniform(50, 88, n // 2)
    return longitude[group] + random.normal(0, 0.01, n), latitude[group], group


def test_a_member_is_the_same_however_many_there_are_and_differs_from_others():
    where = places()
    many = block_weights(*where, size=500e3, members=9, seed=3)
    few = block_weights(*where, size=500e3, members=4, seed=3)
    np.testing.assert_array_equal(few, many[:, :4])
    assert len(np.unique(many, axis=1).T) == 9
    assert (block_weights(*where, size=500e3, members=9, seed=4) != many).any()


@given(st.integers(0, 1000), st.sampled_from([50e3, 300e3, 2e6]))
@settings(max_examples=20, deadline=None)
def test_groups_are_whole_and_weights_whole_numbers(seed, size):
    longitude, latitude, group = places(seed=seed)
    drawn = block_weights(longitude, latitude, group, size=size, members=3, seed=seed)
    assert (drawn == np.round(drawn)).all()
    assert (drawn.sum(axis=0) > 0).all()
    for one in np.unique(group):
        assert (drawn[group == one] == drawn[group == one][0]).all()


def test_rows_are_drawn_once_on_average_and_near_ones_together():
    longitude, latitude, _ = places(400)
    rows = np.arange(400)
    twins = np.concatenate([longitude, longitude + 0.01]), np.concatenate([latitude, latitude])
    drawn = block_weights(*twins, np.concatenate([rows, rows + 400]), size=300e3, members=300, seed=0)
    assert abs(drawn.mean() - 1.0) < 0.05
    # 300 km blocks cut twins some 1 km apart in two only where an edge runs between them.
    assert (drawn[:400] == drawn[400:]).mean() > 0.97
    assert (drawn == 0).mean() == pytest.approx(np.exp(-1), abs=0.03)


def test_no_seam_at_the_antimeridian_or_the_pole():
    longitude = np.array([179.99, -179.99, 0.0, 90.0, 180.0, 30.0, 31.0])
    latitude = np.array([70.0, 70.0, 89.99, 89.99, 89.99, 60.0, 50.0])
    drawn = block_weights(longitude, latitude, np.arange(7), size=400e3, members=200, seed=1)
    assert (drawn[0] == drawn[1]).mean() > 0.97
    assert (drawn[2] == drawn[3]).mean() > 0.97
    assert (drawn[2] == drawn[4]).mean() > 0.97
    assert (drawn[5] == drawn[6]).mean() < 0.8


def test_blocks_that_cannot_be_drawn_are_refused():
    where = [10.0, 10.1], [60.0, 60.0], [1, 2]
    with pytest.raises(PermagridError, match="one block of 1e\\+06 km"):
        block_weights(*where, size=1e9, members=2, seed=0)
    with pytest.raises(PermagridError, match="block must be above 0 m"):
        block_weights(*where, size=0.0, members=2, seed=0)
    with pytest.raises(PermagridError, match="at least 1"):
        block_weights(*where, size=10.0, members=0, seed=0)
