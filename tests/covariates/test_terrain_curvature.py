"""Slopes and curvatures of surfaces whose shape is known: planes, saddles, cones, hills, on any grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyproj import Geod

from permagrid.covariates.terrain.bending import CURVATURES, curvature
from permagrid.covariates.terrain.frame import frame_of
from permagrid.covariates.terrain.local import DIRECTIONS, direction, gradient, roughness
from permagrid.grid import lonlat, make_geobox, positions

GRID = make_geobox("EPSG:32632", 30, bounds=(400_000, 5_100_000, 400_600, 5_100_600))
PLANE = frame_of(GRID, distances="plane")
INNER = (slice(1, -1), slice(1, -1))
PLACE = {"row": 1, "column": 1}


def centred(grid):
    """Return x and y of cells from the middle of a grid [m]."""
    x, y = positions(grid, (slice(0, grid.shape[0]), slice(0, grid.shape[1])))
    return x - x.mean(), y - y.mean()


def expected(p, q, r, s, t):
    """Return all indices of a surface of these derivatives, written as in the textbook."""
    steep = p**2 + q**2
    along = p**2 * r + 2 * p * q * s + q**2 * t
    across = q**2 * r - 2 * p * q * s + p**2 * t
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "slope": np.degrees(np.arctan(np.sqrt(steep))),
            "aspect": np.mod(np.degrees(np.arctan2(-p, -q)), 360),
            "aspect_sine": np.sin(np.arctan2(-p, -q)),
            "aspect_cosine": np.cos(np.arctan2(-p, -q)),
            "northness": np.cos(np.arctan2(-p, -q)) * np.sin(np.arctan(np.sqrt(steep))),
            "eastness": np.sin(np.arctan2(-p, -q)) * np.sin(np.arctan(np.sqrt(steep))),
            "longitudinal": -along / steep,
            "cross_sectional": -across / steep,
            "profile": -along / (steep * (1 + steep) ** 1.5),
            "plan": -across / steep**1.5,
            "tangential": -across / (steep * np.sqrt(1 + steep)),
        }


def found(height, frame, **place):
    return {
        **{name: direction(height, frame, name, **place) for name in DIRECTIONS},
        **{name: curvature(height, frame, name, **place) for name in CURVATURES},
    }


QUADRATICS = {
    "inclined plane": (0, 0, 0, 0.3, -0.7),
    "nearly vertical plane": (0, 0, 0, 40.0, 9.0),
    "saddle": (2e-3, 0, -2e-3, 0.05, 0.02),
    "saddle across": (0, 4e-3, 0, 0.3, 0.1),
    "valley": (1e-3, -2e-3, 1e-3, 0.2, 0.2),
    "dome": (-2e-3, 1e-3, -3e-3, 0.5, 0.4),
}


@pytest.mark.parametrize("name", QUADRATICS)
def test_surfaces_of_second_order_are_exact(name):
    a, b, c, d, e = QUADRATICS[name]
    x, y = centred(GRID)
    truth = expected(2 * a * x + b * y + d, b * x + 2 * c * y + e, 2 * a, b, 2 * c)
    for index, values in found(a * x**2 + b * x * y + c * y**2 + d * x + e * y, PLANE, **PLACE).items():
        exact = np.broadcast_to(truth[index], x.shape)[INNER]
        # The outputs are in single precision.
        np.testing.assert_allclose(values, exact, rtol=2e-6, atol=1e-9, err_msg=index)


def test_slopes_of_all_directions_are_exact_to_single_precision():
    """The arctangent is our own; an eighth of a circle, where its parts meet, is as good as any place."""
    angle = np.radians(np.append(np.linspace(0, 360, 977), np.arange(0, 360, 22.5)))
    for steepness in (1e-6, 0.1, 0.4142135623730951, 1.0, 2.414213562373095, 1e4):
        for one in angle:
            p, q = steepness * np.sin(one), steepness * np.cos(one)
            rows = np.array([[q, q, q], [0, 0, 0], [-q, -q, -q]]) * 30 + np.array([-30, 0, 30]) * p
            wanted = expected(p, q, 0, 0, 0)
            slope, aspect = (direction(rows, PLANE, name)[0, 0] for name in ("slope", "aspect"))
            assert abs(slope / wanted["slope"] - 1) < 2e-7
            assert abs((aspect - wanted["aspect"] + 180) % 360 - 180) < 2e-5
            assert 0 <= aspect < 360


def test_horn_is_the_mean_of_three_rows():
    height = np.random.default_rng(0).uniform(0, 50, (12, 12))
    along, up = gradient(height, PLANE, formula="horn")
    rows = [gradient(np.roll(height, k, axis=0), PLANE)[0] for k in (1, 0, -1)]
    # Rolling brings the last row to the front, so that the rows at the rim are not compared.
    np.testing.assert_allclose(along[1:-1], ((rows[0] + 2 * rows[1] + rows[2]) / 4)[1:-1], atol=1e-12)
    columns = [gradient(np.roll(height, k, axis=1), PLANE)[1] for k in (1, 0, -1)]
    mean = (columns[0] + 2 * columns[1] + columns[2]) / 4
    np.testing.assert_allclose(up[:, 1:-1], mean[:, 1:-1], atol=1e-12)


def cone(x, y):
    """Return a cone, and its derivatives."""
    d = np.hypot(x, y)
    return (
        -0.4 * d,
        (-0.4 * x / d, -0.4 * y / d),
        (
            -0.4 * y**2 / d**3,
            0.4 * x * y / d**3,
            -0.4 * x**2 / d**3,
        ),
    )


def gaussian(x, y, sigma=150.0):
    """Return a Gaussian hill, and its derivatives."""
    z = 120 * np.exp(-(x**2 + y**2) / (2 * sigma**2))
    p, q = -z * x / sigma**2, -z * y / sigma**2
    second = z * (x**2 / sigma**4 - 1 / sigma**2), z * x * y / sigma**4, z * (y**2 / sigma**4 - 1 / sigma**2)
    return z, (p, q), second


@pytest.mark.parametrize("surface", [cone, gaussian])
def test_errors_fall_with_the_square_of_the_cell(surface):
    errors = []
    for cell in (8, 4):
        grid = make_geobox("EPSG:32632", cell, bounds=(0, 0, 400, 400))
        x, y = centred(grid)
        far = (np.hypot(x, y)[INNER] > 60) & (np.hypot(x, y)[INNER] < 190)
        height, first, second = surface(x, y)
        truth = expected(*first, *second)
        values = found(height, frame_of(grid, distances="plane"), **PLACE)
        spans = {name: np.abs(truth[name][INNER][far]).max() + 1e-9 for name in values}
        difference = {name: (values[name] - truth[name][INNER] + 180) % 360 - 180 for name in values}
        errors.append({name: np.abs(difference[name][far]).max() / max(spans[name], 1e-3) for name in values})
    for name, coarse in errors[0].items():
        assert errors[1][name] < max(coarse / 3.5, 3e-5), name
        assert errors[1][name] < 2e-2, name


def test_a_cone_curves_across_and_not_along():
    x, y = centred(GRID)
    distance = np.hypot(x, y)[INNER]
    far = distance > 150
    height = cone(x, y)[0]
    plan = curvature(height, PLANE, "plan")
    np.testing.assert_allclose(plan[far] * distance[far], 1.0, rtol=0.05)
    assert np.abs(curvature(height, PLANE, "profile")[far]).max() < 0.05 * plan[far].max()


def test_level_ground_has_no_curvature_and_faces_nowhere():
    level = np.full((5, 7), 431.7, dtype="float32")
    for name in CURVATURES:
        assert (curvature(level, PLANE, name) == 0).all()
    assert np.isnan(direction(level, PLANE, "aspect")).all()
    for name in set(DIRECTIONS) - {"aspect"}:
        assert (direction(level, PLANE, name) == 0).all()
    # A summit faces nowhere either.
    summit = np.array([[0.0, 1, 0], [1, 2, 1], [0, 1, 0]])
    assert [curvature(summit, PLANE, name)[0, 0] for name in CURVATURES] == [0] * 5


heights = arrays(
    "float64",
    st.tuples(st.integers(3, 7), st.integers(3, 7)),
    elements=st.one_of(st.integers(-50, 50).map(float), st.just(np.nan)),
)


def alike(one, other, angle=False):
    both = np.isnan(one) == np.isnan(other)
    difference = np.nan_to_num(one - other)
    if angle:
        difference = (difference + 180) % 360 - 180
    return both.all() and np.abs(difference).max() < (1e-3 if angle else 1e-5)


@settings(deadline=None, max_examples=60)
@given(height=heights, formula=st.sampled_from(["zevenbergen_thorne", "horn"]))
def test_turning_and_mirroring_changes_only_directions(height, formula):
    """Also beside missing cells: each rule for them is the same on all sides."""
    turns = {
        "quarter": (np.rot90, lambda aspect: aspect - 90, lambda n, e: (e, -n)),
        "mirrored": (np.fliplr, lambda aspect: -aspect, lambda n, e: (n, -e)),
        "upside down": (np.flipud, lambda aspect: 180 - aspect, lambda n, e: (-n, e)),
    }

    def made(values, name):
        return direction(values, PLANE, name, formula=formula)

    for turn, to_aspect, to_parts in turns.values():
        new = turn(height).copy()
        assert alike(made(new, "slope"), turn(made(height, "slope")))
        assert alike(made(new, "aspect"), to_aspect(turn(made(height, "aspect"))), angle=True)
        north, east = to_parts(turn(made(height, "northness")), turn(made(height, "eastness")))
        assert alike(made(new, "northness"), north)
        assert alike(made(new, "eastness"), east)
        assert alike(roughness(new), turn(roughness(height)))
        for name in CURVATURES:
            scale = 1e-3 if name == "plan" else 1.0
            one, other = curvature(new, PLANE, name), turn(curvature(height, PLANE, name))
            assert alike(one * scale, other * scale), name


@settings(deadline=None, max_examples=60)
@given(
    missing=arrays("bool", (7, 6)),
    tilt=st.tuples(st.integers(-5, 5), st.integers(-5, 5)),
    formula=st.sampled_from(["zevenbergen_thorne", "horn"]),
)
def test_beside_missing_cells_a_plane_goes_on(missing, tilt, formula):
    """Wherever a row and a column have one neighbour at least, a plane is known."""
    row, column = np.mgrid[0:7, 0:6]
    plane = 30.0 * (tilt[0] * row + tilt[1] * column)
    holed = np.where(missing, np.nan, plane)
    there = ~missing
    known = there[1:-1, 1:-1] & (there[:-2, 1:-1] | there[2:, 1:-1]) & (there[1:-1, :-2] | there[1:-1, 2:])
    whole = direction(plane, PLANE, "slope", formula=formula)
    found = direction(holed, PLANE, "slope", formula=formula)
    np.testing.assert_allclose(found[known], whole[known], rtol=1e-6)
    assert (np.isnan(found) == missing[1:-1, 1:-1]).all()
    for name in CURVATURES:
        bent = curvature(holed, PLANE, name)
        assert (np.isnan(bent) == missing[1:-1, 1:-1]).all()
        np.testing.assert_allclose(bent[known], 0, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(height=heights)
def test_roughness_is_the_range_of_those_that_are_there(height):
    found = roughness(height)
    for row, column in np.ndindex(found.shape):
        window = height[row : row + 3, column : column + 3]
        if np.isnan(window[1, 1]):
            assert np.isnan(found[row, column])
        else:
            assert found[row, column] == np.nanmax(window) - np.nanmin(window)


SIGMA, TOP = 5_000.0, 1_000.0
MOUNTAINS = {
    f"{crs} at {latitude} N": (crs, latitude)
    for crs in ("EPSG:4326", "EPSG:32632", "EPSG:3413", "EPSG:6931")
    for latitude in (45, 70, 80, 88)
}


@pytest.mark.parametrize("name", MOUNTAINS)
def test_the_same_mountain_has_the_same_shape_on_every_grid(name):
    """A Gaussian mountain by distance on the ellipsoid, 300 m cells: within 0.1 % but for the cell's size."""
    crs, latitude = MOUNTAINS[name]
    summit = 12.0, float(latitude)
    lean, tall = 0.12 / np.cos(np.radians(latitude)), 0.08
    region = summit[0] - lean, summit[1] - tall, summit[0] + lean, summit[1] + tall
    grid = make_geobox(crs, 0.0027 if crs == "EPSG:4326" else 300, region=region)
    longitude, latitudes = lonlat(grid)
    there = np.full(longitude.shape, summit[0]), np.full(longitude.shape, summit[1])
    _, back, distance = Geod(ellps="WGS84").inv(*there, longitude, latitudes)
    height = TOP * np.exp(-(distance**2) / (2 * SIGMA**2))
    fall = height * distance / SIGMA**2
    # Along the slope the height bends as a Gaussian does, across it by 1 / distance.
    along, across = -height * (distance**2 / SIGMA**4 - 1 / SIGMA**2), fall / np.maximum(distance, 1.0)
    truth = {
        "slope": np.degrees(np.arctan(fall)),
        "aspect": np.mod(back + 180, 360),
        "longitudinal": along,
        "cross_sectional": across,
        "profile": along / (1 + fall**2) ** 1.5,
        "tangential": across / np.sqrt(1 + fall**2),
        "plan": 1 / np.maximum(distance, 1.0),
    }
    known = ((distance > 900) & (distance < 11_000))[INNER]
    for index, values in found(height, frame_of(grid), **PLACE).items():
        if index not in truth:
            continue
        error = np.abs((values - truth[index][INNER] + 180) % 360 - 180)[known]
        tolerance = {"slope": 0.02, "aspect": 0.06}.get(
            index, 2e-3 * np.abs(truth[index][INNER][known]).max()
        )
        assert error.max() < tolerance, index


def test_rows_that_are_parallels_bend_nothing():
    """A tilt towards the pole is straight along meridians, and bends across them as parallels do."""
    grid = make_geobox("EPSG:4326", 0.01, bounds=(10, 88, 10.1, 88.1))
    latitude = lonlat(grid)[1]
    from_pole = Geod(ellps="WGS84").inv(latitude * 0, latitude, latitude * 0, latitude * 0 + 90.0)[2]
    frame = frame_of(grid)
    height = -0.1 * from_pole
    assert np.abs(curvature(height, frame, "longitudinal", **PLACE)).max() < 1e-9
    plan = curvature(height, frame, "plan", **PLACE)
    np.testing.assert_allclose(plan * from_pole[INNER], 1.0, rtol=1e-3)
