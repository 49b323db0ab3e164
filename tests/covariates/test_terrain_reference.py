"""Local terrain indices against numbers that gdaldem and SAGA made of the same hills.

The numbers in `terrain_reference` are outputs of GDAL 3.6.2 and SAGA 8.5.0 on ``hills.tif``, which is
``write_tif(Path("hills.tif"), hills(), HILLS_GRID)``, each turned into text by
``gdal_translate -of AAIGrid -co SIGNIFICANT_DIGITS=8 NAME.tif NAME.asc``::

    gdaldem slope hills.tif gdaldem_slope_zevenbergen_thorne.tif -alg ZevenbergenThorne
    gdaldem slope hills.tif gdaldem_slope_horn.tif
    gdaldem aspect hills.tif gdaldem_aspect_zevenbergen_thorne.tif -alg ZevenbergenThorne
    gdaldem aspect hills.tif gdaldem_aspect_horn.tif
    gdaldem roughness hills.tif gdaldem_roughness.tif
    gdaldem TPI hills.tif gdaldem_topographic_position_index.tif
    saga_cmd ta_morphometry 0 -ELEVATION hills.tif -SLOPE slope -ASPECT aspect -METHOD 6 \
        -C_CROS saga_cross_sectional_curvature -C_LONG saga_longitudinal_curvature
    saga_cmd grid_filter 0 -INPUT hills.tif -RESULT saga_mean_filter -METHOD 0 -KERNEL_TYPE 1 -KERNEL_RADIUS 3
    saga_cmd ta_morphometry 18 -DEM hills.tif -TPI saga_topographic_position_index \
        -RADIUS_MIN 0 -RADIUS_MAX 150
    saga_cmd statistics_grid 1 -GRID hills.tif -RANGE saga_relief_amplitude -KERNEL_TYPE 1 -KERNEL_RADIUS 5
"""

from pathlib import Path

import numpy as np
import pytest
from made_hills import HILLS_GRID, hills

from permagrid.covariates.terrain.bending import curvature
from permagrid.covariates.terrain.disk import disk_of, disk_range, disk_sums, mean_filter
from permagrid.covariates.terrain.frame import frame_of
from permagrid.covariates.terrain.local import direction, roughness

PLANE = frame_of(HILLS_GRID, distances="plane")
SIDE = HILLS_GRID.shape[0]


def reference(name, rim=1):
    """Return what another program made, less the cells at the rim, whose windows are not whole."""
    text = Path(__file__).with_name("terrain_reference") / f"{name}.txt"
    return np.loadtxt(text, skiprows=6)[rim:-rim, rim:-rim]


def turned(difference):
    return (difference + 180) % 360 - 180


@pytest.mark.parametrize("formula", ["zevenbergen_thorne", "horn"])
@pytest.mark.parametrize("wanted", ["slope", "aspect"])
def test_slope_and_aspect_are_those_of_gdaldem(wanted, formula):
    found = direction(hills(), PLANE, wanted, formula=formula)
    error = np.abs(turned(found - reference(f"gdaldem_{wanted}_{formula}")))
    # Horn in gdaldem 3.6 is in single precision.
    assert np.quantile(error, 0.99) < (1e-3 if formula == "horn" else 1e-4)
    assert error.max() < 5e-3


def test_roughness_is_that_of_gdaldem():
    np.testing.assert_allclose(roughness(hills()), reference("gdaldem_roughness"), rtol=1e-6)


def test_the_mean_of_eight_neighbours_is_that_of_gdaldem():
    height = hills()
    disk = disk_of(HILLS_GRID, (slice(1, SIDE - 1), slice(1, SIDE - 1)), 45.0, "plane")
    total, count = disk_sums(height, disk)
    assert (disk.down, disk.along) == (1, 1)
    assert (count == 9).all()
    centre = height[1:-1, 1:-1]
    expected = reference("gdaldem_topographic_position_index")
    np.testing.assert_allclose(centre - (total - centre) / 8, expected, atol=1e-3)


@pytest.mark.parametrize("wanted", ["cross_sectional", "longitudinal"])
def test_curvatures_that_are_right_there_are_those_of_saga(wanted):
    found = curvature(hills(), PLANE, wanted)
    np.testing.assert_allclose(found, reference(f"saga_{wanted}_curvature"), rtol=1e-5, atol=1e-8)


def test_the_mean_filter_is_that_of_saga():
    np.testing.assert_allclose(mean_filter(hills(), 3.0), reference("saga_mean_filter", 3), rtol=1e-7)


def test_position_and_relief_within_a_radius_are_those_of_saga():
    height = hills()
    disk = disk_of(HILLS_GRID, (slice(5, SIDE - 5), slice(5, SIDE - 5)), 150.0, "plane")
    total, count = disk_sums(height, disk)
    # There the cell itself is part of the mean.
    position = height[5:-5, 5:-5] - total / count
    expected = reference("saga_topographic_position_index", 5)
    np.testing.assert_allclose(position, expected, atol=1e-4)
    np.testing.assert_allclose(disk_range(height, disk), reference("saga_relief_amplitude", 5), rtol=1e-6)
