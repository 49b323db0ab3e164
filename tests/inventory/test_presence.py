"""Permafrost area, zones, and the threshold that keeps the area."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from permagrid.errors import PermagridError
from permagrid.inventory import ZONES, AreaMatch, PresenceTotals, zone_codes, zone_records

SHARES = arrays(float, st.integers(1, 40), elements=st.floats(0, 1))


def test_edges_belong_to_the_zone_above_in_any_precision():
    for kind in (np.float32, np.float64):
        edges = np.array([0.0, 0.01, 0.1, 0.5, 0.9, 1.0], dtype=kind)
        assert zone_codes(edges).tolist() == [0, 1, 2, 3, 4, 4]
        assert zone_codes(edges[1:5] - kind(1e-6)).tolist() == [0, 1, 2, 3]


@settings(max_examples=30, deadline=None)
@given(SHARES)
def test_zones_rise_with_probability_and_make_up_the_whole(probability):
    codes = zone_codes(np.sort(probability))
    assert (np.diff(codes.astype(int)) >= 0).all()
    totals = PresenceTotals([], 1)
    areas = np.linspace(1e6, 2e6, len(probability))
    totals.add(probability[:, np.newaxis], areas)
    every = sum(totals.zones[zone].of()[0] for zone in ZONES)
    assert every == pytest.approx(areas.sum() / 1e6)
    assert totals.permafrost.of()[0] == pytest.approx((probability * areas).sum() / 1e6, abs=1e-9)


def test_members_give_zones_a_range_and_unknown_cells_count_nowhere():
    totals = PresenceTotals(["a"], 3)
    probability = np.array([[0.95, 0.85, 0.92], [0.02, 0.005, 0.2], [np.nan] * 3])
    other = PresenceTotals(["a"], 3)
    totals.add(probability[:1], np.array([1e6]), region=np.array([0]), presence=np.array([0.5]))
    other.add(probability[1:], np.array([1e6, 1e6]), region=np.array([-1, 0]))
    totals.merge(other)
    assert totals.zones["continuous"].of("a").tolist() == [0.5, 0.0, 0.5]
    assert totals.zones["none"].of().tolist() == [0.0, 1.0, 0.0]
    records = zone_records(totals, epoch="2000-2004")
    assert [r["zone"] for r in records[:5]] == list(reversed(ZONES))
    assert [r["region"] for r in records[::5]] == ["all", "a", "elsewhere"]
    first = records[0]
    assert (first["mean"], first["median"]) == (pytest.approx(1 / 3), 0.5)


@settings(max_examples=25, deadline=None)
@given(SHARES)
def test_no_other_threshold_keeps_the_area_better(probability):
    probability = probability.round(3)
    areas = np.linspace(1.0, 2.0, len(probability))
    match = AreaMatch()
    match.add(probability, areas)
    found, expected = match.threshold(), (probability * areas).sum()
    assert match.expected == pytest.approx(expected, abs=1e-9)

    def away(threshold):
        return abs(areas[probability >= threshold - 1e-9].sum() - expected)

    assert match.area_above(found) == pytest.approx(areas[probability >= found - 1e-9].sum())
    assert all(away(found) <= away(other) + 1e-9 for other in [*probability, 0.0, 1.0])


def test_a_threshold_of_parts_is_that_of_the_whole():
    probability = np.random.default_rng(3).uniform(0, 1, 500)
    whole, one, other = AreaMatch(), AreaMatch(), AreaMatch()
    whole.add(probability, np.ones(500))
    one.add(probability[::2], np.ones(250))
    other.add(probability[1::2], np.ones(250))
    one.merge(other)
    assert one.threshold() == whole.threshold()
    assert 0.4 < one.threshold() < 0.6


def test_faults_are_named():
    with pytest.raises(PermagridError, match=r"from 0 to 1, found 0\.2 to 85"):
        zone_codes(np.array([0.2, 85.0]))
    with pytest.raises(PermagridError, match=r"between 0 and 0\.1"):
        zone_codes(np.array([0.2]), lowest=0.2)
    with pytest.raises(PermagridError, match="no cell"):
        AreaMatch().threshold()
    with pytest.raises(PermagridError, match="begins elsewhere"):
        PresenceTotals([], 1).merge(PresenceTotals([], 1, lowest=0.05))
