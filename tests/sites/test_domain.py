"""Points of the map: where it has values, in proportion to area, the same for a seed."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from odc.geo.xr import xr_coords

from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox
from permagrid.sites.domain import draw_domain

GLOBE = make_geobox("EPSG:4326", 0.5, bounds=(-180, 50, 180, 90))
POLAR = make_geobox("EPSG:3995", 50_000, bounds=(-2_000_000, -2_000_000, 2_000_000, 2_000_000))


def stack_on(geobox, *, epochs=()):
    _, latitude = lonlat(geobox)
    air = np.where(latitude < 80, latitude, np.nan).astype("float32")
    dims = tuple(geobox.dimensions)
    layers = {"air": (dims, air), "elevation": (dims, np.ones(geobox.shape, dtype="float32"))}
    coords = dict(xr_coords(geobox))
    if epochs:
        layers["air"] = (("epoch", *dims), np.stack([air + index for index in range(len(epochs))]))
        coords["epoch"] = list(epochs)
    return xr.Dataset(layers, coords)


@pytest.mark.parametrize("geobox", [GLOBE, POLAR], ids=["globe", "polar"])
def test_points_fall_in_proportion_to_area(geobox):
    points = draw_domain(stack_on(geobox), ["air", "elevation"], 4000, seed=3)
    assert len(points) == 4000
    assert points["latitude"].max() < 80
    assert not points.duplicated(["longitude", "latitude"]).any()
    np.testing.assert_allclose(points["air"], points["latitude"], atol=1e-4)
    ring = (points["latitude"] > 75).mean() / (points["latitude"] > 72).mean()
    caps = [np.sin(np.radians(80)) - np.sin(np.radians(edge)) for edge in (75, 72)]
    assert ring == pytest.approx(caps[0] / caps[1], abs=0.05)


def test_epochs_take_turns_and_have_their_own_values():
    points = draw_domain(stack_on(POLAR, epochs=["1980-1984", "1985-1989"]), ["air"], 600)
    shift = points["air"] - points["latitude"]
    assert (shift.round() == (points["epoch"] == "1985-1989")).all()
    assert 0.4 < (points["epoch"] == "1985-1989").mean() < 0.6


def test_the_same_seed_gives_the_same_points_and_a_small_map_gives_each_cell_once():
    stack = stack_on(POLAR)
    once, again = (draw_domain(stack, ["air"], 100, seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(once, again)
    assert not once.equals(draw_domain(stack, ["air"], 100, seed=6))
    cells = int(np.isfinite(stack["air"].values).sum())
    everything = draw_domain(stack, ["air"], 10**5)
    assert cells * 0.99 <= len(everything) <= cells


def test_a_map_without_a_whole_cell_is_refused():
    stack = stack_on(POLAR)
    with pytest.raises(PermagridError, match="has all of air, elevation"):
        draw_domain(stack.assign(elevation=stack["elevation"] * np.nan), ["air", "elevation"], 10)
    with pytest.raises(PermagridError, match="at least 1 must be drawn, found 0"):
        draw_domain(stack, ["air"], 0)
