"""The parts of a study file, as frozen models that refuse unknown keys."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_EPOCH = re.compile(r"^\s*(\d{4})\s*-\s*(\d{4})\s*$")

Years = tuple[int, int]
Bounds = tuple[float, float, float, float]


def _years(value: object) -> object:
    if isinstance(value, str) and (match := _EPOCH.match(value)):
        value = (int(match[1]), int(match[2]))
    if isinstance(value, list | tuple) and len(value) == 2 and all(type(v) is int for v in value):
        if value[0] > value[1]:
            raise ValueError(f"years {value[0]}-{value[1]} run backwards; the first year comes first")
        return tuple(value)
    raise ValueError(f"{value!r} is no span of years; write first-last, such as 1980-1984")


def _not_reversed(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError(f"[{span[0]:g}, {span[1]:g}] runs backwards; write [shallowest, deepest]")
    return span


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] >= span[1]:
        raise ValueError(f"[{span[0]:g}, {span[1]:g}] is empty; write [lowest, highest]")
    return span


def _on_the_globe(region: Bounds) -> Bounds:
    west, south, east, north = region
    written = ", ".join(f"{value:g}" for value in region)
    if not -90 <= south < north <= 90:
        raise ValueError(
            f"[{written}] is no region; write [west, south, east, north] in degrees, "
            "the south below the north and both within -90 to 90"
        )
    if not (-360 <= west <= 360 and -360 <= east <= 360):
        raise ValueError(f"[{written}] is no region; longitudes lie within -180 to 180, or 0 to 360")
    return region


def _no_keywords(value: object) -> object:
    return {} if value is None else value


YearSpan = Annotated[
    Years, BeforeValidator(_years, json_schema_input_type=Annotated[str, Field(pattern=_EPOCH.pattern)])
]
Span = Annotated[tuple[float, float], AfterValidator(_ordered)]
Depths = Annotated[tuple[float, float], AfterValidator(_not_reversed)]
Region = Annotated[Bounds, AfterValidator(_on_the_globe)]
Keywords = Annotated[dict[str, Any], BeforeValidator(_no_keywords)]


class Part(BaseModel):
    """A part of a study: frozen, and unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class PlugIn(BaseModel):
    """A part that names a function of a table; its other keys are that function's keywords."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    @property
    def keywords(self) -> dict[str, Any]:
        """Keyword arguments for the function."""
        return dict(self.model_extra or {})


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
    quality: dict[str, Keywords] = {"coordinates": {}, "gross_range": {}, "near_duplicates": {}}
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


class LearnerPart(PlugIn):
    """One learner; keys beside those below are its keywords."""

    name: str
    """Name in the table of learners."""
    label: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")] = ""
    """What it is called in scores and files, where one learner takes part more than once; its name if left
    out."""
    covariates: tuple[str, ...] | None = None
    """Covariates that it sees; all if left out."""
    classes: Literal["one_hot", "native", "codes"] | None = None
    """How class covariates enter it: a column of 0 and 1 for each class, as classes in a way of its own
    (gradient_boosting has one), or as their codes, for classes in order only; native where possible, else
    one_hot, if left out."""

    @model_validator(mode="after")
    def _labelled(self) -> Self:
        if not self.label:
            object.__setattr__(self, "label", self.name)
        return self


class FoldsPart(PlugIn):
    """One fold scheme; keys beside method are its keywords."""

    method: str
    """Name in the table of folds."""


class Subset(Part):
    """A part of the sites for which the comparison is made once more, fitted to that part alone."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
    """Name in the score table."""
    minimum: float = float("-inf")
    """Lowest target value of the part."""
    maximum: float = float("inf")
    """Highest target value of the part, exclusive."""


class CovariateGroup(Part):
    """Covariates of one kind, whose worth is shown by scores with and without them."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
    """Name in the report."""
    covariates: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of its covariates."""


class Validation(Part):
    """How honest the scores are."""

    folds: Annotated[tuple[FoldsPart, ...], Field(min_length=1)]
    """Fold schemes; at least one by site or by block."""
    inner: FoldsPart = FoldsPart(method="site", n_folds=5)
    """Folds made of the training rows of every fold, by which learners choose keywords and covariates."""
    bootstrap: Annotated[int, Field(ge=50, le=100_000)] = 1000
    """Draws behind the intervals."""
    subsets: tuple[Subset, ...] = ()
    """Parts of the sites to be scored for themselves."""
    groups: tuple[CovariateGroup, ...] = ()
    """Groups of covariates without which the mapped learner is scored too, on folds by site and by block."""


class Products(Part):
    """What is mapped, by which learner."""

    learner: str
    """The learner whose maps are written."""
    variables: tuple[str, ...] = ()
    """Maps to write; the target, and its probability for a class of two, if left out."""


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
    grid: Grid
    sites: Sites
    covariates: Annotated[tuple[CovariatePart, ...], Field(min_length=1)]
    sampling: Sampling = Sampling()
    learners: Annotated[tuple[LearnerPart, ...], Field(min_length=1)]
    validation: Validation
    products: Products
    references: tuple[Reference, ...] = ()
    truth: Truth | None = None

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
