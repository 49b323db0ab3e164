"""What learners chose: how often, how stably, and what the learner of the maps chose from all rows."""

from types import SimpleNamespace

import pytest
from made_evidence_summary import QUOTE
from ruamel.yaml import YAML

from permagrid.report.choice_figures import differing, selection_figure
from permagrid.report.choice_sections import choice_section
from permagrid.steps.evidence import choice_list
from permagrid.validation import Candidate


def choice(learner, folds, shares, *, final=None, alpha=((0.1, 0.6), (1.0, 0.4))):
    return {
        "learner": learner,
        "folds": folds,
        "n_folds": 5,
        "keywords": [{"keyword": "alpha", "value": value, "share": share} for value, share in alpha],
        "covariates": [{"name": name, "share": share} for name, share in shares.items()],
        "final": final,
    }


FINAL = {"keywords": {"alpha": 0.1}, "covariates": ["slope", "snow_depth"]}
CHOICES = [
    choice("forest", "knndm", {"slope": 1.0, "snow_depth": 0.4}, final=FINAL),
    choice("ridge", "knndm", {"slope": 1.0, "clay": 1.0}),
    choice("forest", "site", {"slope": 1.0}, final=FINAL),
]


def test_the_scheme_to_quote_is_open_and_others_are_on_demand():
    (part,) = choice_section({"choices": CHOICES, "quote": QUOTE}).parts
    assert part.heading == "Under kNNDM folds"
    assert [[cell.text for cell in row.cells] for row in part.tables[0].rows] == [
        ["forest", "alpha 0.1 (3 of 5) or 1 (2 of 5)", "slope; snow depth (2 of 5)"],
        ["ridge", "alpha 0.1 (3 of 5) or 1 (2 of 5)", "slope, clay"],
    ]
    assert [item.title for item in part.folded] == ["The same under folds by site"]
    assert len(part.figures) == 1
    assert part.folded[0].figures == ()  # the same covariates in every fold


def test_the_choice_from_all_rows_is_told_with_its_share_of_the_folds():
    (part,) = choice_section({"choices": CHOICES, "quote": QUOTE}).parts
    assert part.text[1] == (
        "From all rows the forest, which made the maps, chose alpha 0.1 (as 3 of 5 folds); covariates: "
        "slope, snow depth."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "null"),
        ("one_hot", "one_hot"),
        (1e-4, "0.0001"),
        ([1, 2.5], "[1, 2.5]"),
        (7, "7"),
        ([{"C": 10, "name": "support_vectors"}], "[{name: support_vectors, C: 10}]"),
    ],
)
def test_values_are_written_as_a_study_states_them(value, text):
    (part,) = choice_section({"choices": [choice("a", "site", {}, alpha=((value, 1.0),))]}).parts
    assert part.tables[0].rows[0].cells[1].text == f"alpha {text}"
    assert part.tables[0].rows[0].cells[2].text == "–"


def test_a_list_of_learners_is_the_same_in_any_order_of_keys_and_can_be_copied():
    told = [{"max_features": 0.3, "n_estimators": 100, "name": "extra_trees"}, {"name": "ridge"}]
    other = [{"name": "extra_trees", "n_estimators": 100, "max_features": 0.3}, {"name": "ridge"}]
    final = {"keywords": {"learners": other}, "covariates": ["slope"]}
    one = choice("average", "site", {"slope": 1.0}, final=final, alpha=())
    one["keywords"] = [
        {"keyword": "learners", "value": told, "share": 0.6},
        {"keyword": "learners", "value": [{"name": "ridge"}], "share": 0.4},
    ]
    (part,) = choice_section({"choices": [one]}).parts
    assert part.text[1] == (
        "From all rows the average, which made the maps, chose learners [{name: extra_trees, n_estimators: "
        "100, max_features: 0.3}, {name: ridge}] (as 3 of 5 folds); covariates: slope."
    )
    written = part.text[1].partition("learners ")[2].partition(" (as")[0]
    assert YAML(typ="safe", pure=True).load(written) == other
    assert "1 other value" not in part.tables[0].rows[0].cells[1].text


def test_choices_that_differ_in_the_order_of_keys_are_counted_together():
    orders = ({"name": "ridge", "alpha": 1.0}, {"alpha": 1.0, "name": "ridge"}, {"name": "stefan"})
    told = [{"keywords": {"learners": [value]}, "covariates": ["slope"]} for value in orders]
    comparison = SimpleNamespace(raw={("mean", "site"): SimpleNamespace(choices=told)})
    final = Candidate(dict, ("slope",), {"learners": [orders[1]]})
    (listed,) = choice_list(comparison, "mean", final)
    assert [one["share"] for one in listed["keywords"]] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert list(listed["keywords"][0]["value"][0]) == ["name", "alpha"]
    (part,) = choice_section({"choices": [listed]}).parts
    assert "[{name: ridge, alpha: 1}] (as 2 of 3 folds)" in part.text[1]


def test_of_many_values_the_most_frequent_are_told():
    many = tuple((float(number), 0.1) for number in range(10))
    (part,) = choice_section({"choices": [choice("a", "site", {}, alpha=many)]}).parts
    assert part.tables[0].rows[0].cells[1].text.endswith("or 6 other values")


def test_dots_are_as_large_as_the_share_and_rings_mark_the_final_choice():
    figure = selection_figure.__wrapped__(differing(CHOICES))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["slope", "snow depth"]
    dots, rings = axes.collections[:2]
    assert dots.get_sizes()[1] == pytest.approx(0.4 * dots.get_sizes()[0])
    assert rings.get_offsets()[:, 1].tolist() == [0, 1]


def test_fifteen_learners_fit_on_a_page():
    names = {f"covariate_{number}": 0.2 for number in range(30)}
    png = selection_figure([choice(f"learner_{number}", "site", names) for number in range(15)])
    assert int.from_bytes(png[16:20], "big") < 1700


@pytest.mark.parametrize("choices", [[], None])
def test_without_choices_there_is_no_section(choices):
    assert choice_section({"choices": choices}) is None
