"""Process models as learners: frost number, TTOP and Stefan, with parameters given or calibrated."""

from dataclasses import dataclass
from typing import Literal

from permagrid.errors import PermagridError
from permagrid.learners.process_estimator import ProcessClassifier, ProcessRegressor
from permagrid.learners.process_model import Float, Process, check_covariates, parameters
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.traits import traits
from permagrid.physics.climate import READS, Climate, Columns
from permagrid.physics.laws import Law, Values, frost_number_law, stefan_law, ttop_law

Unit = Literal["cm", "m"]
LENGTHS: dict[Unit, float] = {"cm": 100.0, "m": 1.0}
"""Units of length in a metre."""


@LEARNERS.register
@traits(by_name=True, weights=True, reads=READS)
def frost_number(  # noqa: PLR0913
    setting: Setting,
    *,
    freezing_index: str | None = None,
    thawing_index: str | None = None,
    air_temperature: str | None = None,
    temperature_amplitude: str | None = None,
    warmest_quarter: str | None = None,
    coldest_quarter: str | None = None,
    edaphic_factor: float | None = None,
    soil_class: str | None = None,
    shrinkage: float = 10.0,
) -> ProcessRegressor | ProcessClassifier:
    """Return the frost number (Nelson and Outcalt 1987, doi:10.2307/1551363) as a learner.

    Of classes, such as presence of permafrost, a logistic of the frost number gives the probabilities: one
    half at 0.5 where the edaphic factor is calibrated. Values are a straight line of the frost number.

    Parameters
    ----------
    setting
        What it is built for.
    freezing_index, thawing_index
        Covariates of the indices [degC day].
    air_temperature
        In place of an index: covariate of mean annual air temperature [degC], which with
        `temperature_amplitude` or the two quarters tells the sinusoid of the year.
    temperature_amplitude
        Covariate of half the range of the year's temperature [delta degC].
    warmest_quarter, coldest_quarter
        In its place: covariates of the mean temperature of these quarters [degC], as BIO10 and BIO11.
    edaphic_factor
        Factor E of the ground, 0.2 to 5 [1]; calibrated if left out.
    soil_class
        Covariate of classes, such as soils, each with an E of its own, as in the models FROSTNUM/COP.
    shrinkage
        Rows for which the common E counts in each class: many rows speak for themselves, few lean on it.

    Raises
    ------
    PermagridError
        If the climate is not told or told twice, a number is out of its range, or a covariate is none that
        the learner sees.
    """
    climate = Climate(
        freezing_index,
        thawing_index,
        air_temperature,
        temperature_amplitude,
        warmest_quarter,
        coldest_quarter,
    )
    climate.check("frost_number", needs=("freezing_index", "thawing_index"))
    process = Process(
        "frost_number",
        climate.named,
        parameters("frost_number", {"edaphic_factor": edaphic_factor}),
        frost_number_law,
        even=0.5,
        linear=True,
        soil_class=soil_class,
        class_parameter="edaphic_factor" if soil_class else None,
        shrinkage=shrinkage,
    )
    return estimator_of(process, setting)


@LEARNERS.register
@traits(by_name=True, weights=True, reads=READS, says="degC")
def ttop(  # noqa: PLR0913
    setting: Setting,
    *,
    freezing_index: str | None = None,
    thawing_index: str | None = None,
    air_temperature: str | None = None,
    temperature_amplitude: str | None = None,
    warmest_quarter: str | None = None,
    coldest_quarter: str | None = None,
    snow_depth: str | None = None,
    winter_precipitation: str | None = None,
    snow_density: float = 250.0,
    freezing_n_factor: float | None = None,
    deep_snow_n_factor: float | None = None,
    snow_scale: float | None = None,
    thawing_n_factor: float | None = None,
    conductivity_ratio: float | None = None,
    offset: float | None = 0.0,
    soil_class: str | None = None,
    class_parameter: Literal["freezing_n_factor", "thawing_n_factor", "conductivity_ratio"] = (
        "thawing_n_factor"
    ),
    shrinkage: float = 10.0,
) -> ProcessRegressor | ProcessClassifier:
    """Return the TTOP model (Smith and Riseborough 2002, doi:10.1002/ppp.410) as a learner.

    Values are ground temperatures [degC]. Of classes, such as presence of permafrost, a logistic of the
    temperature gives the probabilities: one half at 0 °C where a parameter is calibrated.

    Parameters
    ----------
    setting
        What it is built for.
    freezing_index, thawing_index
        Covariates of the indices of the air [degC day].
    air_temperature, temperature_amplitude, warmest_quarter, coldest_quarter
        Covariates of the year's sinusoid in place of an index, as of `frost_number`.
    snow_depth
        Covariate of the mean depth of the winter's snow [m]: the freezing n-factor then falls with it.
    winter_precipitation
        In its place: covariate of precipitation that lies as snow [mm].
    snow_density
        What such snow is taken to weigh [kg m-3].
    freezing_n_factor
        Freezing n-factor, of bare ground where snow is given, 0.02 to 1.2 [1].
    deep_snow_n_factor
        With snow: freezing n-factor under deep snow, 0.02 to 0.6 [1].
    snow_scale
        With snow: depth at which the factor has gone 63 % of the way, 0.02 to 3 [m].
    thawing_n_factor
        Thawing n-factor, 0.2 to 1.8 [1].
    conductivity_ratio
        Thermal conductivity of thawed over that of frozen ground, 0.3 to 1.2 [1].
    offset
        What is added to the temperature, -5 to 5 [delta degC]: for heat that the model does not know of, or
        the depth of the sensors.
    soil_class
        Covariate of classes, such as land cover, each with a `class_parameter` of its own.
    class_parameter
        Which parameter the classes differ in.
    shrinkage
        Rows for which the common value counts in each class.

    Notes
    -----
    Parameters that are left out are calibrated to the training rows; so is `offset` if it is null. Of a
    region that lies on one side of 0 °C only two numbers can be told, a factor of each index.

    Raises
    ------
    PermagridError
        If the climate is not told or told twice, a number is out of its range or lacks its covariate, or a
        covariate is none that the learner sees.
    """
    name = "ttop"
    climate = Climate(
        freezing_index,
        thawing_index,
        air_temperature,
        temperature_amplitude,
        warmest_quarter,
        coldest_quarter,
        snow_depth,
        winter_precipitation,
    )
    climate.check(name, needs=("freezing_index", "thawing_index"))
    check_snow(name, climate, deep_snow_n_factor=deep_snow_n_factor, snow_scale=snow_scale)
    values = {
        "freezing_n_factor": freezing_n_factor,
        "thawing_n_factor": thawing_n_factor,
        "conductivity_ratio": conductivity_ratio,
        "offset": offset,
        "snow_density": snow_density,
    }
    if climate.has_snow:
        values |= {"deep_snow_n_factor": deep_snow_n_factor, "snow_scale": snow_scale}
    process = Process(
        name,
        climate.named,
        parameters(name, values),
        ttop_law,
        soil_class=soil_class,
        class_parameter=class_parameter if soil_class else None,
        shrinkage=shrinkage,
    )
    return estimator_of(process, setting)


@LEARNERS.register
@traits(by_name=True, weights=True, tasks=("value",), reads=READS, says="m")
def stefan(  # noqa: PLR0913
    setting: Setting,
    *,
    thawing_index: str | None = None,
    air_temperature: str | None = None,
    temperature_amplitude: str | None = None,
    warmest_quarter: str | None = None,
    coldest_quarter: str | None = None,
    form: Literal["edaphic", "physical"] = "edaphic",
    edaphic_factor: float | None = None,
    conductivity: float | None = None,
    water_content: float | str = 0.35,
    thawing_n_factor: float = 1.0,
    unit: Unit = "cm",
    soil_class: str | None = None,
    shrinkage: float = 10.0,
) -> ProcessRegressor | ProcessClassifier:
    """Return the Stefan equation (Nelson et al. 1997, doi:10.2307/1551985) as a learner of active layers.

    Parameters
    ----------
    setting
        What it is built for; values only.
    thawing_index
        Covariate of the thawing index of the air [degC day].
    air_temperature, temperature_amplitude, warmest_quarter, coldest_quarter
        Covariates of the year's sinusoid in its place, as of `frost_number`.
    form
        ``edaphic`` is E times the root of the index; ``physical`` has conductivity and water in place of E.
    edaphic_factor
        E, 0.002 to 0.3 [m (degC day)-0.5], whatever the unit of the target; calibrated if left out.
    conductivity
        For ``physical``: thermal conductivity of thawed ground, 0.05 to 4 [W m-1 K-1]; calibrated if left
        out.
    water_content
        For ``physical``: share of the ground's volume that freezes and thaws, 0.01 to 0.95, or the covariate
        that holds it [1].
    thawing_n_factor
        For ``physical``: thawing index of the surface over that of the air, 0.2 to 1.8 [1].
    unit
        Unit of the target.
    soil_class
        Covariate of classes, each with an E (or a conductivity) of its own.
    shrinkage
        Rows for which the common value counts in each class.

    Raises
    ------
    PermagridError
        If the climate is not told or told twice, a number is out of its range or of the other form, or a
        covariate is none that the learner sees.
    """
    name = "stefan"
    climate = Climate(
        None, thawing_index, air_temperature, temperature_amplitude, warmest_quarter, coldest_quarter
    )
    climate.check(name, needs=("thawing_index",))
    strange = {"edaphic": {"conductivity": conductivity}, "physical": {"edaphic_factor": edaphic_factor}}[
        form
    ]
    for key, value in strange.items():
        if value is not None:
            other = "physical" if form == "edaphic" else "edaphic"
            raise PermagridError(f"{name}: {key} belongs to form: {other}, found form: {form}")
    names, values = climate.named, {"edaphic_factor": edaphic_factor}
    if form == "physical":
        values = {"conductivity": conductivity, "thawing_n_factor": thawing_n_factor}
        if isinstance(water_content, str):
            names = {**names, "water_content": water_content}
        else:
            values["water_content"] = water_content
    process = Process(
        name,
        names,
        parameters(name, values),
        Scaled(stefan_law, LENGTHS[unit]),
        soil_class=soil_class,
        class_parameter=next(iter(values)) if soil_class else None,
        shrinkage=shrinkage,
    )
    return estimator_of(process, setting)


@dataclass(frozen=True)
class Scaled:
    """A law in another unit."""

    law: Law
    factor: float

    def __call__(self, columns: Columns, values: Values) -> Float:
        """Return what the law says, times the factor."""
        return self.factor * self.law(columns, values)


def check_snow(learner: str, climate: Climate, **values: float | None) -> None:
    """Refuse parameters of snow where no covariate tells of snow.

    Raises
    ------
    PermagridError
        If one is given.
    """
    for key, value in values.items():
        if value is not None and not climate.has_snow:
            raise PermagridError(
                f"{learner}: {key} needs a covariate of snow: set snow_depth or winter_precipitation"
            )


def estimator_of(process: Process, setting: Setting) -> ProcessRegressor | ProcessClassifier:
    """Return the estimator of a process model for values or for classes.

    Raises
    ------
    PermagridError
        If it reads a covariate that the learner does not see, or `shrinkage` is below 0.
    """
    if not process.shrinkage >= 0:
        raise PermagridError(f"{process.name}: shrinkage must be at least 0, found {process.shrinkage:g}")
    given = {each.name for each in process.parameters if each.value is not None}
    if process.class_parameter in given:
        raise PermagridError(
            f"{process.name}: classes of soil_class differ in {process.class_parameter}, which is calibrated "
            "then; leave it out, or soil_class"
        )
    check_covariates(process, setting.covariates)
    estimator = ProcessRegressor if setting.task == "value" else ProcessClassifier
    return estimator(process, setting.covariates)
