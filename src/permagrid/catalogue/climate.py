"""Data sets of climate: WorldClim, CHELSA, CRU TS, GISTEMP and the climates of the last 120,000 years."""

from permagrid.catalogue.bioclim import NAMES, bioclim, monthly
from permagrid.catalogue.records import Layout, Licence, Source, Variable

_UCDAVIS = "https://geodata.ucdavis.edu/climate/worldclim"
_FINE = ("10m", "5m", "2.5m", "30s")
_FREE_FOR_RESEARCH = "free for academic and other non-commercial use, no redistribution"
_WC1_LICENCE = Licence(_FREE_FOR_RESEARCH, "https://www.worldclim.org/data/v1.4/worldclim14.html")
_WC2_LICENCE = Licence(_FREE_FOR_RESEARCH, "https://www.worldclim.org/data/worldclim21.html")
_WC1_PAPER = (
    "Hijmans, R. J., Cameron, S. E., Parra, J. L., Jones, P. G., Jarvis, A. (2005). Very high resolution "
    "interpolated climate surfaces for global land areas. International Journal of Climatology 25, 1965-1978"
)
_WC2_PAPER = (
    "Fick, S. E., Hijmans, R. J. (2017). WorldClim 2: new 1-km spatial resolution climate surfaces for "
    "global land areas. International Journal of Climatology 37, 4302-4315"
)
_CRU_PAPER = (
    "Harris, I., Osborn, T. J., Jones, P., Lister, D. (2020). Version 4 of the CRU TS monthly "
    "high-resolution gridded multivariate climate dataset. Scientific Data 7, 109"
)
_NORMAL = "A climatology, not a series: the same in every epoch."
_ELEMENTS = {
    "tavg": ("degC", "Mean air temperature"),
    "tmin": ("degC", "Mean daily minimum of air temperature"),
    "tmax": ("degC", "Mean daily maximum of air temperature"),
    "prec": ("mm", "Precipitation"),
}


def _worldclim1(name: str, title: str, variables: tuple[Variable, ...], file: str, fine: Layout) -> Source:
    element = name.rpartition("/")[2]
    notes = (
        _NORMAL,
        "Temperatures are stored in tenths of a degree; BIO4 in thousandths (standard deviation x 100).",
        "Land masks of temperature and precipitation differ in some cells.",
    )
    return Source(
        name,
        f"WorldClim 1.4 {title}",
        variables,
        _WC1_LICENCE,
        _WC1_PAPER,
        doi="10.1002/joc.1276",
        home="https://www.worldclim.org",
        base=f"{_UCDAVIS}/1_4/grid/cur",
        layout=Layout(f"{element}_{{dashed}}_bil.zip", file),
        layouts={"30s": fine},
        resolutions=_FINE,
        years=None if element == "alt" else (1960, 1990),
        static=element != "alt",
        notes=() if element == "alt" else notes,
    )


def _worldclim1_element(name: str, long_name: str, unit: str, stored_unit: str = "") -> Source:
    return _worldclim1(
        f"worldclim1.4/{name}",
        f"{long_name[0].lower()}{long_name[1:]} of the months, 1960-1990",
        monthly(name, unit, long_name, stored_unit=stored_unit),
        f"{name}{{m}}.bil",
        Layout(f"{name}_30s_bil.zip", f"{name}_{{m}}.bil"),
    )


def _worldclim2(element: str, title: str, variables: tuple[Variable, ...], file: str) -> Source:
    return Source(
        f"worldclim2.1/{element}",
        f"WorldClim 2.1 {title}",
        variables,
        _WC2_LICENCE,
        _WC2_PAPER,
        doi="10.1002/joc.5086",
        home="https://www.worldclim.org",
        base=f"{_UCDAVIS}/2_1/base",
        layout=Layout(f"wc2.1_{{resolution}}_{element}.zip", file),
        resolutions=_FINE,
        years=None if element == "elev" else (1970, 2000),
        static=element != "elev",
        notes=() if element == "elev" else (_NORMAL,),
    )


def _worldclim2_element(name: str) -> Source:
    unit, long_name = _ELEMENTS[name]
    title = f"{long_name[0].lower()}{long_name[1:]} of the months, 1970-2000"
    return _worldclim2(
        name, title, monthly(name, unit, long_name), f"wc2.1_{{resolution}}_{name}_{{month}}.tif"
    )


_WORLDCLIM = (
    _worldclim1(
        "worldclim1.4/bio",
        "bioclimatic variables, 1960-1990",
        bioclim(
            {"degC": "0.1 degC", "delta degC": "0.1 delta degC", "1": "%"}, seasonality="0.001 delta degC"
        ),
        "bio{number}.bil",
        Layout("bio{half}_30s_bil.zip", "bio_{number}.bil"),
    ),
    _worldclim1(
        "worldclim1.4/alt",
        "elevation",
        (Variable("elevation", "m", "Elevation"),),
        "alt.bil",
        Layout("alt_30s_bil.zip", "alt.bil"),
    ),
    _worldclim1_element("tmean", "Mean air temperature", "degC", "0.1 degC"),
    _worldclim1_element("tmin", "Mean daily minimum of air temperature", "degC", "0.1 degC"),
    _worldclim1_element("tmax", "Mean daily maximum of air temperature", "degC", "0.1 degC"),
    _worldclim1_element("prec", "Precipitation", "mm"),
    _worldclim2(
        "bio",
        "bioclimatic variables, 1970-2000",
        bioclim({"1": "%"}, seasonality="0.01 delta degC"),
        "wc2.1_{resolution}_bio_{number}.tif",
    ),
    _worldclim2(
        "elev",
        "elevation",
        (Variable("elevation", "m", "Elevation"),),
        "wc2.1_{resolution}_elev.tif",
    ),
    *map(_worldclim2_element, _ELEMENTS),
    Source(
        "worldclim2.1/monthly",
        "WorldClim 2.1 months of 1950-2024, downscaled from CRU TS 4.09",
        tuple(
            variable
            for element in ("tmin", "tmax", "prec")
            for variable in monthly(element, *_ELEMENTS[element])
        ),
        _WC2_LICENCE,
        f"{_WC2_PAPER}; {_CRU_PAPER}",
        doi="10.1002/joc.5086",
        home="https://www.worldclim.org/data/monthlywth.html",
        base=f"{_UCDAVIS}/2_1/hist",
        layout=Layout(
            "cts4.09/wc2.1_cruts4.09_{resolution}_{element}_{span}.zip",
            "wc2.1_cruts4.09_{resolution}_{element}_{year}-{month}.tif",
        ),
        resolutions=("10m", "5m", "2.5m"),
        years=(1950, 2024),
        spans=tuple(
            (first, min(first + 9, 2024), f"{first}-{min(first + 9, 2024)}")
            for first in range(1950, 2030, 10)
        ),
        notes=("Archives hold ten years of one element: name --variables and --years.",),
    ),
)

_CHELSA = "https://os.unil.cloud.switch.ch/chelsa02/chelsa/global"
_CHELSA_LICENCE = Licence("CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/")
_CHELSA_PAPER = (
    "Karger, D. N., Conrad, O., Böhner, J., Kawohl, T., Kreft, H., Soria-Auza, R. W., Zimmermann, N. E., "
    "Linder, H. P., Kessler, M. (2017). Climatologies at high resolution for the earth's land surface areas. "
    "Scientific Data 4, 170122; CHELSA V2.1, EnviDat, doi:10.16904/envidat.228"
)
_CHELSA_ELEMENTS = tuple(
    variable
    for element, unit, long_name, stored in (
        ("tas", "degC", "Mean air temperature", "K"),
        ("tasmin", "degC", "Mean daily minimum of air temperature", "K"),
        ("tasmax", "degC", "Mean daily maximum of air temperature", "K"),
        ("pr", "mm", "Precipitation", ""),
    )
    for variable in monthly(element, unit, long_name, stored_unit=stored)
)
_CHELSA_PACKED = "The files state their own scale; months of temperature come out in K."


def _chelsa(name: str, title: str, variables: tuple[Variable, ...], url: str, *notes: str) -> Source:
    series = name.endswith("monthly")
    return Source(
        f"chelsa2.1/{name}",
        f"CHELSA 2.1 {title}, 30 arc seconds",
        variables,
        _CHELSA_LICENCE,
        _CHELSA_PAPER,
        doi="10.1038/sdata.2017.122",
        home="https://www.chelsa-climate.org",
        base=_CHELSA,
        layout=Layout(url, url.rpartition("/")[2]),
        years=(1980, 2018) if series else (1981, 2010),
        static=not series,
        notes=notes,
    )


_CHELSAS = (
    _chelsa(
        "bio",
        "bioclimatic variables, 1981-2010",
        bioclim({"1": "%"}, seasonality="0.01 delta degC"),
        "bioclim/bio{padded}/1981-2010/CHELSA_bio{padded}_1981-2010_V.2.1.tif",
        _NORMAL,
        "A layer is 150-350 MB. BIO1 comes out in degC and BIO12 in mm; the packing of BIO3, BIO4 and BIO15 "
        "was not confirmed: look at their values.",
    ),
    _chelsa(
        "climatology",
        "months, 1981-2010",
        _CHELSA_ELEMENTS,
        "climatologies/{element}/1981-2010/CHELSA_{element}_{month}_1981-2010_V.2.1.tif",
        _NORMAL,
        _CHELSA_PACKED,
    ),
    _chelsa(
        "monthly",
        "months of 1980-2018",
        _CHELSA_ELEMENTS,
        "monthly/{element}/{year}/CHELSA_{element}_{month}_{year}_V.2.1.tif",
        "A month is 150-350 MB, thirty years of one element 50 GB and more: name --variables.",
        _CHELSA_PACKED,
    ),
)

_OTHERS = (
    Source(
        "cru_ts4.09",
        "CRU TS 4.09, months of 1901-2024, 0.5 degree",
        tuple(
            Variable(name, unit, long_name, fills={"element": name}, keywords={"variable": name})
            for name, unit, long_name in (
                ("tmp", "degC", "Air temperature, mean of the months"),
                ("tmn", "degC", "Daily minimum of air temperature, mean of the months"),
                ("tmx", "degC", "Daily maximum of air temperature, mean of the months"),
                ("pre", "mm", "Precipitation of a month, mean of the months"),
            )
        ),
        Licence(
            "Open Government Licence 3.0",
            "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
        ),
        _CRU_PAPER,
        doi="10.1038/s41597-020-0453-3",
        home="https://crudata.uea.ac.uk/cru/data/hrg/",
        base="https://crudata.uea.ac.uk/cru/data/hrg",
        layout=Layout(
            "cru_ts_4.09/cruts.2503051245.v4.09/{element}/cru_ts4.09.1901.2024.{element}.dat.nc.gz",
            "cru_ts4.09.1901.2024.{element}.dat.nc",
        ),
        years=(1901, 2024),
        notes=("Where no station reports, values fall back on the mean of 1961-1990.",),
    ),
    Source(
        "gistemp4/zonal",
        "GISTEMP v4 annual temperature anomalies of latitude bands, against 1951-1980",
        (Variable("temperature_anomaly", "delta degC", "Zonal air temperature anomaly"),),
        Licence("public domain", "https://data.giss.nasa.gov/gistemp/"),
        "GISTEMP Team, NASA Goddard Institute for Space Studies, GISS Surface Temperature Analysis v4; "
        "Lenssen, N. J. L., Schmidt, G. A., Hansen, J. E., Menne, M. J., Persin, A., Ruedy, R., Zyss, D. "
        "(2019). Improvements in the GISTEMP uncertainty model. Journal of Geophysical Research: Atmospheres "
        "124, 6307-6326",
        doi="10.1029/2018JD029522",
        home="https://data.giss.nasa.gov/gistemp/",
        base="https://data.giss.nasa.gov/gistemp",
        layout=Layout("tabledata_v4/ZonAnn.Ts+dSST.csv", "ZonAnn.Ts+dSST.csv"),
        years=(1880, 2024),
        method="zonal_anomaly",
        notes=(
            "The table grows by a year each January and earlier years change a little: a study that names "
            "it should keep the file.",
        ),
    ),
    Source(
        "beyer2020",
        "Climate of the last 120,000 years, 0.5 degree",
        tuple(
            Variable(f"bio{number}", unit, long_name, keywords={"variable": f"BIO{number}"})
            for number, (unit, long_name) in NAMES.items()
            if number in (1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19)
        ),
        Licence("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"),
        "Beyer, R. M., Krapp, M., Manica, A. (2020). High-resolution terrestrial climate, bioclimate and "
        "vegetation for the last 120,000 years. Scientific Data 7, 236",
        doi="10.1038/s41597-020-0552-1",
        home="https://doi.org/10.6084/m9.figshare.12293345",
        base="https://figshare.com",
        layout=Layout("ndownloader/files/22659026", "LateQuaternary_Environment.nc"),
        needs={"time": "the time to take, such as time: -21000 for the Last Glacial Maximum"},
        notes=(
            "One file of 1.2 GB. Steps of 2,000 years, of 1,000 from 22,000 years ago; land changes with the "
            "level of the sea.",
        ),
    ),
)

CLIMATE: tuple[Source, ...] = (*_WORLDCLIM, *_CHELSAS, *_OTHERS)
"""Data sets of climate."""
