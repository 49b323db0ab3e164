"""The report: complete, honest about random folds, self-contained, and safe with hostile words."""

import re
from html.parser import HTMLParser

import geopandas as gpd
import pandas as pd
import pytest

from permagrid.errors import PermagridError
from permagrid.report.html import render_report, write_report


class Page(HTMLParser):
    """Collect what a browser would load, link to, and show."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.images, self.ids, self.open, self.tags = [], [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("script", "iframe", "object", "embed", "link", "base", "form"):
            self.loads.append(tag)
        if found.get("src"):
            self.loads.append(found["src"][:22])
        if tag == "img":
            self.images.append(found)
        if "href" in found:
            self.links.append(found["href"])
        if "id" in found:
            self.ids.append(found["id"])
        assert not any(name.startswith("on") or name == "style" for name in found)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def value_text(value_run):
    return render_report(value_run.summary, **value_run.inputs())


@pytest.fixture(scope="module")
def class_text(class_run):
    return render_report(class_run.summary, **class_run.inputs())


@pytest.fixture(params=["value_text", "class_text"])
def text(request):
    return request.getfixturevalue(request.param)


def test_the_page_loads_nothing_and_says_so_to_the_browser(text):
    page = Page(text)
    assert set(page.loads) == {"data:image/png;base64,"}
    assert not re.search(r"url\(|@import|https?://(?!doi\.org/)", text)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_the_page_is_well_formed_and_its_contents_lead_somewhere(text):
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner <= set(page.ids)
    assert {"maps", "truth", "sites", "predictions", "scores", "agreement", "record", "sources"} <= inner


def test_every_image_has_words_for_those_who_cannot_see_it(text):
    images = Page(text).images
    assert len(images) >= 6
    assert all(len(image["alt"]) > 20 and int(image["width"]) > 100 for image in images)


def test_hostile_words_are_shown_and_never_run(text):
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") >= 3
    assert "script" not in Page(text).tags


def test_the_figure_to_quote_is_that_of_the_most_severe_folds(value_run, value_text):
    rows = value_run.scores.set_index(["learner", "folds"])["rmse"]
    quoted = f"{rows['random_forest', 'block_500km']:.2f}\N{NO-BREAK SPACE}°C"
    statement = re.search(r'id="statement">(.*?)</div>', value_text, re.DOTALL)[1]
    assert "Random folds never stand alone" in statement
    assert f"The figure to quote is that of folds by 500 km blocks: RMSE {quoted}" in statement
    assert f"{rows['random_forest', 'random']:.2f}" in statement


def test_classes_are_quoted_by_kappa(class_text):
    assert re.search(r"folds by 500 km blocks: Kappa 0\.\d{3} \(random forest", class_text)


def test_a_run_with_random_folds_only_is_warned_of(value_run):
    inputs = value_run.inputs()
    inputs["scores"] = inputs["scores"][inputs["scores"]["folds"] == "random"]
    page = render_report(value_run.summary, **{**inputs, "maps": [], "truth": []})
    assert 'class="note warning"' in page
    assert "do not quote" in page


def test_flags_name_rows_and_sites(value_text):
    row = re.search(r"<tr>\s*<th scope=\"row\">gross range</th>(.*?)</tr>", value_text, re.DOTALL)[1]
    assert re.findall(r">(\d+)<", row) == ["1", "1", "0", "2"]
    assert "made:4" in value_text


def test_inputs_products_agreement_and_sources_are_listed(value_text):
    for words in (
        "sites/points.csv",
        "abababababab",
        "A reference map",
        "−0.87",
        "CC0-1.0",
        "0.0.1",
        "512 MB",
    ):
        assert words in value_text
    assert 'href="https://doi.org/10.5555/made.up/1"' in value_text
    assert "unit: degC" in value_text


def test_the_same_inputs_give_the_same_page(value_run, value_text):
    assert render_report(value_run.summary, **value_run.inputs()) == value_text


@pytest.mark.parametrize("sites", [gpd.GeoDataFrame(), None])
def test_the_least_inputs_still_make_a_page(value_run, sites):
    if sites is None:
        sites = value_run.sites[["site_id", "longitude", "latitude", "geometry"]]
    nothing = pd.DataFrame()
    page = render_report({}, study={}, sites=sites, scores=nothing, predictions=nothing, maps=[])
    assert Page(page).open == []
    assert "no scores" in page


def test_an_unknown_variable_gets_a_legend_from_its_values(value_run):
    inputs = value_run.inputs()
    inputs["scores"] = inputs["scores"].assign(target="snow_depth")
    inputs["predictions"] = inputs["predictions"].assign(target="snow_depth")
    inputs |= {
        "study": {"study": "x", "target": {"variable": "snow_depth", "unit": "m"}},
        "maps": [],
        "truth": [],
    }
    assert "Snow depth [m]" in render_report({}, **inputs)


def test_writing_is_all_or_nothing(tmp_path, value_run):
    inputs = {**value_run.inputs(), "maps": [], "truth": []}
    write_report(tmp_path / "report.html", value_run.summary, **inputs)
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(PermagridError, match="cannot write"):
        write_report(tmp_path / "absent" / "report.html", value_run.summary, **inputs)
