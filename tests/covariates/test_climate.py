"""Zonal anomalies against numbers worked out by hand."""

import numpy as np
import pytest
from made_rasters import made

from permagrid.covariates import Covariate
from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox

BANDS = ["64N-90N", "44N-64N", "24N-44N"]
CHINA_TO_POLE = make_geobox("EPSG:4326", 1, bounds=(100, 20, 104, 90))


def _table(path, rows):
    lines = ["Year,Glob,64N-90N,44N-64N,24N-44N,EQU-24N"]
    path.write_text("\n".join([*lines, *(",".join(map(str, row)) for row in rows)]) + "\n")


def _anomaly(root, epoch, **keywords):
    covariate = Covariate(
        "a", "zonal_anomaly", "delta degC", {"path": "z.csv", **keywords}, years=(1880, 2022)
    )
    return made(covariate, CHINA_TO_POLE, root, epoch=epoch).values


@pytest.fixture
def zones(tmp_path):
    rows = [[year, 0, year - 1990, (year - 1990) / 2, 1.0, -1.0] for year in range(1980, 2001)]
    _table(tmp_path / "z.csv", rows)
    return tmp_path


def test_an_anomaly_is_constant_in_a_band_or_blends_between_their_middles(zones):
    latitude = lonlat(CHINA_TO_POLE)[1]
    stepped = _anomaly(zones, (1996, 2000), blend=False)
    np.testing.assert_allclose(stepped, np.select([latitude > 64, latitude > 44], [8.0, 4.0], 1.0))
    blended = _anomaly(zones, (1996, 2000))
    np.testing.assert_allclose(blended, np.interp(latitude, [34, 54, 77], [1.0, 4.0, 8.0]), atol=1e-6)
    assert np.abs(np.diff(blended[:, 0])).max() < 0.25


def test_bands_may_stand_in_any_order(zones):
    np.testing.assert_array_equal(
        _anomaly(zones, (1996, 2000), bands=BANDS[::-1]), _anomaly(zones, (1996, 2000))
    )


def test_an_anomaly_counts_from_its_reference(zones):
    np.testing.assert_allclose(_anomaly(zones, (1996, 2000), reference=(1980, 1990), blend=False)[0], 13.0)


def test_an_anomaly_is_averaged_over_a_window_around_the_epoch(zones):
    one, nine = (_anomaly(zones, (1996, 1996), window=years) for years in (None, 9))
    np.testing.assert_array_equal(one, nine)
    np.testing.assert_array_equal(_anomaly(zones, (1992, 1992), window=5), _anomaly(zones, (1990, 1994)))


@pytest.mark.parametrize(
    ("epoch", "keywords", "message"),
    [
        ((1998, 2002), {}, "years 2001, 2002 of 1998-2002 are not there; it covers 1980-2000"),
        ((1990, 1994), {"reference": (1970, 1980)}, "years 1970, 1971.* are not there"),
        ((1990, 1994), {"bands": ["60N-90N"]}, "missing column 60N-90N"),
        ((1990, 1994), {"bands": ["64N-90N", "north"]}, "latitude band 'north' is not written like 64N-90N"),
        ((1990, 1994), {"bands": ["64N-90N", "24N-90N"]}, "overlap"),
        ((2000, 2000), {"window": 3}, "years 2001 of 1999-2001 are not there"),
        ((2000, 2000), {"window": 2}, "window must be an odd number"),
        ((1990, 1994), {"path": "none.csv"}, r"none\.csv: cannot be read as a table"),
    ],
)
def test_a_table_that_does_not_suffice_is_refused(zones, epoch, keywords, message):
    with pytest.raises(PermagridError, match=message):
        _anomaly(zones, epoch, **keywords)


def test_a_window_that_reads_years_not_stated_is_refused(zones):
    keywords = {"path": "z.csv", "window": 9}
    covariate = Covariate("a", "zonal_anomaly", "delta degC", keywords, years=(1990, 1999))
    with pytest.raises(PermagridError) as told:
        made(covariate, CHINA_TO_POLE, zones, epoch=(1990, 1994))
    assert str(told.value) == (
        "covariate a: window: 9 reads 1988-1989 for the epoch 1990-1994, but years says that the data cover "
        "1990-1999; set years: 1988-1999, or a shorter window"
    )
    assert np.isfinite(made(covariate, CHINA_TO_POLE, zones, epoch=(1992, 1996)).values).all()


def test_a_year_without_a_number_is_refused_not_skipped(zones):
    _table(zones / "z.csv", [[1990, 0, 1, 1, 1, 1], [1991, 0, "***", 1, 1, 1]])
    with pytest.raises(PermagridError, match="years 1991 of 1990-1991 are not there"):
        _anomaly(zones, (1990, 1991))


def test_an_anomaly_needs_years(zones):
    with pytest.raises(PermagridError, match="needs years and epochs"):
        made(Covariate("a", "zonal_anomaly", "delta degC", {"path": "z.csv"}), CHINA_TO_POLE, zones)
