"""Named sources in a study: written out at load, told with their line, resolved, and read from real files."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from command_line import call, made_up_study, write_data, write_study
from permagrid.catalogue import SOURCES, find_source
from permagrid.check import check_file
from permagrid.covariates import Covariate
from permagrid.errors import StudyError
from permagrid.schema import study_schema
from permagrid.steps.inputs import covariates_of
from permagrid.study import parse_study, read_draft, read_study, resolved
from test_schema import accepts

STUDIES = Path(__file__).resolve().parents[1] / "studies"
BIO = {"source": "worldclim2.1/bio", "resolution": "5m", "variables": ["bio1", "bio4", "bio15"]}


def study_with(*entries: Any) -> dict[str, Any]:
    """Return the small study with entries put before its second covariate."""
    study = made_up_study()
    study["covariates"][1:1] = deepcopy(list(entries))
    return study


def faults_of(content: dict[str, Any]) -> list[str]:
    with pytest.raises(StudyError) as caught:
        parse_study(content)
    return [str(fault) for fault in caught.value.faults]


def test_a_source_stands_for_a_covariate_per_variable() -> None:
    study = parse_study(study_with(BIO))
    assert [part.name for part in study.covariates] == [
        *("air", "bio1", "bio4", "bio15", "elevation", "slope", "geology"),
    ]
    bio4 = covariates_of(study)["bio4"]
    assert bio4 == Covariate(
        name="bio4",
        method="raster",
        unit="delta degC",
        keywords={"path": "worldclim2.1/bio/5m/wc2.1_5m_bio_4.tif", "stored_unit": "0.01 delta degC"},
        years=(1970, 2000),
        static=True,
        long_name="Temperature seasonality (standard deviation)",
        source=bio4.source,
    )
    assert bio4.source.startswith("WorldClim 2.1 bioclimatic variables, 1970-2000. Fick, S. E.")
    assert bio4.source.endswith("doi:10.1002/joc.5086")


def test_a_resolved_study_shows_what_a_source_stands_for() -> None:
    study = parse_study(study_with(BIO))
    plain = resolved(study)
    assert plain["covariates"][1]["path"] == "worldclim2.1/bio/5m/wc2.1_5m_bio_1.tif"
    assert plain["covariates"][1]["years"] == "1970-2000"
    assert not any("source" in part for part in plain["covariates"])
    assert resolved(parse_study(plain)) == plain


def test_a_file_and_a_mapping_give_the_same_study(tmp_path: Path) -> None:
    study = study_with(BIO, {"source": "gistemp4/zonal", "reference": [1970, 2000]})
    assert read_study(write_study(tmp_path, study)) == parse_study(study)


def test_folder_names_and_other_keys_may_be_chosen() -> None:
    entry = {
        **BIO,
        "prefix": "wc_",
        "path": "elsewhere/",
        "files": "{variable}_{resolution}.tif",
        "resampling": "average",
        "unit": "K",
        "static": False,
        "citation": "mine",
    }
    part = parse_study(study_with({**entry, "variables": ["bio1"]})).covariates[1]
    assert (part.name, part.unit, part.static, part.citation) == ("wc_bio1", "K", False, "mine")
    assert part.keywords == {"path": "elsewhere/bio1_5m.tif", "resampling": "average"}
    flat = parse_study(study_with({**BIO, "path": "."})).covariates[1]
    assert flat.keywords["path"] == "wc2.1_5m_bio_1.tif"


def test_months_of_a_series_keep_their_years_open() -> None:
    entry = {"source": "worldclim2.1/monthly", "variables": ["tmin_01"]}
    part = parse_study(study_with(entry)).covariates[1]
    assert part.keywords["path"] == "worldclim2.1/monthly/10m/wc2.1_cruts4.09_10m_tmin_{year}-01.tif"
    assert (part.years, part.static) == ((1950, 2024), False)


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        (
            {"source": "worldclim2.1/monthly", "variables": ["tmin"], "resolution": "5m"},
            "worldclim2.1/monthly/5m/wc2.1_cruts4.09_5m_tmin_{year}-{month}.tif",
        ),
        ({"source": "worldclim2.1/tavg"}, "worldclim2.1/tavg/10m/wc2.1_10m_tavg_{month}.tif"),
        ({"source": "worldclim1.4/tmean"}, "worldclim1.4/tmean/10m/tmean{m}.bil"),
    ],
)
def test_a_method_is_given_a_series_with_its_months_open(entry: dict[str, Any], path: str) -> None:
    made = {**entry, "name": "freezing", "method": "air_freezing_index"}
    study = parse_study(study_with(made))
    part = study.covariates[1]
    assert (part.name, part.method, part.keywords["path"]) == ("freezing", "air_freezing_index", path)
    assert part.unit is None
    assert covariates_of(study)["freezing"].unit == "degC day"
    stored = find_source(entry["source"]).variables[0].stored_unit
    assert part.keywords.get("stored_unit", "") == stored


def test_methods_of_sources_and_what_they_need() -> None:
    study = study_with(
        {"source": "gistemp4/zonal", "reference": [1960, 1990]},
        {"source": "beyer2020", "variables": ["bio1"], "time": -21000, "prefix": "lgm_"},
        {"source": "hwsd1.2/units"},
    )
    anomaly, lgm, units = parse_study(study).covariates[1:4]
    assert (anomaly.method, anomaly.keywords["reference"]) == ("zonal_anomaly", [1960, 1990])
    assert (lgm.name, lgm.keywords["time"], lgm.keywords["variable"]) == ("lgm_bio1", -21000, "BIO1")
    assert (units.kind, units.unit) == ("class", "class")


@pytest.mark.parametrize("name", [s.name for s in SOURCES.values() if s.covariates])
def test_every_source_can_be_named(name: str) -> None:
    entry = {"source": name, **dict.fromkeys(find_source(name).needs, -21000)}
    study = study_with(entry)
    study["covariates"] = study["covariates"][1:2]
    study["learners"] = study["learners"][:1]
    del study["sites"]["quality"]["climate_consistency"]
    parts = parse_study(study).covariates
    assert len(parts) == len(find_source(name).variables)
    assert all(part.citation for part in parts)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            {"source": "worldclim2.1/boi"},
            "source: unknown source 'worldclim2.1/boi': did you mean 'worldclim2.1/bio'?",
        ),
        (
            {"source": "worldclim2.1/bio", "resolution": "1m"},
            "resolution: worldclim2.1/bio has no resolution '1m'",
        ),
        (
            {"source": "worldclim2.1/bio", "variables": ["bio0"]},
            "variables: worldclim2.1/bio has no variable 'bio0'",
        ),
        ({"source": "worldclim2.1/bio", "variables": []}, "variables: needs at least 1 item, found []"),
        ({"source": "worldclim2.1/bio", "variables": "bio1"}, "variables: needs a list, found 'bio1'"),
        ({"source": "worldclim2.1/bio", "resolution": 10}, "resolution: needs a text, found the number 10"),
        ({"source": 21}, "source: needs a text, found the number 21"),
        ({"source": "worldclim2.1/bio", "name": "wc"}, "name (wc): a named source takes no name"),
        (
            {"source": "worldclim2.1/tavg", "method": "air_freezing_index"},
            "method: makes one covariate of the source",
        ),
        (
            {"source": "worldclim2.1/monthly", "method": "air_freezing_index", "name": "f"},
            "variables (f): air_freezing_index takes one series of worldclim2.1/monthly; name one of tmin,",
        ),
        ({"source": "worldclim2.1/bio", "files": "x.tif"}, "files: 'x.tif' names one file for 19 variables"),
        (
            {"source": "copernicus-dem/30"},
            "source: copernicus-dem/30 comes in pieces; make one raster of them",
        ),
        ({"source": "calm"}, "source: calm is a table, not a raster; name its file in sites.sources"),
        ({"source": "beyer2020"}, ": beyer2020 needs time: the time to take, such as time: -21000"),
        (
            {"source": "worldclim2.1/bio", "prefix": "wc 2"},
            "prefix: may hold letters, digits and _ only, up to 40 of them, found 'wc 2'",
        ),
    ],
)
def test_a_faulty_source_is_one_fault_at_its_key(entry: dict[str, Any], said: str) -> None:
    (fault,) = faults_of(study_with(entry))
    assert fault.startswith(f"covariates[1]{'' if said.startswith(':') else '.'}{said}")


def test_pieces_that_were_joined_may_be_named() -> None:
    part = parse_study(
        study_with({"source": "copernicus-dem/30", "path": "dem", "files": "alps.tif"})
    ).covariates[1]
    assert (part.name, part.unit, part.keywords["path"]) == ("elevation", "m", "dem/alps.tif")


def test_faults_keep_the_line_and_the_number_of_the_entry(tmp_path: Path) -> None:
    path = tmp_path / "my_study.yaml"
    study = study_with({**BIO, "unit": 5}, {**BIO, "resampling": "best", "prefix": "b_"})
    study["covariates"][3]["kind"] = "clas"
    yaml = YAML(typ="rt")
    yaml.representer.ignore_aliases = lambda _: True
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(study, stream)
    lines = path.read_text(encoding="utf-8").splitlines()
    told = [str(fault) for fault in check_file(path, tmp_path, data=False)]
    assert len(told) == 3
    assert told[0].startswith(
        f"{path}:{lines.index('  unit: 5') + 1} covariates[1].unit (bio1): needs a text"
    )
    assert told[0].endswith("; as well: bio4, bio15")
    second = lines.index("  resampling: best") + 1
    assert told[1].startswith(f"{path}:{second} covariates[2].resampling (b_bio1): keyword 'resampling'")
    assert told[1].endswith("; as well: b_bio4, b_bio15")
    assert told[2].startswith(
        f"{path}:{lines.index('  kind: clas') + 1} covariates[3].kind (elevation): must be"
    )


def test_a_faulty_source_brings_no_follow_up_faults(tmp_path: Path) -> None:
    study = study_with({"source": "worldclim2.1/boi"})
    study["learners"][1]["covariates"] = ["air", "bio1"]
    told = [str(fault) for fault in check_file(write_study(tmp_path, study), tmp_path, data=False)]
    assert len(told) == 1
    only = made_up_study()
    only["covariates"] = [{"source": "worldclim2.1/boi"}]
    told = [str(fault) for fault in check_file(write_study(tmp_path, only), tmp_path, data=False)]
    assert len(told) == 1
    assert "unknown source" in told[0]


def test_what_is_sound_is_understood_beside_a_faulty_source(tmp_path: Path) -> None:
    study = study_with({"source": "worldclim2.1/boi"}, BIO)
    del study["covariates"][0]["name"]
    draft = read_draft(write_study(tmp_path, study))
    assert draft.study is not None
    names = [part.name for part in draft.study.covariates]
    assert names == ["bio1", "bio4", "bio15", "elevation", "slope", "geology"]
    assert draft.doubtful == {"covariates"}
    assert draft.places.original(("covariates", 0, "unit")) == ("covariates", 1, "unit")


def test_a_key_that_stands_twice_in_a_source_is_told(tmp_path: Path) -> None:
    path = write_study(tmp_path, study_with(BIO))
    text = path.read_text(encoding="utf-8").replace("resolution: 5m", "resolution: 5m\n  resolution: 10m")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError, match=r"covariates\[1\]\.resolution \(bio1\): stands twice") as caught:
        read_study(path)
    assert len(caught.value.faults) == 1


def test_files_that_are_missing_are_one_fault_with_what_brings_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path)
    outcome = call(capsys, "check", write_study(tmp_path, study_with(BIO)))
    assert outcome.status == 2
    (line,) = outcome.err.splitlines()
    assert "no such file: " in line
    assert (
        "get it with: permagrid fetch worldclim2.1/bio --resolution 5m --out DATA; as well: bio4, bio15"
        in line
    )
    named = call(capsys, "check", write_study(tmp_path, study_with({**BIO, "path": "mine"})))
    assert "permagrid fetch" not in named.err


@pytest.mark.usefixtures("unpainted")
def test_a_study_with_a_named_source_runs_and_is_written_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path)
    study = made_up_study()
    study["covariates"][1] = {"source": "copernicus-dem/30", "path": ".", "files": "elevation.tif"}
    outcome = call(capsys, "run", write_study(tmp_path, study), "--out", tmp_path / "out")
    assert (outcome.status, outcome.err) == (0, "")
    written = read_study(tmp_path / "out" / "study.resolved.yaml").covariates[1]
    assert (written.name, written.keywords) == ("elevation", {"path": "elevation.tif"})
    assert written.citation.endswith("doi:10.5270/ESA-c5d3d65")


def test_the_old_key_for_a_citation_is_told() -> None:
    study = made_up_study()
    study["covariates"][0]["source"] = "Hijmans et al. (2005)"
    (fault,) = faults_of(study)
    assert fault.startswith("covariates[0].source (air): unknown source 'Hijmans et al. (2005)'")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return study_schema()


@pytest.mark.parametrize(
    "entry",
    [
        BIO,
        {
            **BIO,
            "prefix": "a",
            "path": "b",
            "files": "{variable}.tif",
            "resampling": "average",
            "static": True,
        },
        {"source": "worldclim2.1/monthly", "variables": ["tmin", "prec_02"]},
        {"source": "copernicus-dem/30", "files": "dem.tif"},
        {"source": "gistemp4/zonal", "reference": [1960, 1990]},
        {"source": "beyer2020", "time": -21000},
        {"source": "worldclim2.1/tavg", "name": "f", "method": "air_freezing_index"},
    ],
)
def test_the_schema_accepts_named_sources(entry: dict[str, Any], schema: dict[str, Any]) -> None:
    parse_study(study_with(entry))
    assert accepts(study_with(entry), schema, schema)


@pytest.mark.parametrize(
    "entry",
    [
        {**BIO, "source": "worldclim2.1/boi"},
        {**BIO, "resolution": "1m"},
        {**BIO, "variables": ["bio99"]},
        {**BIO, "resample": "average"},
        {**BIO, "name": "x"},
        {"source": "copernicus-dem/30"},
        {"source": "calm"},
        {"source": "beyer2020"},
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(entry: dict[str, Any], schema: dict[str, Any]) -> None:
    assert not accepts(study_with(entry), schema, schema)


SPOILS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.text("abc./{}_-1", max_size=8),
    st.lists(st.one_of(st.integers(), st.text("abio1", max_size=5)), max_size=3),
    st.dictionaries(st.text("abcxyz_-", max_size=5), st.integers(), max_size=2),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(
        ["source", "resolution", "variables", "prefix", "path", "files", "name", "method", "x"]
    ),
    value=SPOILS,
)
def test_whatever_stands_in_a_source_is_taken_or_told(key: str, value: Any, tmp_path: Path) -> None:
    draft = read_draft(write_study(tmp_path, study_with({**BIO, key: value})))
    assert draft.study is not None
    for fault in draft.places.faults(draft.findings):
        assert fault.place.startswith(str(tmp_path))
        assert "covariates[1]" in fault.place


def test_one_line_stands_for_the_nineteen_of_the_shipped_study(real_data: Path, tmp_path: Path) -> None:
    study = YAML(typ="safe", pure=True).load((STUDIES / "arctic_magt.yaml").read_text(encoding="utf-8"))
    entry = {"source": "worldclim1.4/bio", "path": "worldclim14-bio-10min", "files": "{variable}.tif"}
    before = {
        name: covariate
        for name, covariate in covariates_of(parse_study(study)).items()
        if name.startswith("bio")
    }
    rest = [part for part in study["covariates"] if not str(part.get("name", "")).startswith("bio")]
    study["covariates"] = [entry, *[part for part in rest if part.get("source") != "worldclim1.4/bio"]]
    path = write_study(tmp_path, study)
    assert check_file(path, real_data) == []
    now = covariates_of(read_study(path))
    assert len(before) == 19
    for name, covariate in before.items():
        assert now[name].keywords == covariate.keywords
        assert (now[name].unit, now[name].years, now[name].static) == (covariate.unit, covariate.years, True)
        assert now[name].long_name == covariate.long_name
