"""The report: complete, honest about random folds, self-contained, and safe with hostile words."""

import re
from html.parser import HTMLParser

import geopandas as gpd
import pandas as pd
import pytest

from permagrid.errors import PermagridError
from permagrid.report.agreement_text import rank_words, truth_sentences
from permagrid.report.html import render_report, write_report
from permagrid.report.metrics import ScoreFormat, quoted_row
from permagrid.report.scores_text import score_cards

HOSTILE_WORDS = "<script>alert(1)</script>"


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


def quoted_in(text):
    return " ".join(re.search(r'id="statement">(.*?)</div>', text, re.DOTALL)[1].split())


def test_the_figure_to_quote_is_that_of_the_learner_of_the_maps_under_the_most_severe_folds(
    value_run, value_text
):
    rows = value_run.scores[value_run.scores["subset"] == "all"].set_index(["learner", "folds"])["rmse"]
    assert rows["random_forest", "block_500km"] < rows["climate_linear", "block_500km"]
    statement = quoted_in(value_text)
    assert "Random folds never stand alone" in statement
    said = f"folds by 500 km blocks: RMSE {rows['climate_linear', 'block_500km']:.2f} °C (climate linear"
    assert f"The figure to quote is that of {said}" in statement
    assert "not the best of the table" in statement
    assert f"{rows['climate_linear', 'random']:.2f} °C; that only tells" in statement


def test_without_a_learner_of_the_maps_the_best_is_quoted_and_called_flattered(class_text):
    statement = quoted_in(class_text)
    assert re.search(r"folds by 500 km blocks: Kappa 0\.\d{3} \(random forest", statement)
    assert "best of 2 learners on these folds, and flattered" in statement


def test_a_learner_that_was_not_scored_cannot_be_quoted(value_run):
    own = value_run.scores[value_run.scores["subset"] == "all"]
    assert quoted_row(own, "unknown") == quoted_row(own, None)


def test_scores_stand_by_severity_and_subsets_apart(value_text):
    section = re.search(r'<section id="scores".*?</section>', value_text, re.DOTALL)[0]
    every, low = section.split("<h3>Only values below 0\N{NO-BREAK SPACE}°C</h3>")
    for part, quoted in ((every, 1), (low, 0)):
        folds = re.findall(r'<tr[^>]*>\s*<th scope="row">([^<]*)<', part)
        assert [name.split()[0] for name in folds] == ["500"] * 2 + ["by"] * 2 + ["random"] * 2
        assert part.count('class="random"') == 2
        assert part.count('class="quoted"') == quoted
    assert "900 site-epochs" not in section
    assert "not theirs" in low


def test_predictions_of_subsets_are_not_mixed_with_those_of_all_sites(value_text):
    section = re.search(r'<section id="predictions".*?</section>', value_text, re.DOTALL)[0]
    titles = re.findall(r"<summary>(.*?)</summary>", section)
    assert titles == [
        "Random forest",
        "Climate linear, fitted to values below 0\N{NO-BREAK SPACE}°C alone",
    ]
    assert section.index("Climate linear: observed and predicted") < section.index("<details>")


def test_only_the_last_epoch_of_the_truth_is_open(value_text):
    section = re.search(r'<section id="truth".*?</section>', value_text, re.DOTALL)[0]
    shown, folded = section.split("<details>")
    assert shown.count("<img") == folded.count("<img") == 1
    assert "2000–2004: the known truth" in shown
    assert "The other epoch, 1995–1999" in folded
    assert re.findall(r'class="number">(1\.\d+)<', shown) == ["1.13", "1.00"]


@pytest.mark.parametrize(
    ("interval", "said"),
    [([1.0, 1.2], None), ([0.5, 1.0], "more than scores"), ([1.1, 1.5], "less than scores"), (None, None)],
)
def test_an_error_outside_the_quoted_interval_is_told(value_run, interval, said):
    variable = value_run.study["target"]["variable"]
    summary = value_run.summary | {"quote": {"learner": "forest", "folds": "site", "rmse_interval": interval}}
    text = " ".join(truth_sentences(summary, variable, ScoreFormat("degC")))
    assert bool(text) == bool(said)
    assert (said or "") in text
    assert not text or "err by 1.06\N{NO-BREAK SPACE}°C" in text
    score = {"target": variable, "subset": "all", "learner": "forest", "folds": "site"}
    own = value_run.summary | {
        "quote": {"learner": "forest", "folds": "site"},
        "scores": [score | {"rmse_interval": interval}],
    }
    assert " ".join(truth_sentences(own, variable, ScoreFormat("degC"))) == text


def test_cards_say_what_their_intervals_cover():
    scores = pd.DataFrame(
        {"learner": ["forest"], "folds": ["site"], "rmse": [1.2], "rmse_low": [1.1], "rmse_high": [1.3]}
    )
    told = [
        score_cards(scores, "degC", "forest", quote)[0].more.replace("\N{NO-BREAK SPACE}", " ")
        for quote in ({"folds": "site"}, {"folds": "site", "rmse_interval": [1.0, 1.5]})
    ]
    assert told == ["95 % for the score: 1.10 to 1.30", "95 % for the error of the map: 1.00 to 1.50"]


def test_what_the_maps_do_not_say_stands_on_top(value_text, class_text):
    for text in (value_text, class_text):
        top = text[: text.index("<section")]
        assert "Coarse covariates." in top
        assert "No observation lies in 1995–1999" in top


def test_coasts_are_named_for_the_earth_only(value_text, class_text):
    assert "Natural Earth" in class_text
    assert "Natural Earth" not in value_text
    assert "The world is virtual" in value_text


def test_long_tables_are_on_demand(value_text):
    section = re.search(r'<section id="record".*?</section>', value_text, re.DOTALL)[0]
    assert section.index("<details>") < section.index("<table>")
    for title in ("Products: 2 maps", "Inputs: 1 file"):
        assert f"<summary>{title}</summary>" in section
    assert "<summary>Coordinates: 1 site</summary>" in value_text


def test_agreement_is_said_in_words(value_text):
    assert "Spearman −0.87 over 41\N{NO-BREAK SPACE}000 cells" in value_text
    assert "the map is colder where the reference has more permafrost" in value_text
    assert "A value of −1 would be perfect agreement" in value_text


@pytest.mark.parametrize(
    ("reference", "variable", "value", "said"),
    [
        (
            "permafrost zones",
            "active_layer_thickness",
            -0.5,
            "thinner where the reference has more permafrost",
        ),
        ("permafrost extent", "permafrost_presence", 0.5, "more often of permafrost where the reference has"),
        ("another map", "mean_annual_ground_temperature", 0.9, "higher where the reference is higher"),
        ("another map", "snow_depth", -0.9, "lower where the reference is higher"),
        ("another map", "snow_depth", 0.05, "hardly related"),
        ("another map", "snow_depth", None, "no correlation"),
    ],
)
def test_ranks_are_worded_by_sign_and_kind_of_reference(reference, variable, value, said):
    assert said in rank_words({"reference": reference, "variable": variable, "value": value})


def test_a_run_with_random_folds_only_is_warned_of(value_run):
    inputs = value_run.inputs()
    inputs["scores"] = inputs["scores"][inputs["scores"]["folds"] == "random"]
    inputs |= {"maps": [], "truth": [], "predictions": pd.DataFrame(), "sites": gpd.GeoDataFrame()}
    page = render_report(value_run.summary, **inputs)
    assert 'class="note warning"' in page
    assert "do not quote" in page


def test_flags_name_rows_and_sites(value_text):
    row = re.search(r"<tr>\s*<th scope=\"row\">gross range</th>(.*?)</tr>", value_text, re.DOTALL)[1]
    assert re.findall(r">(\d+)<", row) == ["1", "1", "0", "0", "2"]
    assert "made:4" in value_text


def test_inputs_products_agreement_and_sources_are_listed(value_text):
    for words in (
        "sites/points.csv",
        "abababababab",
        "A map of permafrost fraction",
        "−0.87",
        "CC0-1.0",
        "0.0.1",
        "512 MB",
    ):
        assert words in value_text
    assert 'href="https://doi.org/10.5555/made.up/1"' in value_text
    assert "unit: degC" in value_text


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
        "sites": gpd.GeoDataFrame(),
    }
    assert "Snow depth [m]" in render_report({}, **inputs)


def test_writing_is_all_or_nothing_and_the_same_each_time(tmp_path, value_run):
    least = {**value_run.inputs(), "maps": [], "truth": [], "predictions": pd.DataFrame()}
    least["sites"] = gpd.GeoDataFrame()
    for name in ("one.html", "two.html"):
        write_report(tmp_path / name, value_run.summary, **least)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["one.html", "two.html"]
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    with pytest.raises(PermagridError, match="cannot write"):
        write_report(tmp_path / "absent" / "report.html", value_run.summary, **least)
