"""Rasters as they come: every quirk of the real files that the data folder holds."""

import numpy as np
import pytest
from made_rasters import made

from permagrid.covariates import Covariate
from permagrid.covariates.resample import onto
from permagrid.covariates.sources import decimated, open_grid, undeclared_sentinel
from permagrid.grid import make_geobox


def _at(grid, longitude, latitude, **options):
    """Value of a source at one place: of each time, if it has several."""
    west, south = longitude - 0.01, latitude - 0.01
    place = make_geobox("EPSG:4326", 0.02, bounds=(west, south, west + 0.02, south + 0.02))
    values = onto(grid, place, **options).compute(scheduler="synchronous").values
    return values[..., 0, 0]


def test_a_bil_equals_its_tif(real_data):
    folder = real_data / "worldclim14-bio-10min"
    bil, tif = open_grid(folder / "bio1.bil", crs="EPSG:4326"), open_grid(folder / "bio1.tif")
    np.testing.assert_array_equal(bil.values, tif.values)
    np.testing.assert_allclose(bil.odc.geobox.affine[:6], tif.odc.geobox.affine[:6], atol=1e-9)
    assert np.isfinite(tif.values).sum() == 584_521
    yakutsk = made(
        Covariate("bio1", "raster", "degC", {"path": "bio1.tif", "stored_unit": "0.1 degC"}),
        make_geobox("EPSG:3995", 10_000, bounds=(2_300_000, 1_900_000, 2_350_000, 1_950_000)),
        folder,
    )
    assert -13 < float(yakutsk.mean()) < -7


def test_soil_fractions_add_up(real_data):
    folder = real_data / "hwsd-topsoil-3min"
    parts = [open_grid(folder / f"T_{name}.nc4", nodata=-1) for name in ("SAND", "SILT", "CLAY")]
    assert parts[0].shape == (3600, 7200)
    siberia = make_geobox("EPSG:6931", 20_000, bounds=(1_800_000, 1_400_000, 2_200_000, 2_000_000))
    total = sum(onto(part, siberia).compute(scheduler="synchronous").values for part in parts)
    seen = np.isfinite(total)
    assert seen.mean() > 0.9
    # Bare rock and water are zeros in the file.
    assert (total[seen] < 100.5).all()
    assert (total[seen] > 99.5).mean() > 0.8


def test_relief_from_20_to_380_degrees_east_is_whole(real_data):
    relief = open_grid(real_data / "etopo20" / "etopo20.cdf")
    assert _at(relief, 86.9, 28.0) > 4500
    assert _at(relief, 0.0, 60.0) == pytest.approx(-115, abs=15)
    assert _at(relief, 0.0, 89.9) < -3500
    assert _at(relief, 180.0, 65.0) == pytest.approx(float(_at(relief, -180.0, 65.0)), abs=1e-3)
    # Where the file begins and ends, at 20.17 and 380.17, nothing jumps.
    along = [float(_at(relief, longitude, 66.0)) for longitude in np.arange(19.4, 21.0, 0.1)]
    assert np.isfinite(along).all()
    assert np.abs(np.diff(along)).max() < 90
    assert undeclared_sentinel(decimated(relief)) is None


def test_air_temperature_from_0_to_357_5_has_no_gap_at_greenwich(real_data):
    air = open_grid(real_data / "ncep-air-ltm" / "air.mon.ltm.nc", variable="air")
    assert air.shape == (12, 73, 144)
    west, middle, east = (_at(air, longitude, 62.0) for longitude in (-1.25, -0.6, 0.0))
    assert np.isfinite(middle).all()
    assert ((middle >= np.minimum(west, east) - 1e-3) & (middle <= np.maximum(west, east) + 1e-3)).all()
    np.testing.assert_allclose(_at(air, 0.0, 89.9), _at(air, 180.0, 89.9), atol=0.2)
    folder = real_data / "ncep-air-ltm"
    grid = make_geobox("EPSG:3995", 100_000, bounds=(1_800_000, 1_800_000, 2_200_000, 2_200_000))
    options = {"path": "air.mon.ltm.nc", "variable": "air"}
    freezing, thawing = (
        made(Covariate(name, name, "degC day", options), grid, folder).values
        for name in ("air_freezing_index", "air_thawing_index")
    )
    # East Siberia.
    assert (freezing > 4000).all()
    assert ((thawing > 300) & (thawing < 2500)).all()


def test_the_zonal_anomaly_of_the_arctic(real_data):
    covariate = Covariate(
        "anomaly",
        "zonal_anomaly",
        "delta degC",
        {"path": "ZonAnn.Ts+dSST.csv", "reference": [1960, 1990]},
        years=(1880, 2022),
    )
    grid = make_geobox("EPSG:3995", 200_000, region=(-180, 60, 180, 90))
    recent = made(covariate, grid, real_data / "gistemp", epoch=(2015, 2019)).values
    assert 1.5 < np.nanmax(recent) < 3.0
    itself = made(covariate, grid, real_data / "gistemp", epoch=(1960, 1990)).values
    np.testing.assert_allclose(itself[np.isfinite(itself)], 0, atol=1e-6)
    anomalies = open_grid(real_data / "gistemp" / "amaps.nc")
    assert _at(anomalies, 179.9, 70.0) == pytest.approx(float(_at(anomalies, -179.9, 70.0)), abs=0.01)


def test_a_time_20000_years_ago_is_found(real_data):
    folder = real_data / "paleoclim-1deg"
    grid = make_geobox("EPSG:3995", 100_000, bounds=(1_500_000, 1_500_000, 2_500_000, 2_500_000))
    past, present = (
        made(
            Covariate(
                "t", "raster", "degC", {"path": "example_climate_v1.3.0.nc", "variable": "BIO1", "time": time}
            ),
            grid,
            folder,
        ).values
        for time in (-20000, 0)
    )
    assert np.nanmean(past) < np.nanmean(present) - 3


def test_permafrost_classes_on_a_sphere_come_to_their_places(real_data):
    classes = open_grid(real_data / "brown-ipa-permafrost" / "nhipa.tif")
    for place, (longitude, latitude, codes) in {
        "Utqiagvik": (-156.6, 71.25, {1}),
        "Yakutsk": (129.7, 62.0, {17}),
        "Fairbanks": (-147.7, 64.85, {2, 6}),
        "Greenland ice sheet": (-40.0, 72.0, {21}),
        "North Pole": (0.0, 89.95, {24}),
        "Moscow": (37.6, 55.7, {25}),
    }.items():
        assert float(_at(classes, longitude, latitude, kind="class")) in codes, place
    # On a coarse grid they stay codes.
    grid = make_geobox("EPSG:6931", 100_000, region=(-180, 60, 180, 90))
    found = onto(classes, grid, kind="class").compute(scheduler="synchronous").values
    assert set(np.unique(found[np.isfinite(found)])) <= set(range(26))


def test_years_from_190_to_330_degrees_east(real_data):
    folder = real_data / "era-north-america-0p5deg"
    covariate = Covariate("ta", "raster", "degC", {"path": "ta.nc"}, years=(2014, 2016))
    alaska = make_geobox("EPSG:4326", 0.5, region=(-170, 55, -140, 72))
    three = made(covariate, alaska, folder, epoch=(2014, 2016)).values
    years = [made(covariate, alaska, folder, epoch=(year, year)).values for year in (2014, 2015, 2016)]
    np.testing.assert_allclose(three, np.mean(years, axis=0), atol=1e-4)
    assert -20 < np.nanmin(three) < np.nanmax(three) < 12
    # The file begins at 170 W: west of that there is nothing.
    chukotka = make_geobox("EPSG:4326", 0.5, region=(170, 60, -172, 70))
    assert np.isnan(made(covariate, chukotka, folder, epoch=(2014, 2014)).values).all()


def test_every_real_raster_opens_and_hides_no_sentinel(real_data):
    files = [path for path in sorted(real_data.glob("*/*.tif")) if "landsat" not in path.parent.name]
    assert len(files) > 20
    for path in files:
        grid = open_grid(path)
        assert undeclared_sentinel(decimated(grid)) is None, path.name
