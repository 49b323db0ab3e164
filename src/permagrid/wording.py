"""Plain sentences for values of the wrong kind, wherever pydantic finds them."""

from collections.abc import Iterable, Mapping
from typing import Any

_SENTENCES: dict[str, str] = {
    "string_type": "needs a text",
    "float_type": "needs a number",
    "float_parsing": "needs a number",
    "int_type": "needs a whole number",
    "int_parsing": "needs a whole number",
    "int_from_float": "needs a whole number",
    "bool_type": "needs true or false",
    "bool_parsing": "needs true or false",
    "finite_number": "needs a finite number",
    "tuple_type": "needs a list",
    "list_type": "needs a list",
    "dict_type": "needs keys with values",
    "model_type": "needs keys with values",
    "model_attributes_type": "needs keys with values",
    "too_short": "needs at least {min_length} item",
    "literal_error": "must be {expected}",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le:g}",
}
_PATTERNS: dict[str, str] = {
    r"^[a-z0-9_-]{1,64}$": "may hold a-z, 0-9, _ and - only, up to 64 of them",
    r"^[a-z0-9_]{1,64}$": "may hold a-z, 0-9 and _ only, up to 64 of them",
    r"^[a-z][a-z0-9_]{1,63}$": "may hold a-z, 0-9 and _ only, beginning with a letter",
    r"^[A-Za-z0-9_]{0,40}$": "may hold letters, digits and _ only, up to 40 of them",
    r"^[A-Za-z][A-Za-z0-9_]{0,63}$": "may hold letters, digits and _ only, beginning with a letter",
}
_MOST_SHOWN = 60


def telling(details: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return errors of pydantic with one for each list that is too short, in place of one for each item."""
    found: dict[object, dict[str, Any]] = {}
    for number, detail in enumerate(details):
        location = tuple(detail["loc"])
        if detail["type"] == "missing" and location and isinstance(location[-1], int):
            found[location[:-1]] = {
                **detail,
                "loc": location[:-1],
                "type": "items_missing",
                "n": location[-1] + 1,
            }
        else:
            found[number] = dict(detail)
    return list(found.values())


def plain(detail: Mapping[str, Any]) -> str:
    """Return one error of pydantic as a sentence: what is needed, and what was found.

    Examples
    --------
    >>> plain({"type": "float_type", "loc": (), "msg": "", "input": "10 km"})
    "needs a number, found '10 km'"
    """
    kind, context, found = str(detail["type"]), detail.get("ctx", {}), detail.get("input")
    if kind == "missing":
        return "is missing; it must be given"
    if kind == "items_missing":
        return f"needs {detail['n']} items, found {_shown(found)}"
    if kind == "value_error":
        return str(detail["msg"]).removeprefix("Value error, ")
    if kind == "string_pattern_mismatch":
        message = _PATTERNS.get(context["pattern"], f"must match {context['pattern']}")
    elif kind in _SENTENCES:
        message = _SENTENCES[kind].format(**context)
    else:
        message = str(detail["msg"])
        message = f"{message[0].lower()}{message[1:]}"
    if kind == "string_type" and isinstance(found, int | float) and not isinstance(found, bool):
        return f'{message}, found the number {found}; write it in quotes: "{found}"'
    return f"{message}, found {_shown(found)}"


def _shown(found: object) -> str:
    if found is None:
        return "nothing"
    if isinstance(found, Mapping):
        return f"the keys {', '.join(map(str, found))}" if found else "no key"
    text = repr(found)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
