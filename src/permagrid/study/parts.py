"""The parts of a study file, as frozen models that refuse unknown keys."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from permagrid.study.bases import Bounds, Depths, Keywords, Part, PlugIn, Region, Span, YearSpan
from permagrid.study.ensembles import Ensemble, Inventory
from permagrid.study.learning import LearnerPart, Validation


class Metadata(Part):
    """What a reader of the products must know."""

    title: str
    """Title of the product."""
    abstract: str = ""
    """What it is, in a few sentences."""
    resolution_note: str = ""
    """What the resolution of the covariates means for the maps, honestly."""
    authors: tuple[str, ...] = ()
    """People, as they want to be named."""
    licence: str = ""
    """Licence of the products."""
    keywords: tuple[str, ...] = ()
    """Subject words."""
    references: tuple[str, ...] = ()
    """Papers and data sets that the study rests on."""


class Target(Part):
    """What is mapped."""

    variable: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    """Name, such as ``mean_annual_ground_temperature``."""
    kind: Literal["value", "class"] = "value"
    """A value to regress on, or a class."""
    unit: str
    """Unit of the values: degC, cm, %, 1."""
    valid_range: Span
    """What the target can be [unit]."""
    depth: float | None = None
    """Depth below the surface that the map speaks of [m]."""
    support: str = ""
    """The volume or area that a value stands for, in words."""


class Mask(Part):
    """Cells that are not mapped, by the classes of a raster: glaciers, lakes, the sea."""

    path: str
    """Raster of class codes, from the data folder."""
    exclude: Annotated[tuple[int, ...], Field(min_length=1)]
    """Codes whose cells become nodata."""
    crs: str | None = None
    """The CRS, where the file does not say."""


class Grid(Part):
    """The grid of the maps: a CRS, a resolution, and one extent."""

    crs: str
    """Any CRS that PROJ reads, such as EPSG:3995."""
    resolution: Annotated[float, Field(gt=0)]
    """Side of a cell [unit of the CRS]."""
    bounds: Bounds | None = None
    """left, bottom, right, top [unit of the CRS]."""
    region: Region | None = None
    """west, south, east, north [degree]; west > east crosses the antimeridian. Cells outside are nodata."""
    mask: Mask | None = None
    """Cells that are not mapped, such as glaciers."""

    @model_validator(mode="after")
    def _one_extent(self) -> "Grid":
        if (self.bounds is None) == (self.region is None):
            raise ValueError("give either bounds (in the CRS) or region (lon/lat)")
        return self


class SourceTable(PlugIn):
    """One table of observations."""

    reader: str
    """Name of a reader; further keys are its keywords."""
    path: str
    """File or folder, from the data folder."""


class Reduction(Part):
    """How observations become one value per site and epoch."""

    depth_rule: Literal["each", "mean", "deepest", "nearest"] = "mean"
    """Which sensors of a site count: each for itself, their mean, the deepest, or the nearest to depth."""
    depth_range: Depths | None = None
    """Shallowest and deepest sensor that counts [m]."""
    depth: float | None = None
    """The depth that rule nearest seeks [m]."""
    minimum_years: Annotated[int, Field(ge=1)] = 1
    """Years with data that an epoch must have."""
    normals: bool = False
    """Whether values without a year, such as climate normals, count in every epoch."""

    @model_validator(mode="after")
    def _depth_of_nearest(self) -> "Reduction":
        if (self.depth is not None) != (self.depth_rule == "nearest"):
            raise ValueError("depth is the depth [m] that depth_rule: nearest seeks; give both or neither")
        return self


class Labels(Part):
    """How presence and absence of permafrost follow from observations."""

    temperature_threshold: float = 0.0
    """Annual mean ground temperature at or below which permafrost is present [degC]."""
    depth_range: Depths = (0.0, 20.0)
    """Sensor depths from which a label may be taken [m]."""
    active_layer_maximum: float | None = None
    """Thickest active layer that shows permafrost [cm]."""
    minimum_absence_depth: float = 2.0
    """Depth that an observer must have seen for an absence to count [m]."""
    station_absences: bool = False
    """Whether stations whose mean annual air temperature is 2-10 °C count as absences."""


class Sites(Part):
    """Where observations come from and which of them count."""

    sources: Annotated[tuple[SourceTable, ...], Field(min_length=1)]
    """Tables to read."""
    stations: tuple[SourceTable, ...] = ()
    """Tables of weather stations, read for labels.station_absences only."""
    region: Region | None = None
    """west, south, east, north [degree]: only sites inside take part."""
    quality: dict[str, Keywords] = Field({"coordinates": {}, "gross_range": {}, "near_duplicates": {}})
    """Quality tests by name, with their keywords; none deletes a row."""
    exclude_suspect: bool = False
    """Whether rows flagged suspect are left out beside those that fail."""
    same_place: Annotated[float, Field(ge=0)] = 100.0
    """Sites closer than this are one place when folds are made [m]."""
    labels: Labels | None = None
    """The rule for presence and absence, where the target is permafrost_presence."""
    reduce: Reduction = Reduction()
    """The rule from series to site and epoch."""


class CovariatePart(PlugIn):
    """One predictor; keys beside those below are keywords of its method."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
    """Name of the column and the layer."""
    method: str = "raster"
    """How it is made; further keys are the method's keywords."""
    unit: str | None = None
    """Unit of the values that learners see; may be left out for classes, and where the method has one."""
    kind: Literal["continuous", "class"] = "continuous"
    """Continuous values, or class codes."""
    years: YearSpan | None = None
    """First-last year that the data cover; left out for what does not change."""
    static: bool = False
    """Whether data of stated years, such as a climatology, stand for every epoch."""
    predictor: bool = True
    """Whether learners see it; false for what only other covariates or quality tests are made from."""
    long_name: str = ""
    """What people call it."""
    citation: str = ""
    """Where the data come from: a data set and its citation."""


class Sampling(Part):
    """How covariates are read at sites."""

    rule: Literal["cell", "bilinear", "nearest"] = "nearest"
    """The site's cell, a bilinear mean, or the nearest cell that has all covariates."""
    distance: Annotated[float, Field(ge=0)] = 0.0
    """How far rule nearest may look [m]."""


class Products(Part):
    """What is mapped, by which learner."""

    learner: str
    """The learner whose maps are written, and with which the others are compared."""
    variables: tuple[str, ...] = ()
    """Maps to write; the target, and its probability for a class of two, if left out."""
    applicability: bool = True
    """Whether maps of dissimilarity, area of applicability, point density and expected error stand beside."""


class Reference(Part):
    """A published map with which a map is compared in rank."""

    name: str
    """What it is called."""
    path: str
    """Raster file, from the data folder."""
    epoch: YearSpan
    """The epoch whose map is compared."""
    citation: str = ""
    """How to cite it."""


class Truth(Part):
    """The true maps of a virtual world."""

    path: str
    """Raster file from the data folder; ``{epoch}`` in it stands for the epoch."""


class Study(Part):
    """A study: the one file from which a run follows."""

    study: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
    """Short name; goes into file names."""
    metadata: Metadata
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of everything that is drawn."""
    target: Target
    epochs: Annotated[tuple[YearSpan, ...], Field(min_length=1)]
    """Spans of years, such as 1980-1984."""
    grid: Grid | None = None
    """The grid of the maps; without one the study is of a table, and makes none."""
    sites: Sites
    covariates: Annotated[tuple[CovariatePart, ...], Field(min_length=1)]
    sampling: Sampling = Sampling()
    learners: Annotated[tuple[LearnerPart, ...], Field(min_length=1)]
    validation: Validation
    ensemble: Ensemble | None = None
    """Learners joined into one distribution; none if left out."""
    inventory: Inventory | None = None
    """Totals over the map; none if left out."""
    products: Products
    references: tuple[Reference, ...] = ()
    truth: Truth | None = None

    @property
    def is_tabular(self) -> bool:
        """Whether it is of a table alone: all covariates are columns of it, and nothing is mapped."""
        return self.grid is None

    @property
    def epoch_names(self) -> list[str]:
        """Epochs as they are written, such as ``1980-1984``."""
        return [f"{first}-{last}" for first, last in self.epochs]


def resolved(study: Study) -> dict[str, Any]:
    """Return the study as plain values with every default written out, fit for YAML and digests."""
    plain = study.model_dump(mode="json")
    plain["epochs"] = study.epoch_names
    for part in (*plain["covariates"], *plain["references"]):
        for key in ("years", "epoch"):
            if part.get(key):
                part[key] = "-".join(map(str, part[key]))
    for subset in plain["validation"]["subsets"]:
        for key in ("minimum", "maximum"):
            if subset[key] is None or abs(subset[key]) == float("inf"):
                del subset[key]
    return plain
