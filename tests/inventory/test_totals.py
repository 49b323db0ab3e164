"""Totals by region and member: exact, the same in any order, and refused where something does not fit."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.errors import PermagridError
from permagrid.inventory import (
    ALL,
    ELSEWHERE,
    IceStorage,
    MemberTotals,
    add_zones,
    summarise,
    total_records,
    water,
)
from permagrid.inventory.correlated import ErrorSums
from permagrid.inventory.exact import ExactSums, add_by_code

NUMBERS = st.floats(-1e60, 1e60, allow_subnormal=True)


@settings(max_examples=200, deadline=None)
@given(st.lists(NUMBERS, max_size=30))
def test_sums_are_those_of_fsum_in_any_order(numbers):
    # What lies below 2**-320 is cut off: fsum is asked for what is left.
    numbers = [number if abs(number) > 1e-75 else 0.0 for number in numbers]
    forward, backward = ExactSums(1, 1), ExactSums(1, 1)
    forward.add(np.array(numbers).reshape(-1, 1))
    for number in reversed(numbers):
        backward.add(np.array([[number]]))
    assert forward.values()[0, 0] == math.fsum(numbers) == backward.values()[0, 0]
    assert forward.plain() == backward.plain()


def test_sums_that_carry_and_change_their_sign():
    sums = ExactSums(1, 1)
    for _ in range(40):
        sums.add(np.full((1000, 1), 2.0**52 - 1.0))
        sums.merge(ExactSums(1, 1))  # carries digits on
    sums.add(np.full((50_000, 1), -(2.0**52 - 1.0)))
    assert sums.values()[0, 0] == -10_000 * (2.0**52 - 1.0)
    again = ExactSums.of(json.loads(json.dumps(sums.plain())))
    again.merge(sums)
    assert again.values()[0, 0] == -20_000 * (2.0**52 - 1.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e80])
def test_what_cannot_be_added_is_refused(value):
    with pytest.raises(PermagridError, match="row 1"):
        ExactSums(1, 1).add(np.array([[1.0], [value]]))


def made_cells(seed=0, cells=300, members=7, regions=3):
    random = np.random.default_rng(seed)
    values = random.uniform(0, 100, (cells, members)).astype(np.float32)
    values[::17] = np.nan
    presence = random.uniform(0, 1, cells)
    presence[::23] = np.nan
    return values, random.uniform(1e5, 1e9, cells), presence, random.integers(-1, regions, cells)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_totals_have_the_same_bits_for_any_blocks_order_and_workers(shuffle, size):
    values, areas, presence, region = made_cells()
    whole = MemberTotals(["a", "b", "c"], 7)
    whole.add(values, areas, presence=presence, region=region, factor=5e-11)
    order = list(range(len(areas)))
    shuffle.shuffle(order)
    workers = [MemberTotals(["a", "b", "c"], 7) for _ in range(3)]
    for start in range(0, len(order), size):
        some = order[start : start + size]
        shuffle.choice(workers).add(
            values[some], areas[some], presence=presence[some], region=region[some], factor=5e-11
        )
    joined = workers[0]
    for other in workers[1:]:
        joined.merge(MemberTotals.from_plain(json.loads(json.dumps(other.plain()))))
    for name in whole.names:
        np.testing.assert_array_equal(joined.of(name), whole.of(name))
        assert joined.area(name) == whole.area(name)
        assert joined.cells(name) == whole.cells(name)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_areas_of_all_zones_at_once_are_those_of_each_by_itself(seed, count):
    draw = np.random.default_rng(seed)
    codes = draw.choice(np.array([0, 1, 2, 255], dtype=np.uint8), (count, 4))
    areas, region = draw.uniform(0.0, 1e9, count), draw.integers(-1, 2, count)
    together = [MemberTotals(["north", "south"], 4) for _ in range(3)]
    for part in (slice(0, count // 2), slice(count // 2, None)):
        add_zones(together, codes[part], areas[part], region=region[part], factor=1e-6)
    for code, totals in enumerate(together):
        alone = MemberTotals(["north", "south"], 4)
        alone.add((codes == code).astype(np.float32), areas, region=region, factor=1e-6)
        assert totals.plain() == alone.plain()


def test_zones_that_do_not_fit_are_refused():
    codes, areas = np.zeros((3, 2), dtype=np.uint8), np.ones(3)
    with pytest.raises(PermagridError, match="same regions and members"):
        add_zones([MemberTotals([], 2), MemberTotals(["north"], 2)], codes, areas)
    with pytest.raises(PermagridError, match="do not fit 2 areas and 2 members"):
        add_zones([MemberTotals([], 2)], codes, areas[:2])
    with pytest.raises(PermagridError, match="negative or missing"):
        add_zones([MemberTotals([], 2)], codes, -areas)
    with pytest.raises(PermagridError, match="weight of row 1"):
        add_by_code([ExactSums(1, 2)], codes, np.array([1.0, np.inf, 1.0]))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_regions_and_what_lies_in_none_make_up_the_whole(seed):
    values, areas, presence, region = made_cells(seed)
    totals = MemberTotals(["a", "b", "c"], 7)
    totals.add(values, areas, presence=presence, region=region)
    assert totals.names == (ALL, "a", "b", "c", ELSEWHERE)
    parts = [totals.of(name) for name in totals.names[1:]]
    np.testing.assert_allclose(np.sum(parts, axis=0), totals.of(ALL), rtol=1e-15)
    assert sum(totals.cells(name) for name in totals.names[1:]) == totals.cells(ALL)
    known = ~np.isnan(values).any(axis=1) & ~np.isnan(presence)
    expected = (values[known].astype(float) * (areas * presence)[known, np.newaxis]).sum(axis=0)
    np.testing.assert_allclose(totals.of(ALL), expected, rtol=1e-12)
    assert totals.area(ALL) == math.fsum(areas[known])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.0, 1.0))
def test_less_presence_never_means_more_ice(seed, share):
    values, areas, presence, _ = made_cells(seed)
    full, less = MemberTotals([], 7), MemberTotals([], 7)
    full.add(values, areas, presence=presence)
    less.add(values, areas, presence=presence * share)
    assert (less.of() <= full.of()).all()


def test_members_may_have_their_own_presence():
    totals = MemberTotals([], 2)
    totals.add(np.array([[50.0, 50.0]]), np.array([1e12]), presence=np.array([[1.0, 0.0]]), factor=5e-11)
    assert totals.of().tolist() == [2500.0, 0.0]


def test_storage_is_content_times_thickness_times_area():
    storage = IceStorage(5.0, "total")
    totals = MemberTotals([], 1)
    # The published total of system A: 48 % over the 22.79 million km2 of the map of the IPA.
    totals.add(np.array([[48.0]]), np.array([22.79e12]), factor=storage.factor)
    assert totals.of()[0] == pytest.approx(54_696, rel=1e-6)
    assert water(totals.of())[0] == pytest.approx(0.917 * 54_696, rel=1e-6)
    assert {IceStorage(3, kind).name for kind in ("total", "excess")} == {
        "total_ice_storage",
        "excess_ice_storage",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.ones((3, 2))}, "do not fit"),
        ({"areas": np.array([1.0, -1.0])}, "area is negative"),
        ({"areas": np.array([1.0, np.nan])}, "area is negative or missing"),
        ({"values": np.array([[1.0, np.nan], [1.0, 1.0]])}, "some members only"),
        ({"values": np.array([[1.0, np.inf], [1.0, 1.0]])}, "not finite"),
        ({"presence": np.array([0.5, 1.5])}, "0 to 1"),
        ({"presence": np.ones(3)}, "fits no values"),
        ({"region": np.array([0, 5])}, "-1 to 0"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given_ = {"values": np.ones((2, 2)), "areas": np.ones(2), "presence": None, "region": None} | change
    with pytest.raises(PermagridError, match=message):
        MemberTotals(["a"], 2).add(given_.pop("values"), given_.pop("areas"), **given_)


@pytest.mark.parametrize("regions", [["a", "a"], [ALL], ["b", ELSEWHERE]])
def test_names_of_regions_are_their_own(regions):
    with pytest.raises(PermagridError, match="twice"):
        MemberTotals(regions, 1)


def test_other_faults_are_named():
    with pytest.raises(PermagridError, match="no region 'b'"):
        MemberTotals(["a"], 1).of("b")
    with pytest.raises(PermagridError, match="different regions"):
        MemberTotals(["a"], 1).merge(MemberTotals(["b"], 1))
    with pytest.raises(PermagridError, match="shape"):
        MemberTotals(["a"], 1).merge(MemberTotals(["a"], 2))
    with pytest.raises(PermagridError, match="did you mean 'excess'"):
        IceStorage(5, "exces")
    with pytest.raises(PermagridError, match="above 0 m"):
        IceStorage(0, "total")
    with pytest.raises(PermagridError, match="between 0 and 1"):
        summarise(np.arange(3.0), level=95)
    with pytest.raises(PermagridError, match="no members"):
        summarise(np.array([]))


def test_one_member_has_no_range():
    found = summarise(np.array([3.0]))
    assert (found.mean, found.low, found.high, found.sd) == (3.0, None, None, None)


def test_records_tell_range_bounds_and_samples():
    random = np.random.default_rng(1)
    shared = random.normal(size=(1, 400))
    values = 50.0 + 5.0 * shared + 5.0 * random.normal(size=(100, 400))
    totals, errors, estimate = MemberTotals(["a"], 400), ErrorSums(["a"]), MemberTotals(["a"], 1)
    region = np.zeros(100, dtype=int)
    totals.add(values, np.full(100, 1e9), region=region, factor=5e-11)
    errors.add(values.std(axis=1), np.full(100, 1e9), region=region, factor=5e-11)
    estimate.add(values.mean(axis=1, keepdims=True), np.full(100, 1e9), region=region, factor=5e-11)
    records = total_records(
        totals,
        quantity="total_ice_storage",
        title="Total ice",
        unit="km3",
        epoch="2000-2004",
        errors=errors,
        estimate=estimate,
    )
    assert [record["region"] for record in records] == [ALL, "a"]
    found = records[0]
    assert found["correlated_low"] < found["low"] < found["independent_low"]
    assert found["independent_high"] < found["high"] < found["correlated_high"]
    # Half of the variance is shared by all: about two independent samples.
    assert found["effective_samples"] == pytest.approx(2.0, rel=0.2)
    assert found["estimate"] == pytest.approx(found["mean"], rel=1e-12)
    assert found["water"][0] == pytest.approx(0.917 * found["mean"])
    assert found["area_km2"] == 100_000.0
    json.dumps(records)
    with pytest.raises(PermagridError, match="different regions"):
        total_records(totals, quantity="x", title="X", unit="1", epoch="e", errors=ErrorSums([]))
