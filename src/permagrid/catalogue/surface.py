"""Data sets of the surface: elevation, soil, permafrost maps and satellite images."""

from permagrid.catalogue.records import Layout, Licence, Source, Stac, Variable

_CC_BY = Licence("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/")
_PLANETARY = "https://planetarycomputer.microsoft.com/api/stac/v1"
_SIGN = "https://planetarycomputer.microsoft.com/api/sas/v1/sign"
_SCENES = "One file per scene and band: composites are made by the covariate methods of the surface."


def _copernicus_dem(metres: int, code: int) -> Source:
    tile = f"Copernicus_DSM_COG_{code}_{{latitude}}_00_{{longitude}}_00_DEM"
    return Source(
        f"copernicus-dem/{metres}",
        f"Copernicus DEM GLO-{metres}, surface elevation, tiles of one degree",
        (Variable("elevation", "m", "Elevation"),),
        Licence(
            "free, with attribution: © DLR e.V. 2010-2014 and © Airbus Defence and Space GmbH 2014-2018 "
            "provided under COPERNICUS by the European Union and ESA; all rights reserved",
            "https://dataspace.copernicus.eu/explore-data/data-collections/copernicus-contributing-missions/"
            "collections-description/COP-DEM",
        ),
        f"European Space Agency (2021). Copernicus Global Digital Elevation Model GLO-{metres}",
        doi="10.5270/ESA-c5d3d65",
        home="https://registry.opendata.aws/copernicus-dem/",
        base=f"https://copernicus-dem-{metres}m.s3.amazonaws.com",
        layout=Layout(f"{tile}/{tile}.tif", f"{tile}.tif", "tiles"),
        covariates=False,
        notes=(
            "A surface model: trees and houses are in it. The sea has no tiles; its height is 0.",
            "Columns of cells are wider from 50 N: join tiles into one raster before use, as with gdalwarp. "
            "SRTM, unlike it, stops at 60 N.",
        ),
    )


_DEPTHS = ("0-5", "5-15", "15-30", "30-60", "60-100", "100-200")
_WCS = (
    "mapserv?map=/map/{property}.map&SERVICE=WCS&VERSION=2.0.1&REQUEST=GetCoverage"
    "&COVERAGEID={property}_{depth}cm_mean&FORMAT=image/tiff&SUBSET=long({west},{east})"
    "&SUBSET=lat({south},{north})&SUBSETTINGCRS=http://www.opengis.net/def/crs/EPSG/0/4326"
    "&OUTPUTCRS=http://www.opengis.net/def/crs/EPSG/0/4326"
)


def _soilgrids(code: str, unit: str, stored_unit: str, long_name: str) -> Source:
    return Source(
        f"soilgrids2.0/{code}",
        f"SoilGrids 2.0 {long_name[0].lower()}{long_name[1:]}, six layers to 2 m",
        tuple(
            Variable(
                f"{code}_{depth.replace('-', '_')}cm",
                unit,
                f"{long_name} at {depth} cm",
                stored_unit=stored_unit,
                fills={"property": code, "depth": depth},
            )
            for depth in _DEPTHS
        ),
        _CC_BY,
        "Poggio, L., de Sousa, L. M., Batjes, N. H., Heuvelink, G. B. M., Kempen, B., Ribeiro, E., Rossiter, "
        "D. (2021). SoilGrids 2.0: producing soil information for the globe with quantified spatial "
        "uncertainty. SOIL 7, 217-240",
        doi="10.5194/soil-7-217-2021",
        home="https://soilgrids.org",
        base="https://files.isric.org/soilgrids/latest",
        layout=Layout(
            "data_aggregated/{resolution}/{property}/{property}_{depth}cm_mean_{metres}.tif",
            "{property}_{depth}cm_mean_{metres}.tif",
        ),
        layouts={
            "250m": Layout(_WCS, "{property}_{depth}cm_mean_250.tif", "box", base="https://maps.isric.org"),
        },
        resolutions=("5000m", "1000m", "250m"),
        notes=(
            "250m is cut out by ISRIC's server and needs --region; the others are whole rasters in the "
            "Interrupted Goode Homolosine projection.",
            "Glaciers, lakes and Antarctica have no data. ISRIC's lists of checksums are out of date and "
            "are not used.",
        ),
    )


_SOIL = tuple(
    _soilgrids(*each)
    for each in (
        ("sand", "%", "g/kg", "Sand content"),
        ("silt", "%", "g/kg", "Silt content"),
        ("clay", "%", "g/kg", "Clay content"),
        ("soc", "g/kg", "0.1 g/kg", "Soil organic carbon"),
        ("bdod", "kg/m3", "10 kg/m3", "Bulk density of the fine earth"),
        ("cfvo", "%", "0.1 %", "Coarse fragments by volume"),
    )
)

_HWSD_CITATION = (
    "FAO/IIASA/ISRIC/ISSCAS/JRC (2012). Harmonized World Soil Database version 1.2. FAO, Rome, and IIASA, "
    "Laxenburg"
)

_HWSD = (
    Source(
        "hwsd1.2/topsoil",
        "HWSD 1.2 topsoil (0-30 cm), regridded to 0.05 degree",
        tuple(
            Variable(name, "%", long_name, fills={"code": code}, keywords={"variable": code})
            for name, code, long_name in (
                ("topsoil_sand", "T_SAND", "Sand content of the topsoil"),
                ("topsoil_silt", "T_SILT", "Silt content of the topsoil"),
                ("topsoil_clay", "T_CLAY", "Clay content of the topsoil"),
                ("topsoil_organic_carbon", "T_OC", "Organic carbon of the topsoil"),
            )
        ),
        Licence(
            "free, with citation",
            "https://www.earthdata.nasa.gov/engage/open-data-services-software-policies",
        ),
        f"Wieder, W. R., Boehnert, J., Bonan, G. B., Langseth, M. (2014). Regridded Harmonized World Soil "
        f"Database v1.2. ORNL DAAC, Oak Ridge; {_HWSD_CITATION}",
        doi="10.3334/ORNLDAAC/1247",
        home="https://doi.org/10.3334/ORNLDAAC/1247",
        layout=Layout("", "{code}.nc4", "by hand"),
        notes=("Given to people with an Earthdata login, as one archive; the files are in its folder data.",),
        verified=False,
    ),
    Source(
        "hwsd1.2/units",
        "HWSD 1.2 soil mapping units, 30 arc seconds",
        (Variable("soil_unit", "class", "Soil mapping unit", kind="class"),),
        Licence("free for non-commercial use, with citation", "https://www.fao.org/soils-portal/"),
        _HWSD_CITATION,
        home="https://www.fao.org/soils-portal/data-hub/soil-maps-and-databases/"
        "harmonized-world-soil-database-v12/en/",
        base="https://www.fao.org/fileadmin/user_upload/soils",
        layout=Layout("HWSD%20Viewer/HWSD_RASTER.zip", "hwsd.bil"),
        notes=("Codes of units; what they mean stands in the data base beside it, HWSD.mdb.",),
    ),
)

_CCI_TEMPERATURES = {
    "ground_surface": ("GST", "Ground surface temperature"),
    "ground_1m": ("T1m", "Ground temperature at 1 m"),
    "ground_2m": ("T2m", "Ground temperature at 2 m"),
    "ground_5m": ("T5m", "Ground temperature at 5 m"),
    "ground_10m": ("T10m", "Ground temperature at 10 m"),
}

_CCI = Source(
    "esa-cci-permafrost5.0",
    "ESA CCI Permafrost 5.0: ground temperature, active layer and extent of 1997-2023, 1 km",
    (
        *(
            Variable(
                f"cci_{name}",
                "degC",
                long_name,
                fills={"product": "ground_temperature", "code": "GTD"},
                keywords={"variable": code},
            )
            for name, (code, long_name) in _CCI_TEMPERATURES.items()
        ),
        Variable(
            "cci_active_layer",
            "m",
            "Active layer thickness",
            fills={"product": "active_layer_thickness", "code": "ALT"},
            keywords={"variable": "ALT"},
        ),
        Variable(
            "cci_extent",
            "%",
            "Permafrost extent",
            fills={"product": "permafrost_extent", "code": "PFR"},
            keywords={"variable": "PFR"},
        ),
    ),
    Licence(
        "free, with citation",
        "https://artefacts.ceda.ac.uk/licences/specific_licences/esacci_permafrost_terms_and_conditions.pdf",
    ),
    "Westermann, S., Barboux, C., Bartsch, A., and others (2025). ESA Permafrost Climate Change Initiative "
    "(Permafrost_cci), version 5.0. NERC EDS Centre for Environmental Data Analysis",
    doi="10.5285/5675b0be944f45a8af0e7ddbeb47a011",
    home="https://catalogue.ceda.ac.uk/uuid/5675b0be944f45a8af0e7ddbeb47a011",
    base="https://dap.ceda.ac.uk/neodc/esacci/permafrost/data",
    layout=Layout(
        "{product}/L4/area4/pp/v05.0/northern_hemisphere/{year}/"
        "ESACCI-PERMAFROST-L4-{code}-{span}-AREA4_PP-{year}-fv05.0.nc",
        "ESACCI-PERMAFROST-L4-{code}-AREA4_PP-{year}-fv05.0.nc",
    ),
    years=(1997, 2023),
    spans=((1997, 2002, "ERA5_MODISLST_BIASCORRECTED"), (2003, 2023, "MODISLST_CRYOGRID")),
    notes=(
        "A model's answer, itself driven by satellites: a map learned from it says little of its own.",
        "A year of temperatures is some 370 MB. Names of files are shortened, so that one pattern names "
        "all years.",
    ),
)


def _stac(name: str, title: str, assets: dict[str, tuple[str, str]], **others: object) -> Source:
    variables = tuple(
        Variable(key, unit, long_name, fills={"asset": key}) for key, (unit, long_name) in assets.items()
    )
    fields: dict[str, object] = {
        "base": _PLANETARY,
        "layout": Layout("search", "{item}/{file}", "stac"),
        "credential": "planetary computer",
        "covariates": False,
        **others,
    }
    return Source(name, title, variables, **fields)  # type: ignore[arg-type]


_MODIS_LICENCE = Licence("no restriction", "https://lpdaac.usgs.gov/data/data-citation-and-policies/")
_MODIS_TERRA = "Terra flies since 2000: there is nothing earlier."
_FLAT = Layout("search", "{file}", "stac")
_BANDS = {
    "blue": ("1", "Surface reflectance, blue"),
    "green": ("1", "Surface reflectance, green"),
    "red": ("1", "Surface reflectance, red"),
    "nir08": ("1", "Surface reflectance, near infrared"),
    "swir16": ("1", "Surface reflectance, 1.6 micrometres"),
    "swir22": ("1", "Surface reflectance, 2.2 micrometres"),
    "lwir11": ("K", "Surface temperature of Landsat 8 and 9"),
    "lwir": ("K", "Surface temperature of Landsat 4, 5 and 7"),
    "qa_pixel": ("code", "Quality of the cell"),
    "qa_radsat": ("code", "Saturation of the bands"),
    "mtl.txt": ("1", "Metadata of the scene"),
}

_IMAGES = (
    _stac(
        "modis/MOD13A1",
        "MODIS vegetation indices, 16 days, 500 m, version 6.1",
        {
            "500m_16_days_NDVI": ("1", "NDVI"),
            "500m_16_days_EVI": ("1", "EVI"),
            "500m_16_days_pixel_reliability": ("code", "Reliability of the cell"),
        },
        licence=_MODIS_LICENCE,
        citation="Didan, K. (2021). MODIS/Terra Vegetation Indices 16-Day L3 Global 500m SIN Grid V061. "
        "NASA Land Processes Distributed Active Archive Center",
        doi="10.5067/MODIS/MOD13A1.061",
        home="https://planetarycomputer.microsoft.com/dataset/modis-13A1-061",
        years=(2000, 2026),
        layout=_FLAT,
        stac=Stac("modis-13A1-061", _SIGN, beginning="MOD13A1."),
        notes=(_MODIS_TERRA, "Values are stored x 10,000, in tiles of the sinusoidal grid."),
    ),
    _stac(
        "modis/MOD11A2",
        "MODIS land surface temperature, 8 days, 1 km, version 6.1",
        {
            "LST_Day_1km": ("K", "Land surface temperature by day"),
            "LST_Night_1km": ("K", "Land surface temperature by night"),
            "QC_Day": ("code", "Quality by day"),
            "QC_Night": ("code", "Quality by night"),
        },
        licence=_MODIS_LICENCE,
        citation="Wan, Z., Hook, S., Hulley, G. (2021). MODIS/Terra Land Surface Temperature/Emissivity "
        "8-Day L3 Global 1km SIN Grid V061. NASA Land Processes Distributed Active Archive Center",
        doi="10.5067/MODIS/MOD11A2.061",
        home="https://planetarycomputer.microsoft.com/dataset/modis-11A2-061",
        years=(2000, 2026),
        layout=_FLAT,
        stac=Stac("modis-11A2-061", _SIGN, beginning="MOD11A2."),
        notes=(_MODIS_TERRA, "Values are stored x 50, in tiles of the sinusoidal grid; clear sky only."),
    ),
    _stac(
        "modis/MOD13A3",
        "MODIS vegetation indices, monthly, 1 km, version 6.1",
        {".hdf": ("1", "All layers of a tile, HDF4")},
        licence=_MODIS_LICENCE,
        citation="Didan, K. (2021). MODIS/Terra Vegetation Indices Monthly L3 Global 1km SIN Grid V061. "
        "NASA Land Processes Distributed Active Archive Center",
        doi="10.5067/MODIS/MOD13A3.061",
        home="https://doi.org/10.5067/MODIS/MOD13A3.061",
        base="https://cmr.earthdata.nasa.gov/stac/LPCLOUD",
        years=(2000, 2026),
        layout=_FLAT,
        stac=Stac("MOD13A3_061", beginning="MOD13A3."),
        credential="earthdata",
        notes=(
            _MODIS_TERRA,
            "HDF4 is not read by permagrid: turn the layers into GeoTIFF, or order them so from AppEEARS.",
        ),
        verified=False,
    ),
    _stac(
        "landsat-c2-l2",
        "Landsat 4-9 Collection 2 Level 2, surface reflectance and temperature, 30 m",
        _BANDS,
        licence=Licence("public domain", "https://www.usgs.gov/centers/eros/data-citation"),
        citation="U.S. Geological Survey, Earth Resources Observation and Science Center (2020). Landsat 4-9 "
        "Collection 2 Level-2 Science Products",
        doi="10.5066/P9OGBGM6",
        home="https://planetarycomputer.microsoft.com/dataset/landsat-c2-l2",
        years=(1982, 2026),
        stac=Stac("landsat-c2-l2", _SIGN, cloud=True),
        notes=(_SCENES, "Polar night and low sun: take scenes of summer."),
    ),
    _stac(
        "sentinel-2-l2a",
        "Sentinel-2 Level 2A, surface reflectance, 10-60 m",
        {
            "blue": ("1", "Surface reflectance, blue"),
            "green": ("1", "Surface reflectance, green"),
            "red": ("1", "Surface reflectance, red"),
            "nir": ("1", "Surface reflectance, near infrared"),
            "swir16": ("1", "Surface reflectance, 1.6 micrometres"),
            "swir22": ("1", "Surface reflectance, 2.2 micrometres"),
            "scl": ("code", "Scene classification"),
        },
        licence=Licence(
            "free, with attribution: contains modified Copernicus Sentinel data",
            "https://sentinels.copernicus.eu/documents/247904/690755/Sentinel_Data_Legal_Notice",
        ),
        citation="European Space Agency. Copernicus Sentinel-2 Level-2A, as Cloud-Optimised GeoTIFF by "
        "Element 84",
        home="https://registry.opendata.aws/sentinel-2-l2a-cogs/",
        base="https://earth-search.aws.element84.com/v1",
        years=(2015, 2026),
        stac=Stac("sentinel-2-l2a", cloud=True),
        credential="",
        notes=(_SCENES,),
    ),
)

SURFACE: tuple[Source, ...] = (
    _copernicus_dem(30, 10),
    _copernicus_dem(90, 30),
    *_SOIL,
    *_HWSD,
    _CCI,
    *_IMAGES,
)
"""Data sets of the surface."""
