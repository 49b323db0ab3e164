"""How a covariate was made, in one line: its method, its settings with their units, and what it says."""

from collections.abc import Mapping
from typing import Any

from permagrid.products.legend import unit_label
from permagrid.report.canvas import words

_CURVATURES = ("longitudinal", "cross_sectional", "profile", "tangential", "plan")
_INDICES = ("air_freezing", "air_thawing", "surface_freezing", "surface_thawing")
_KEYWORDS: dict[str, tuple[str, ...]] = {
    "m": (
        "filled.distance",
        "lapse_rate_downscaling.window_radius",
        "lapse_rate_downscaling.minimum_spread",
        "relief_amplitude.radius",
        "topographic_position_index.radius",
        "kudryavtsev_active_layer.vegetation_thickness",
        "kudryavtsev_temperature.vegetation_thickness",
        "ttop.snow_scale",
    ),
    "km": ("distance_to.maximum",),
    "cm": ("soil_layers.between", "soil_layers.depths", "soil_texture.between", "soil_texture.depths"),
    "cells": ("convergence_index.smoothing", *(f"{name}_curvature.smoothing" for name in _CURVATURES)),
    "m/m": ("topographic_wetness_index.least_slope",),
    "degC": (
        "snow_season_precipitation.threshold",
        *(f"{name}_index.standard_deviation" for name in _INDICES),
    ),
    "degC/m": tuple(f"lapse_rate_downscaling.{key}" for key in ("lapse_rate", "limits", "fallback")),
    "%": ("soil_texture.tolerance",),
    "K": ("modis_land_surface_temperature.maximum_error",),
}
KEYWORD_UNITS: dict[str, str] = {keyword: unit for unit, some in _KEYWORDS.items() for keyword in some}
"""``method.keyword`` -> unit in which a study states it."""
_SPANS = ("between", "limits", "reference", "season")
_SAME = {"depth": "between"}
"""What a layer says of itself -> the setting that says the same, where they are named differently."""


def how_made(item: Mapping[str, Any]) -> str:
    """Return method and settings without paths, which stand in the study file, and nothing twice.

    Parameters
    ----------
    item
        A covariate of ``summary.json``.

    Examples
    --------
    >>> how_made({"method": "relief_amplitude", "settings": {"radius": 20000.0, "analysis": "grid"},
    ...           "notes": {"analysis": "analysed on the study grid"}})
    'relief amplitude: radius 20000 m, analysed on the study grid'
    """
    method, notes = str(item["method"]), _notes(item)
    settings = {key: value for key, value in (item.get("settings") or {}).items() if _tells(key, value)}
    said = {key: f"{words(key)} {_written(key, value)}" for key, value in settings.items()}
    for key, value in settings.items():
        if unit := _unit(item, key, value):
            said[key] += f" {unit}"
    for key, note in notes.items():
        told = _SAME.get(key, key)
        if told not in said or (key == told and note != str(settings[key])):
            said[told] = note if key == "analysis" else f"{words(key)} {note}"
    listed = ", ".join(dict.fromkeys(said.values()))
    return f"{words(method)}: {listed}" if listed else words(method)


def _notes(item: Mapping[str, Any]) -> dict[str, str]:
    """Return what a layer says of itself; its files have a column of their own."""
    return {key: str(note) for key, note in (item.get("notes") or {}).items() if key != "source"}


def _tells(key: str, value: Any) -> bool:
    """Return whether a setting says how a layer was made: not what is off, nor where its files lie."""
    if value is None or value is False or value in ("", "auto", []) or (key == "smoothing" and not value):
        return False
    return not key.endswith(("path", "paths", "variable", "crs", "memory"))


def _unit(item: Mapping[str, Any], key: str, value: Any) -> str:
    """Return the unit of a setting as people read it; words have none."""
    if isinstance(value, str):
        return ""
    if key == "window":
        return "year" if value == 1 else "years"
    if (item["method"], key) == ("observation", "at"):
        return unit_label(str(item.get("units") or ""))
    return unit_label(KEYWORD_UNITS.get(f"{item['method']}.{key}", "")).replace("degC", "°C")


def _written(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{inner} {_written(inner, one)}" for inner, one in value.items())
    if isinstance(value, list | tuple):
        parts = [_written("between" if key == "depths" else "", one) for one in value]
        return (" to " if key in _SPANS else "; ").join(parts)
    return f"{value:.10g}" if isinstance(value, float) else str(value)
