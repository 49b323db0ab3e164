"""What is wrong with the form of a study, in sentences that name the allowed keys."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from permagrid.errors import did_you_mean
from permagrid.study.parts import Study
from permagrid.study.places import Location
from permagrid.wording import plain


def sentence(detail: Mapping[str, Any]) -> str:
    """Return one error of pydantic as a sentence: what is needed, and what was found."""
    if detail["type"] != "extra_forbidden":
        return plain(detail)
    location: Location = tuple(detail["loc"])
    key = str(location[-1])
    return f"unknown key {key!r}: {did_you_mean(key, keys_beside(location))}"


def keys_beside(location: Location) -> list[str]:
    """Return the keys that are allowed where the last step of a location stands."""
    model: Any = Study
    for step in location[:-1]:
        if isinstance(step, str) and model is not None:
            model = model.model_fields[step].annotation if step in model.model_fields else None
        model = _model_in(model)
    return list(model.model_fields) if model is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
