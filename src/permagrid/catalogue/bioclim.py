"""The nineteen bioclimatic variables, whose units in files differ from one data set to the next."""

from collections.abc import Mapping

from permagrid.catalogue.records import Variable

NAMES: dict[int, tuple[str, str]] = {
    1: ("degC", "Annual mean air temperature"),
    2: ("delta degC", "Mean diurnal range"),
    3: ("%", "Isothermality"),
    4: ("delta degC", "Temperature seasonality (standard deviation)"),
    5: ("degC", "Maximum temperature of the warmest month"),
    6: ("degC", "Minimum temperature of the coldest month"),
    7: ("delta degC", "Annual temperature range"),
    8: ("degC", "Mean temperature of the wettest quarter"),
    9: ("degC", "Mean temperature of the driest quarter"),
    10: ("degC", "Mean temperature of the warmest quarter"),
    11: ("degC", "Mean temperature of the coldest quarter"),
    12: ("mm", "Annual precipitation"),
    13: ("mm", "Precipitation of the wettest month"),
    14: ("mm", "Precipitation of the driest month"),
    15: ("1", "Precipitation seasonality (coefficient of variation)"),
    16: ("mm", "Precipitation of the wettest quarter"),
    17: ("mm", "Precipitation of the driest quarter"),
    18: ("mm", "Precipitation of the warmest quarter"),
    19: ("mm", "Precipitation of the coldest quarter"),
}
"""Number -> unit and long name."""

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def bioclim(stored: Mapping[str, str], *, seasonality: str) -> tuple[Variable, ...]:
    """Return the nineteen variables.

    Parameters
    ----------
    stored
        Unit -> unit of the numbers in the files, where it is another one.
    seasonality
        Unit of the numbers of BIO4, a standard deviation.
    """
    return tuple(
        Variable(
            f"bio{number}",
            unit,
            long_name,
            stored_unit=seasonality if number == 4 else stored.get(unit, ""),
            # Archives of 30 arc seconds hold half of them each.
            fills={
                "number": str(number),
                "padded": f"{number:02d}",
                "half": "1-9" if number < 10 else "10-19",
            },
        )
        for number, (unit, long_name) in NAMES.items()
    )


def monthly(element: str, unit: str, long_name: str, *, stored_unit: str = "") -> tuple[Variable, ...]:
    """Return an element of climate in each month, twelve variables.

    Examples
    --------
    >>> monthly("tavg", "degC", "Mean air temperature")[0].name
    'tavg_01'
    """
    return tuple(
        Variable(
            f"{element}_{number:02d}",
            unit,
            f"{long_name}, {month}",
            stored_unit=stored_unit,
            group=element,
            fills={"element": element, "month": f"{number:02d}", "m": str(number)},
        )
        for number, month in enumerate(MONTHS, start=1)
    )
