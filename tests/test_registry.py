"""Tables of named functions: names, keywords, their types, and plug-ins."""

from importlib.metadata import EntryPoint
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import Field

from permagrid.errors import PermagridError, did_you_mean
from permagrid.registry import Table


def example(
    values: list[float],
    *,
    size: float,
    count: Annotated[int, Field(ge=1)] = 3,
    rule: Literal["near", "far"] = "near",
    region: tuple[float, float] | None = None,
    share: float | str = 0.5,
    strict: bool = False,
) -> object:
    """Return nothing of use."""
    return values, size, count, rule, region, share, strict


@pytest.fixture
def table() -> Table[Any]:
    """Return a table with one function."""
    made: Table[Any] = Table("example")
    made.register(example)
    return made


def test_a_registered_function_is_found(table: Table[Any]) -> None:
    assert table.names() == list(table) == ["example"]
    assert table["example"] is example
    assert "example" in table
    assert "other" not in table


def test_an_unknown_name_is_refused_with_the_nearest(table: Table[Any]) -> None:
    with pytest.raises(PermagridError, match="unknown example 'exmple': did you mean 'example'"):
        table["exmple"]
    assert table.faults("exmple", {})[0].startswith("unknown example 'exmple'")


@pytest.mark.parametrize(
    "keywords",
    [
        {"size": 5},
        {"size": 5.5, "count": 1, "rule": "far", "region": [1, 2.5], "share": "all", "strict": True},
        {"size": 1, "region": None, "share": 1},
    ],
)
def test_fitting_keywords_have_no_fault(table: Table[Any], keywords: dict[str, Any]) -> None:
    assert table.faults("example", keywords) == []


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({}, "example example needs the keyword 'size'"),
        ({"size": 1, "sise": 2}, "unknown keyword 'sise' of example example: did you mean 'size'?"),
        ({"size": "5"}, "keyword 'size' of example example: needs a number, found '5'"),
        ({"size": True}, "keyword 'size' of example example: needs a number, found True"),
        ({"size": float("nan")}, "keyword 'size' of example example: needs a finite number, found nan"),
        ({"size": 1, "count": 0}, "keyword 'count' of example example: must be at least 1, found 0"),
        ({"size": 1, "count": 1.5}, "keyword 'count' of example example: needs a whole number, found 1.5"),
        (
            {"size": 1, "rule": "mid"},
            "keyword 'rule' of example example: must be 'near' or 'far', found 'mid'",
        ),
        (
            {"size": 1, "strict": "yes"},
            "keyword 'strict' of example example: needs true or false, found 'yes'",
        ),
        (
            {"size": 1, "share": []},
            "keyword 'share' of example example: needs a number or needs a text, found []",
        ),
        ({"size": 1, "region": [1]}, "keyword 'region' of example example: needs 2 items, found [1]"),
    ],
)
def test_faults_name_keyword_need_and_find(table: Table[Any], keywords: dict[str, Any], said: str) -> None:
    faults = table.faults("example", keywords)
    assert len(faults) == 1
    assert faults[0].startswith(said)


def test_numbers_of_numpy_fit(table: Table[Any]) -> None:
    fitting = {"size": np.float32(5), "count": np.int64(2), "region": np.array([1.0, 2.0])}
    assert table.faults("example", fitting) == []
    assert "must be at least 1, found" in table.faults("example", {"size": 1, "count": np.int64(0)})[0]


def test_long_lists_show_the_nearest_and_how_many_there_are() -> None:
    names = ["snow_cover_days", "slope", *(f"layer_{number}" for number in range(11))]
    said = did_you_mean("snow_days", names)
    assert said.startswith("did you mean 'snow_cover_days'? Allowed: snow_cover_days, ")
    assert said.endswith(", ... (13 in all)")
    assert said.count(",") == 8
    assert did_you_mean("snow_days", names[:12]) == (
        f"did you mean 'snow_cover_days'? Allowed: {', '.join(names[:12])}"
    )


def test_lists_keep_their_order_and_sets_are_sorted_by_number() -> None:
    sizes = ["10m", "5m", "2.5m", "30s"]
    assert did_you_mean("x", sizes) == "Allowed: 10m, 5m, 2.5m, 30s"
    assert did_you_mean("x", {*sizes, "all", "2.5km"}) == "Allowed: 2.5km, 2.5m, 5m, 10m, 30s, all"


def test_only_keywords_may_be_set_by_a_study(table: Table[Any]) -> None:
    assert "values" not in table.keywords("example")
    assert "unknown keyword 'values'" in table.faults("example", {"size": 1, "values": []})[0]


def test_a_plug_in_of_another_package_joins_and_does_not_replace(
    table: Table[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def points(*, group: str) -> list[EntryPoint]:
        asked.append(group)
        return [
            EntryPoint("sqrt", "math:sqrt", "permagrid.quality_test"),
            EntryPoint("example", "math:floor", "permagrid.quality_test"),
        ]

    monkeypatch.setattr("permagrid.registry.entry_points", points)
    tests: Table[Any] = Table("quality test")
    tests.register(example)
    assert tests.names() == ["example", "sqrt"]
    assert tests["example"] is example
    assert asked == ["permagrid.quality_test"]
