"""Kudryavtsev's model as a learner of ground temperature, of permafrost, and of the active layer."""

from typing import Literal

from permagrid.errors import PermagridError
from permagrid.learners.process import LENGTHS, Scaled, Unit, check_snow, estimator_of
from permagrid.learners.process_estimator import ProcessClassifier, ProcessRegressor
from permagrid.learners.process_model import Process, parameters
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.traits import traits
from permagrid.physics.climate import READS, Climate
from permagrid.physics.laws import Law, kudryavtsev_depth_law, kudryavtsev_temperature_law

Output = Literal["temperature", "active_layer"]

_OF_ACTIVE_LAYER = ("thawed_conductivity", "water_content")


@LEARNERS.register
@traits(by_name=True, weights=True, reads=READS)
def kudryavtsev(  # noqa: PLR0913
    setting: Setting,
    *,
    air_temperature: str | None = None,
    temperature_amplitude: str | None = None,
    warmest_quarter: str | None = None,
    coldest_quarter: str | None = None,
    snow_depth: str | None = None,
    winter_precipitation: str | None = None,
    snow_density: float = 250.0,
    output: Output = "temperature",
    unit: Unit = "cm",
    snow_diffusivity: float | None = None,
    vegetation_thickness: float | None = None,
    frozen_vegetation_diffusivity: float = 1.4e-6,
    thawed_vegetation_diffusivity: float = 1.2e-7,
    conductivity_ratio: float | None = None,
    thawed_conductivity: float | None = None,
    water_content: float | None = 0.35,
    heat_capacity: float = 2.5e6,
    offset: float | None = 0.0,
    soil_class: str | None = None,
    class_parameter: Literal[
        "conductivity_ratio", "thawed_conductivity", "water_content", "vegetation_thickness"
    ] = "conductivity_ratio",
    shrinkage: float = 10.0,
) -> ProcessRegressor | ProcessClassifier:
    """Return Kudryavtsev's model (Romanovsky and Osterkamp 1997) as a learner.

    The year's sinusoid goes through snow and vegetation into the ground. Values are the temperature at the
    top of permafrost or the thickness of the active layer; of classes, such as presence of permafrost, a
    logistic of the temperature gives the probabilities. Where the model finds no permafrost, its active
    layer is that of ground at 0 °C.

    Parameters
    ----------
    setting
        What it is built for.
    air_temperature
        Covariate of mean annual air temperature [degC].
    temperature_amplitude
        Covariate of half the range of the year's temperature [delta degC].
    warmest_quarter, coldest_quarter
        In its place: covariates of the mean temperature of these quarters [degC].
    snow_depth
        Covariate of the mean depth of the winter's snow [m]; no snow if left out.
    winter_precipitation
        In its place: covariate of precipitation that lies as snow [mm].
    snow_density
        What such snow is taken to weigh [kg m-3].
    output
        ``temperature`` [degC] or ``active_layer`` [`unit`].
    unit
        Unit of an active layer.
    snow_diffusivity
        With snow: its thermal diffusivity, 1e-8 to 5e-6 [m2 s-1].
    vegetation_thickness
        Thickness of moss and litter, 0 to 1 [m].
    frozen_vegetation_diffusivity, thawed_vegetation_diffusivity
        Their thermal diffusivities in winter and summer, 1e-8 to 5e-6 [m2 s-1].
    conductivity_ratio
        Thermal conductivity of thawed over that of frozen ground, 0.3 to 1.2 [1].
    thawed_conductivity
        For an active layer: that of thawed ground, 0.05 to 4 [W m-1 K-1].
    water_content
        For an active layer: share of the ground's volume that freezes and thaws, 0.01 to 0.95 [1].
    heat_capacity
        For an active layer: of thawed ground, 5e5 to 5e6 [J m-3 K-1].
    offset
        What is added to the temperature, -5 to 5 [delta degC].
    soil_class
        Covariate of classes, each with a `class_parameter` of its own.
    class_parameter
        Which parameter the classes differ in.
    shrinkage
        Rows for which the common value counts in each class.

    Notes
    -----
    What is left out of snow_diffusivity, vegetation_thickness, conductivity_ratio and thawed_conductivity is
    calibrated to the training rows, and so are `water_content` and `offset` if they are null.

    Raises
    ------
    PermagridError
        If the climate is not told or told twice, a number is out of its range, lacks its covariate or is for
        the other output, or a covariate is none that the learner sees.
    """
    name = "kudryavtsev"
    climate = Climate(
        air_temperature=air_temperature,
        temperature_amplitude=temperature_amplitude,
        warmest_quarter=warmest_quarter,
        coldest_quarter=coldest_quarter,
        snow_depth=snow_depth,
        winter_precipitation=winter_precipitation,
    )
    climate.check(name, needs=("wave",))
    check_snow(name, climate, snow_diffusivity=snow_diffusivity)
    if output == "active_layer" and setting.task == "class":
        raise PermagridError(f"{name}: output: active_layer is for values, and the target is a class")
    if output == "temperature" and thawed_conductivity is not None:
        raise PermagridError(f"{name}: thawed_conductivity belongs to output: active_layer, found {output}")
    if output == "temperature" and soil_class and class_parameter in _OF_ACTIVE_LAYER:
        raise PermagridError(
            f"{name}: class_parameter: {class_parameter} belongs to output: active_layer, found {output}"
        )
    values = {
        "vegetation_thickness": vegetation_thickness,
        "frozen_vegetation_diffusivity": frozen_vegetation_diffusivity,
        "thawed_vegetation_diffusivity": thawed_vegetation_diffusivity,
        "conductivity_ratio": conductivity_ratio,
        "offset": offset,
        "snow_density": snow_density,
    }
    if climate.has_snow:
        values["snow_diffusivity"] = snow_diffusivity
    if output == "active_layer":
        values |= {
            "thawed_conductivity": thawed_conductivity,
            "water_content": water_content,
            "heat_capacity": heat_capacity,
        }
    law: Law = kudryavtsev_temperature_law
    if output == "active_layer":
        law = Scaled(kudryavtsev_depth_law, LENGTHS[unit])
    process = Process(
        name,
        climate.named,
        parameters(name, values),
        law,
        soil_class=soil_class,
        class_parameter=class_parameter if soil_class else None,
        shrinkage=shrinkage,
    )
    return estimator_of(process, setting)
