"""Tables of named functions: readers, quality tests, covariates, learners and folds."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from permagrid.errors import PermagridError, did_you_mean
from permagrid.wording import plain, telling

Function = TypeVar("Function", bound=Callable[..., Any])


class Table(Generic[Function]):
    """A table of functions that a study file may name.

    A function joins the table by decoration, or from another package through an entry point in the
    group. What a study may pass to it is read from its keyword-only parameters.

    Parameters
    ----------
    kind
        What the table holds, in the singular, as messages say it.
    group
        Entry-point group after ``permagrid.``; the kind, with underscores, if left out.

    Examples
    --------
    >>> tests = Table("example")
    >>> @tests.register
    ... def coldest(values, *, below=0.0):
    ...     return min(values) < below
    >>> tests.names()
    ['coldest']
    >>> tests.faults("coldest", {"belov": 1})
    ["unknown keyword 'belov' of example coldest: did you mean 'below'? Allowed: below"]
    """

    def __init__(self, kind: str, *, group: str | None = None) -> None:
        self.kind = kind
        self._group = f"permagrid.{group or kind.replace(' ', '_')}"
        self._functions: dict[str, Function] = {}
        self._plugins_loaded = False

    def register(self, function: Function) -> Function:
        """Put a function in the table under its own name; usable as a decorator."""
        self._functions[function.__name__] = function
        return function

    def _load_plugins(self) -> None:
        if self._plugins_loaded:
            return
        self._plugins_loaded = True
        for point in entry_points(group=self._group):
            self._functions.setdefault(point.name, point.load())

    def names(self) -> list[str]:
        """Return the names in the table, sorted."""
        self._load_plugins()
        return sorted(self._functions)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __getitem__(self, name: str) -> Function:
        """Return the function called `name`.

        Raises
        ------
        PermagridError
            If the table has no such name.
        """
        if name not in self:
            raise PermagridError(f"unknown {self.kind} {name!r}: {did_you_mean(name, self.names())}")
        return self._functions[name]

    def keywords(self, name: str) -> dict[str, inspect.Parameter]:
        """Return the keyword-only parameters that a study may set for `name`."""
        parameters = inspect.signature(self[name]).parameters.values()
        return {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}

    def faults(self, name: str, keywords: Mapping[str, Any]) -> list[str]:
        """Return one sentence for each unknown name, unknown keyword and missing keyword."""
        if name not in self:
            return [f"unknown {self.kind} {name!r}: {did_you_mean(name, self.names())}"]
        allowed = self.keywords(name)
        found = [
            f"unknown keyword {key!r} of {self.kind} {name}: {did_you_mean(key, allowed)}"
            for key in keywords
            if key not in allowed
        ]
        found += [
            f"{self.kind} {name} needs the keyword {key!r}"
            for key, parameter in allowed.items()
            if parameter.default is inspect.Parameter.empty and key not in keywords
        ]
        hints = self.hints(name)
        found += [
            f"keyword {key!r} of {self.kind} {name}: {why}"
            for key, value in keywords.items()
            if key in allowed and (why := _misfit(hints[key], value)) is not None
        ]
        return found

    def hints(self, name: str) -> dict[str, Any]:
        """Return the types of the keywords that a study may set for `name`."""
        hints = get_type_hints(self[name], include_extras=True)
        return {key: hints.get(key, Any) for key in self.keywords(name)}


def _misfit(hint: Any, value: Any) -> str | None:
    """Return why a value from a study file does not fit a type, or None."""
    try:
        # Judged as JSON, where a list may be a tuple but a text is never a number.
        adapter: TypeAdapter[Any] = TypeAdapter(hint, config=ConfigDict(allow_inf_nan=False))
        adapter.validate_json(json.dumps(value, default=_written), strict=True)
    except ValidationError as error:
        details = error.errors()
        said = dict.fromkeys(plain({**detail, "input": value}) for detail in telling(details))
        # Of a choice of types each says what it needs, and all found the same.
        needs = [each.split(", found ")[0] for each in said]
        found = next(iter(said)).removeprefix(needs[0])
        return " or ".join(needs) + found
    return None


def _written(value: Any) -> Any:
    """Return a value that JSON does not know as one that it knows: numbers of NumPy, or a text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
