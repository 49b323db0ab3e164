"""The catalogue: complete, consistent, with files named as providers name them, and true to the real data."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from permagrid.catalogue import (
    CREDENTIALS,
    SOURCES,
    Source,
    Variable,
    file_of,
    find_source,
    folder_of,
    url_of,
)
from permagrid.check.covariates import file_unit
from permagrid.covariates import COVARIATES, Covariate
from permagrid.covariates.sources import decimated, open_grid
from permagrid.errors import PermagridError
from permagrid.units import conversion, implausible, parse_unit

ALL = list(SOURCES.values())
NAMED = re.compile(r"^[A-Za-z][A-Za-z0-9_]{0,63}$")


def full_url(source: Source, variable: Variable | None, resolution: str, **others: str) -> str:
    base = source.layout_at(resolution).base or source.base
    return f"{base}/{url_of(source, variable, resolution, **others)}"


@pytest.mark.parametrize("source", ALL, ids=lambda source: source.name)
def test_every_source_says_what_a_user_must_know(source: Source) -> None:
    assert source.title
    assert source.licence.name
    assert len(source.citation) > 20
    assert source.doi or source.home
    assert not source.doi.startswith("http")
    for address in (source.home, source.licence.url, source.base):
        assert not address or urlsplit(address).scheme == "https", address
    assert all(note.endswith(".") for note in source.notes)
    assert not source.credential or source.credential in CREDENTIALS
    assert not source.static or source.years is not None


@pytest.mark.parametrize("source", ALL, ids=lambda source: source.name)
def test_units_are_known_and_can_be_converted(source: Source) -> None:
    for variable in source.variables:
        parse_unit(variable.unit)
        assert (variable.unit == "class") == (variable.kind == "class") or variable.unit == "code"
        if variable.stored_unit:
            conversion(variable.stored_unit, variable.unit)


@pytest.mark.parametrize("source", ALL, ids=lambda source: source.name)
def test_names_are_unique_and_fit_for_covariates(source: Source) -> None:
    names = [variable.name for variable in source.variables]
    assert len(names) == len(set(names))
    groups = {variable.group for variable in source.variables if variable.group}
    assert not groups & set(names)
    if source.covariates:
        assert all(map(NAMED.match, names))
        assert source.method in COVARIATES
        for variable in source.variables:
            faults = COVARIATES.faults(source.method, {"path": "x", **variable.keywords})
            assert faults == []


@pytest.mark.parametrize("source", ALL, ids=lambda source: source.name)
def test_no_placeholder_stays_in_names_and_addresses(source: Source) -> None:
    known = {"year": "2000", "span": "x", "latitude": "N46", "longitude": "E009", "item": "i", "file": "f"}
    known |= dict.fromkeys(("west", "south", "east", "north"), "1")
    for resolution in source.resolutions or ("",):
        for variable in source.variables or (None,):
            file = file_of(source, variable, resolution, **known)
            url = full_url(source, variable, resolution, **known)
            assert "{" not in file + url
            assert file
            if source.layout_at(resolution).access != "by hand":
                assert urlsplit(url).scheme == "https"


@pytest.mark.parametrize("source", [s for s in ALL if s.spans], ids=lambda source: source.name)
def test_spans_cover_all_years_once(source: Source) -> None:
    covered = [year for first, last, _ in source.spans for year in range(first, last + 1)]
    assert source.years is not None
    assert covered == list(range(source.years[0], source.years[1] + 1))


@pytest.mark.parametrize(
    ("name", "variable", "resolution", "others", "url", "file"),
    [
        (
            *("worldclim1.4/bio", "bio5", "2.5m", {}),
            "https://geodata.ucdavis.edu/climate/worldclim/1_4/grid/cur/bio_2-5m_bil.zip",
            "bio5.bil",
        ),
        (
            *("worldclim1.4/bio", "bio10", "30s", {}),
            "https://geodata.ucdavis.edu/climate/worldclim/1_4/grid/cur/bio10-19_30s_bil.zip",
            "bio_10.bil",
        ),
        (
            *("worldclim1.4/tmean", "tmean_03", "10m", {}),
            "https://geodata.ucdavis.edu/climate/worldclim/1_4/grid/cur/tmean_10m_bil.zip",
            "tmean3.bil",
        ),
        (
            *("worldclim2.1/tavg", "tavg_03", "10m", {}),
            "https://geodata.ucdavis.edu/climate/worldclim/2_1/base/wc2.1_10m_tavg.zip",
            "wc2.1_10m_tavg_03.tif",
        ),
        (
            *("worldclim2.1/monthly", "prec_12", "2.5m", {"year": "2021", "span": "2020-2024"}),
            "https://geodata.ucdavis.edu/climate/worldclim/2_1/hist/cts4.09/"
            "wc2.1_cruts4.09_2.5m_prec_2020-2024.zip",
            "wc2.1_cruts4.09_2.5m_prec_2021-12.tif",
        ),
        (
            *("chelsa2.1/bio", "bio1", "", {}),
            "https://os.unil.cloud.switch.ch/chelsa02/chelsa/global/bioclim/bio01/1981-2010/"
            "CHELSA_bio01_1981-2010_V.2.1.tif",
            "CHELSA_bio01_1981-2010_V.2.1.tif",
        ),
        (
            *("chelsa2.1/monthly", "tas_02", "", {"year": "1991"}),
            "https://os.unil.cloud.switch.ch/chelsa02/chelsa/global/monthly/tas/1991/CHELSA_tas_02_1991_V.2.1.tif",
            "CHELSA_tas_02_1991_V.2.1.tif",
        ),
        (
            *("copernicus-dem/30", None, "", {"latitude": "N46", "longitude": "E009"}),
            "https://copernicus-dem-30m.s3.amazonaws.com/Copernicus_DSM_COG_10_N46_00_E009_00_DEM/"
            "Copernicus_DSM_COG_10_N46_00_E009_00_DEM.tif",
            "Copernicus_DSM_COG_10_N46_00_E009_00_DEM.tif",
        ),
        (
            *("soilgrids2.0/soc", "soc_5_15cm", "1000m", {}),
            "https://files.isric.org/soilgrids/latest/data_aggregated/1000m/soc/soc_5-15cm_mean_1000.tif",
            "soc_5-15cm_mean_1000.tif",
        ),
        (
            *("esa-cci-permafrost5.0", "cci_ground_1m", "", {"year": "1997", "span": "X"}),
            "https://dap.ceda.ac.uk/neodc/esacci/permafrost/data/ground_temperature/L4/area4/pp/v05.0/"
            "northern_hemisphere/1997/ESACCI-PERMAFROST-L4-GTD-X-AREA4_PP-1997-fv05.0.nc",
            "ESACCI-PERMAFROST-L4-GTD-AREA4_PP-1997-fv05.0.nc",
        ),
        (
            *("calm", None, "", {}),
            "https://doi.pangaea.de/10.1594/PANGAEA.972777?format=textfile",
            "GTN-P_CALM_1990-2024.tab",
        ),
    ],
)
def test_files_lie_where_their_providers_put_them(
    name: str, variable: str | None, resolution: str, others: dict[str, str], url: str, file: str
) -> None:
    source = find_source(name)
    chosen = None if variable is None else source.chosen((variable,))[0]
    assert full_url(source, chosen, resolution, **others) == url
    assert file_of(source, chosen, resolution, **others) == file


def test_variables_are_chosen_by_name_or_element() -> None:
    monthly = find_source("worldclim2.1/monthly")
    assert [v.name for v in monthly.chosen(("prec_02", "tmin"))][-2:] == ["tmin_12", "prec_02"]
    assert len(monthly.chosen(("tmin",))) == 12
    with pytest.raises(PermagridError, match="has no variable 'tmean': did you mean"):
        monthly.chosen(("tmean",))


def test_landsat_comes_with_all_that_a_composite_masks_by() -> None:
    """Unless a study says otherwise, `landsat_index` needs both quality bands and the MTL file."""
    names = {variable.name for variable in find_source("landsat-c2-l2").variables}
    assert {"qa_pixel", "qa_radsat", "mtl.txt"} <= names


def test_folders_hold_one_source_at_one_resolution() -> None:
    folders = [folder_of(source, resolution) for source in ALL for resolution in source.resolutions or ("",)]
    assert len(folders) == len(set(folders))


def test_what_is_not_verified_says_so() -> None:
    assert {source.name for source in ALL if not source.verified} == {"hwsd1.2/topsoil", "modis/MOD13A3"}


def test_the_units_of_worldclim_fit_its_real_files(real_data: Path) -> None:
    """Each layer comes out plausible in the catalogue's units, and seasonality as a standard deviation."""
    for variable in find_source("worldclim1.4/bio").variables:
        layer = Covariate(variable.name, "raster", variable.unit)
        values = decimated(open_grid(real_data / "worldclim14-bio-10min" / f"{variable.name}.tif"))
        factor, offset = conversion(variable.stored_unit or variable.unit, file_unit(layer))
        low, high = (value * factor + offset for value in (np.nanmin(values), np.nanmax(values)))
        assert implausible(low, high, variable.unit) is None, variable.name
        if variable.name == "bio4":
            assert 0 < low < 5
            assert 15 < high < 25


def test_the_variables_of_hwsd_are_those_of_its_real_files(real_data: Path) -> None:
    source = find_source("hwsd1.2/topsoil")
    for variable in source.variables:
        path = real_data / "hwsd-topsoil-3min" / file_of(source, variable, "")
        values = decimated(open_grid(path, variable=variable.keywords["variable"]))
        assert values.shape[0] > 100
