"""The examples in the documentation run, and its links lead somewhere."""

import re
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from permagrid.covariates import COVARIATES, Covariate, build
from permagrid.grid import make_geobox
from permagrid.learners import LEARNERS, build_learner
from permagrid.sites.readers import READERS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def python_blocks(page: Path) -> list[str]:
    return re.findall(
        r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


@pytest.fixture(scope="module")
def plug_ins():
    """Run the three plug-ins of CONTRIBUTING.md, and take them out of the tables again."""
    tables = (READERS, COVARIATES, LEARNERS)
    before = [dict(table._functions) for table in tables]
    names: dict[str, object] = {}
    for block in python_blocks(ROOT / "CONTRIBUTING.md"):
        exec(block, names)
    yield names
    for table, functions in zip(tables, before, strict=True):
        table._functions.clear()
        table._functions.update(functions)


def test_reader_of_the_guide_reads(plug_ins, tmp_path):
    path = tmp_path / "mine.csv"
    pd.DataFrame({"id": ["a"], "lat": [70.0], "lon": [20.0], "year": [2001], "T": [-1.5]}).to_csv(
        path, index=False
    )
    table = READERS["my_boreholes"](path, depth=15.0)
    assert table[["site_id", "value", "depth"]].values.tolist() == [["mine:a", -1.5, 15.0]]


def test_covariate_of_the_guide_builds(plug_ins, tmp_path):
    grid = make_geobox("EPSG:4326", 10, bounds=(0, 60, 20, 80))
    covariate = Covariate("sun", "noon_sun", "degree")
    sun = build("sun", {"sun": covariate}, grid, epoch=None, root=tmp_path)
    assert isinstance(sun, xr.DataArray)
    assert float(sun[0, 0]) == pytest.approx(90 - (75 - 23.44))


def test_learner_of_the_guide_fits(plug_ins):
    model = build_learner("bagged_trees", "value", 0, {"n_estimators": 50}).fit([[0.0], [1.0]], [0.0, 1.0])
    assert model.predict([[1.0]]) > model.predict([[0.0]])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", prose)
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_image_is_shown_somewhere():
    shown = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    unused = [path.name for path in (ROOT / "docs" / "images").iterdir() if path.name not in shown]
    assert unused == []
