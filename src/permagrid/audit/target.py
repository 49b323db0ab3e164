"""Rules on the target: values that cannot be, and units that look mixed up."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from permagrid.audit.evidence import Evidence
from permagrid.audit.findings import AUDIT, Finding, listed, share
from permagrid.errors import PermagridError
from permagrid.units import conversion


@dataclass(frozen=True)
class Quantity:
    """What a target can be."""

    unit: str
    """Unit of what follows."""
    possible: tuple[float, float]
    """What no place on Earth leaves."""
    usual: tuple[float, float]
    """What hardly any place leaves."""


QUANTITIES: dict[str, Quantity] = {
    "mean_annual_ground_temperature": Quantity("degC", (-30.0, 30.0), (-20.0, 20.0)),
    "ground_temperature": Quantity("degC", (-30.0, 30.0), (-20.0, 20.0)),
    "soil_temperature": Quantity("degC", (-35.0, 35.0), (-25.0, 25.0)),
    "air_temperature": Quantity("degC", (-60.0, 40.0), (-35.0, 30.0)),
    "active_layer_thickness": Quantity("cm", (0.0, 2500.0), (5.0, 1000.0)),
    "thaw_depth": Quantity("cm", (0.0, 2500.0), (0.0, 1000.0)),
    "volumetric_ice_content": Quantity("%", (0.0, 100.0), (0.0, 100.0)),
    "excess_ice_content": Quantity("%", (0.0, 100.0), (0.0, 100.0)),
    "permafrost_presence": Quantity("1", (0.0, 1.0), (0.0, 1.0)),
    "permafrost_probability": Quantity("1", (0.0, 1.0), (0.0, 1.0)),
}
"""Target -> its range; temperatures are annual means."""

_RARE = 0.05


@AUDIT.register
def target_out_of_range(evidence: Evidence) -> Iterator[Finding]:
    """Find values of the target that no place on Earth has, or hardly any.

    Parameters
    ----------
    evidence
        What is looked at.
    """
    quantity = QUANTITIES.get(evidence.target.variable)
    values = _values(evidence, quantity)
    if quantity is None or values is None:
        return
    yield from _valid_range(evidence, quantity)
    for (low, high), severity, word in (
        (quantity.possible, "fatal", "cannot be"),
        (quantity.usual, "note", "is rare"),
    ):
        out = (values < low) | (values > high)
        if not out.any():
            continue
        sites = sorted(set(evidence.training.loc[out, "site_id"].astype(str)))
        yield Finding(
            "fatal" if severity == "fatal" else "note",
            f"{share(int(out.sum()), len(values), 'values')} lie outside {low:g} to {high:g} "
            f"{quantity.unit}, which {word}: {_span(values[out])}",
            f"sites: {listed(sites)}",
            "Mend or leave out these rows (quality test gross_range)."
            if severity == "fatal"
            else "Look at these sites once; one wrong value can weigh as much as a hundred others.",
        )
        return


def _span(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _valid_range(evidence: Evidence, quantity: Quantity) -> Iterator[Finding]:
    """Yield a range, to which maps are clipped, that allows what cannot be."""
    ends = [_converted(end, evidence.target.unit, quantity.unit) for end in evidence.target.valid_range]
    low, high = (np.nan if end is None else end for end in ends)
    if low < quantity.possible[0] or high > quantity.possible[1]:
        yield Finding(
            "caution",
            f"Maps may hold {low:g} to {high:g} {quantity.unit}, and {quantity.possible[0]:g} to "
            f"{quantity.possible[1]:g} is possible",
            "target.valid_range",
            "Narrow the range to what the target can be.",
        )


@AUDIT.register
def target_in_other_unit(evidence: Evidence) -> Iterator[Finding]:
    """Find a target whose values look as if they were in another unit.

    Parameters
    ----------
    evidence
        What is looked at.
    """
    quantity = QUANTITIES.get(evidence.target.variable)
    values = _values(evidence, quantity)
    if quantity is None or values is None or not len(values):
        return
    median, highest = float(np.median(values)), float(values.max())
    guess = None
    if quantity.unit == "degC" and median > 100.0:
        guess = "K"
    elif quantity.unit == "cm" and 0.0 < highest < 10.0:
        guess = "m"
    elif quantity.unit == "cm" and median > 300.0 and highest > quantity.possible[1]:
        guess = "mm"
    elif quantity.unit == "%" and 0.0 < highest <= 1.0:
        guess = "1"
    elif quantity.unit == "1" and highest > 1.0:
        guess = "%" if highest > 10.0 else "class codes"
    if guess is not None:
        yield Finding(
            "fatal",
            f"The values look like {guess}, not {evidence.target.unit}: their median is {median:.4g}, the "
            f"highest {highest:.4g} {quantity.unit}",
            "target.unit",
            "Set the unit of the table at its reader (unit), and run again.",
        )


def _values(
    evidence: Evidence, quantity: Quantity | None
) -> "np.ndarray[tuple[int], np.dtype[np.float64]] | None":
    """Return the values of the target in the unit of its quantity; None where that cannot be."""
    if quantity is None:
        return None
    try:
        factor, offset = conversion(evidence.target.unit, quantity.unit)
    except PermagridError:
        return None
    return np.asarray(evidence.values("value") * factor + offset)


def _converted(value: float, source: str, unit: str) -> float | None:
    if not np.isfinite(value):
        return None
    factor, offset = conversion(source, unit)
    return value * factor + offset
