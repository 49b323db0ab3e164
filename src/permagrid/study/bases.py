"""What all parts of a study file share: frozen models that refuse unknown keys, and checked spans."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

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
