"""The study file: read, refused with places, resolved, and understood in part."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from command_line import made_up_study, write_study
from permagrid.errors import StudyError
from permagrid.study import Study, parse_study, read_draft, read_study, resolved


def faults_of(content: dict[str, Any]) -> list[str]:
    with pytest.raises(StudyError) as caught:
        parse_study(content)
    return [str(fault) for fault in caught.value.faults]


def changed(*steps: Any, to: Any) -> dict[str, Any]:
    """Return the small study with one value changed."""
    study = deepcopy(made_up_study())
    inner: Any = study
    for step in steps[:-1]:
        inner = inner[step]
    inner[steps[-1]] = to
    return study


def test_a_file_and_a_mapping_give_the_same_study(tmp_path: Path) -> None:
    assert read_study(write_study(tmp_path, made_up_study())) == parse_study(made_up_study())


def test_a_resolved_study_is_the_same_study() -> None:
    study = parse_study(made_up_study())
    again = parse_study(resolved(study))
    assert resolved(again) == resolved(study)
    assert again.epoch_names == ["2000-2004", "2005-2009"]


def test_a_study_cannot_be_changed() -> None:
    study = parse_study(made_up_study())
    with pytest.raises(ValidationError, match="frozen"):
        study.seed = 3  # type: ignore[misc]


def test_keywords_of_plug_ins_are_the_keys_beside_those_of_the_part() -> None:
    study = parse_study(made_up_study())
    assert study.covariates[0].keywords == {"path": "air_{epoch}.tif"}
    assert study.learners[0].keywords == {"n_estimators": 5}


def test_a_quality_test_without_keywords_may_be_left_blank(tmp_path: Path) -> None:
    study = parse_study(changed("sites", "quality", to={"coordinates": None}))
    assert study.sites.quality == {"coordinates": {}}


@pytest.mark.parametrize(
    ("steps", "value", "said"),
    [
        (
            ("study",),
            "My study",
            "study: may hold a-z, 0-9, _ and - only, up to 64 of them, found 'My study'",
        ),
        (("study",), 2020, 'study: needs a text, found the number 2020; write it in quotes: "2020"'),
        (("seed",), -1, "seed: must be at least 0, found -1"),
        (("seed",), 1.5, "seed: needs a whole number, found 1.5"),
        (("target", "depth"), True, "target.depth: needs a number, found True"),
        (("target", "valid_range"), [1], "target.valid_range: needs 2 items, found [1]"),
        (("target", "kind"), "classes", "target.kind: must be 'value' or 'class', found 'classes'"),
        (("grid", "resolution"), None, "grid.resolution: needs a number, found nothing"),
        (("grid", "region"), [0, 60, 400, 70], "grid.region: [0, 60, 400, 70] is no region; longitudes lie"),
        (("sites", "reduce"), {"depth_range": [9, 3]}, "sites.reduce.depth_range: [9, 3] runs backwards"),
        (("sites", "reduce"), {"depth_rule": "nearest"}, "sites.reduce: depth is the depth [m] that"),
        (("covariates", 0, "years"), 1990, "covariates[0].years (air): 1990 is no span of years"),
        (("covariates", 1), "elevation.tif", "covariates[1]: needs keys with values, found 'elevation.tif'"),
        (("covariates", 0, "static"), "yes", "covariates[0].static (air): needs true or false, found 'yes'"),
        (("learners",), {"name": "random_forest"}, "learners: needs a list, found the keys name"),
        (("validation", "bootstrap"), 3, "validation.bootstrap: must be at least 50, found 3"),
        (("metadata", "titel"), "x", "metadata.titel: unknown key 'titel': did you mean 'title'?"),
    ],
)
def test_a_wrong_value_is_told_with_place_need_and_find(steps: tuple[Any], value: Any, said: str) -> None:
    faults = faults_of(changed(*steps, to=value))
    assert len(faults) == 1
    assert faults[0].startswith(said)


def test_faults_of_form_are_told_with_line_and_name_and_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my_study.yaml"
    path.write_text("study: A\nseed: -1\ncovariates:\n  - name: bio1\n    unit: 1\n", encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        read_study(path)
    told = [str(fault) for fault in caught.value.faults]
    assert told[0].startswith(f"{path}:1 study: may hold")
    assert told[1].startswith(f"{path}:2 seed: must be")
    assert told[2].startswith(f"{path}:5 covariates[0].unit (bio1): needs a text, found the number 1")
    assert told[3] == f"{path} metadata: is missing; it must be given"


def test_a_misspelt_key_is_not_told_to_be_missing_as_well() -> None:
    study = made_up_study()
    study["gird"] = study.pop("grid")
    assert [fault.split(":")[0] for fault in faults_of(study)] == ["gird"]


def test_every_duplicate_key_is_told_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("seed: 1\nseed: 2\ngrid:\n  crs: a\n  crs: b\n", encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        read_study(path)
    told = [str(fault) for fault in caught.value.faults]
    assert f"{path}:1 seed: stands twice, in lines 1 and 2; write it once" in told
    assert f"{path}:4 grid.crs: stands twice, in lines 4 and 5; write it once" in told


def test_text_that_looks_like_an_anchor_is_none(tmp_path: Path) -> None:
    study = changed("metadata", "abstract", to="air - *mean* and &c of boreholes: &all")
    assert read_study(write_study(tmp_path, study)).metadata.abstract.startswith("air - *mean*")


def test_what_is_sound_is_understood_beside_what_is_not(tmp_path: Path) -> None:
    study = made_up_study()
    del study["covariates"][0]["name"]
    study["grid"]["resolution"] = "coarse"
    study["sites"]["reduce"] = {"depth_rule": "all"}
    draft = read_draft(write_study(tmp_path, study))
    assert draft.study is not None
    assert [part.name for part in draft.study.covariates] == ["elevation", "slope", "geology"]
    assert draft.study.sites.reduce.depth_rule == "mean"
    assert draft.study.target.variable == "mean_annual_ground_temperature"
    assert (draft.doubtful, draft.absent) == ({"covariates", "grid", "sites"}, {"grid"})
    assert draft.places.original(("covariates", 0, "name")) == ("covariates", 1, "name")


SPOILS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(),
    st.text(max_size=8).filter(lambda text: not text.startswith("?")),
    st.lists(st.integers(), max_size=3),
    # ruamel writes keys such as ":0", and texts such as "?0", in a way no YAML reader takes.
    st.dictionaries(st.text("abcxyz_-", max_size=5), st.integers(), max_size=2),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_study_is_taken_or_told(data: st.DataObject, tmp_path: Path) -> None:
    """One value of a study, anywhere, is replaced by anything: the study is read, or faults are told."""
    study: Any = deepcopy(made_up_study())
    inner, steps = study, 0
    while True:
        step = data.draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
        steps += 1
        below = inner[step]
        if not isinstance(below, dict | list) or not below or (steps > 1 and data.draw(st.booleans())):
            inner[step] = data.draw(SPOILS)
            break
        inner = below
    draft = read_draft(write_study(tmp_path, study))
    assert isinstance(draft.study, Study)
    for fault in draft.places.faults(draft.findings):
        assert fault.place.startswith(str(tmp_path))
        assert fault.message


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 1200), length=st.integers(0, 40), noise=st.binary(max_size=12))
def test_a_damaged_file_is_taken_or_told(start: int, length: int, noise: bytes, tmp_path: Path) -> None:
    path = write_study(tmp_path, made_up_study())
    content = path.read_bytes()
    path.write_bytes(content[:start] + noise + content[start + length :])
    told: list[object] = []
    try:
        told.append(read_study(path))
    except StudyError as error:
        told += error.faults
    assert told
