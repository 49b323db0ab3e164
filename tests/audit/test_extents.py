"""Data sets are told by their names, with the years and latitudes between which they exist."""

import re

import pytest

from permagrid.catalogue import SOURCES
from permagrid.catalogue.extents import EXTENTS, extent_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("davos_dem_SRTM1.tif", "SRTM"),
        ("dem/NASADEM_n60.tif", "SRTM"),
        ("merit_dem_srtm.tif", "MERIT DEM"),
        ("MOD13A3.A2000001.ndvi.tif", "MODIS"),
        ("MYD11A2_{year}.tif", "MODIS on Aqua"),
        ("modis_vegetation_index", "MODIS"),
        ("ESACCI-LC-L4-LCCS-Map-300m-P1Y-2015.tif", "ESA CCI Land Cover"),
        ("ESA CCI Land Cover 2.0.7", "ESA CCI Land Cover"),
        ("landsat_index", "Landsat Level 2"),
        ("LC08_L2SP_223063.tif", "Landsat 8"),
        ("LT05_L2SP_223063.tif", "Landsat 5"),
        ("sentinel2_index", "Sentinel-2"),
        ("S1/sentinel-1_vv.tif", "Sentinel-1"),
        ("sentinel-10.tif", None),
        ("era5_land_t2m.nc", "ERA5-Land"),
        ("ERA5-Land monthly means", "ERA5-Land"),
        ("era5/t2m.nc", "ERA5"),
        ("GTN-P CALM", "CALM"),
        ("calming_effect.tif", None),
        ("worldclim14-bio-10min/alt.tif", None),
        ("model/modern_mod.tif", None),
        ("grace_bay.tif", "GRACE"),
        ("disgrace.tif", None),
    ],
)
def test_names_of_files_methods_and_citations(text: str, title: str | None) -> None:
    found = extent_of(text)
    assert (found.title if found else None) == title


def test_the_first_text_that_names_one_decides() -> None:
    assert extent_of("made with MODIS", "srtm.tif").title == "MODIS"
    assert extent_of("nothing", "srtm.tif").title == "SRTM"


@pytest.mark.parametrize("name", ["chelsa2.1/monthly", "esa-cci-permafrost5.0", "modis/MOD13A1"])
def test_citations_of_named_sources_have_the_years_of_the_catalogue(name: str) -> None:
    source = SOURCES[name]
    found = extent_of(f"{source.title}. {source.cited}")
    assert (found.title, found.years) == (source.title, source.years)


def test_a_climatology_of_the_catalogue_has_no_years_of_its_own() -> None:
    source = SOURCES["worldclim2.1/bio"]
    assert extent_of(f"{source.title}. {source.cited}") is None


def test_the_table_makes_sense() -> None:
    for known in EXTENTS:
        assert re.compile(known.pattern)
        assert known.years or known.latitudes
        if known.years and known.years[1] is not None:
            assert known.years[0] <= known.years[1]
        if known.latitudes:
            assert -90 <= known.latitudes[0] < known.latitudes[1] <= 90
    assert len({known.title for known in EXTENTS}) == len(EXTENTS)
