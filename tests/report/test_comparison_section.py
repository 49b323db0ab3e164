"""Learners against that of the maps: better, worse or not to be told apart, in words, table and figure."""

import numpy as np
import pytest
from made_evidence_summary import QUOTE, STUDY, made_pair

from permagrid.report.comparison_figures import difference_figure, ordered_learners
from permagrid.report.comparison_sections import comparison_section, power_sentences, verdict_sentences
from permagrid.report.comparison_words import LEVEL, metric_of_tests, p_text, spreads_needed, verdict
from permagrid.validation.paired import corrected_t

PAIRS = [
    made_pair("ridge", "knndm", -0.2, 0.1),
    made_pair("tree", "knndm", 0.3, 0.1),
    made_pair("boosting", "knndm", 0.02, 0.1, p=0.4, p_holm=0.8),
    made_pair("kriging", "knndm", None, 0.0),
    made_pair("ridge", "site", -0.2, 0.1, p_holm=0.4),
    made_pair("tree", "site", 0.1, 0.05),
]


@pytest.mark.parametrize(
    ("difference", "half", "p_holm", "said"),
    [
        (-0.2, 0.1, 0.01, "better"),
        (0.2, 0.1, 0.01, "worse"),
        (-0.2, 0.1, 0.06, "leans_better"),  # the test finds the folds too few
        (0.2, 0.1, 0.06, "leans_worse"),
        (-0.2, 0.3, 0.01, "alike"),  # the interval finds the sites too few
        (-0.2, 0.1, None, "better"),
        (None, 0.0, None, "untold"),
    ],
)
def test_a_difference_is_told_only_where_interval_and_test_agree(difference, half, p_holm, said):
    assert verdict(made_pair("ridge", "site", difference, half, p_holm=p_holm)) == said


def test_metrics_of_which_more_is_better_are_read_the_other_way():
    assert verdict(made_pair("ridge", "site", 0.2, 0.1) | {"metric": "kappa"}) == "better"


def test_the_metric_is_the_one_that_was_tested():
    kappa = [{**item, "metric": "kappa", "p": None} for item in PAIRS]
    assert metric_of_tests([*kappa, *PAIRS]) == "rmse"
    assert metric_of_tests(kappa) == "kappa"


def test_learners_stand_from_the_best_to_the_worst_under_the_scheme_to_quote():
    assert ordered_learners(PAIRS, "rmse", "knndm") == ["ridge", "boosting", "tree", "kriging"]


def test_the_words_name_who_is_better_worse_alike_and_not_compared():
    (text,) = verdict_sentences(PAIRS, "rmse", "knndm", "forest", "degC")
    assert text.replace("\N{NO-BREAK SPACE}", " ") == (
        "Under kNNDM folds better than the forest by more than chance: ridge (\N{MINUS SIGN}0.20 °C). "
        "Worse: tree (+0.30 °C). Not to be told apart from it: boosting. "
        "Not compared: kriging (other rows were tested than those of the reference)."
    )
    (site,) = verdict_sentences(PAIRS, "rmse", "site", "forest", "degC")
    assert site.startswith("Under folds by site no learner is better than the forest by more than chance.")
    assert "Better by the interval, not by the test: ridge (\N{MINUS SIGN}0.20" in site
    assert "Not to be told apart" not in site


def test_the_section_begins_with_the_rank_of_the_learner_of_the_maps():
    (part,) = comparison_section({"paired": PAIRS, "quote": QUOTE}, STUDY).parts
    assert part.text[0] == (
        "Of 4 learners under kNNDM folds the forest, which made the maps, is number 2 by RMSE."
    )


@pytest.mark.parametrize(
    ("n_folds", "repeats", "weak"),
    [(5, 1, True), (3, 1, True), (10, 1, False), (67, 1, False), (5, 40, False)],
)
def test_a_test_of_few_folds_is_called_weak(n_folds, repeats, weak):
    folds = [{"name": "knndm", "n_folds": n_folds, "repeats": repeats}]
    text = " ".join(power_sentences({"folds": folds}, PAIRS, "rmse", "knndm"))
    assert ("this test tells little" in text) == weak
    (part,) = comparison_section({"paired": PAIRS, "quote": QUOTE, "folds": folds}, STUDY).parts
    assert text in " ".join(part.text)


def test_what_is_needed_is_where_the_test_finds_it():
    differences = np.array([1.0, 2.0, 3.0, 4.0, 5.0]) - 3.0
    needed = spreads_needed(5, 1, 4) * differences.std(ddof=1)
    for more, found in ((1.01, True), (0.99, False)):
        assert (4 * corrected_t(differences + more * needed, 0.25) < LEVEL) == found


def test_the_section_opens_the_scheme_to_quote_and_folds_the_others_away():
    (part,) = comparison_section({"paired": PAIRS, "quote": QUOTE}, STUDY).parts
    grid = part.tables[0]
    assert [row.cells[0].text for row in grid.rows] == ["ridge", "boosting", "tree", "kriging"]
    assert [cell.text for cell in grid.rows[0].cells][1:4] == ["0.80", "\N{MINUS SIGN}0.20", "0.01"]
    assert grid.rows[0].cells[2].small == "\N{MINUS SIGN}0.30 to \N{MINUS SIGN}0.10"
    assert grid.rows[0].cells[3].small == "0.02"
    assert grid.rows[3].cells[-1].small.startswith("other rows")
    assert "kNNDM folds: the forest has RMSE 1.00" in grid.caption
    assert [item.title for item in part.folded] == ["The same under folds by site"]
    method = " ".join(part.text)
    assert "Nadeau and Bengio 2003" in method
    assert "Holm 1979" in method


def test_without_a_test_none_is_spoken_of():
    untested = [{**item, "p": None, "p_holm": None} for item in PAIRS]
    (part,) = comparison_section({"paired": untested, "quote": QUOTE}, STUDY).parts
    assert "Holm" not in " ".join(part.text)
    assert "p, adjusted below" not in part.tables[0].heads


def test_classes_show_their_main_metric_beside_the_tested_one():
    brier = [{**item, "metric": "brier"} for item in PAIRS]
    kappa = [{**item, "metric": "kappa", "p": None, "p_holm": None} for item in PAIRS]
    (part,) = comparison_section({"paired": [*kappa, *brier], "quote": QUOTE}, {}).parts
    heads = part.tables[0].heads
    assert heads[1:4] == ("Brier score", "Difference of Brier score", "Difference of Kappa")


def test_the_figure_marks_what_is_told_apart_and_leads_to_strays():
    far = made_pair("spline", "knndm", 4e4, 1e3)
    figure = difference_figure.__wrapped__([*PAIRS, far], metric="rmse", unit="degC", quote="knndm")
    by_title = {axes.get_title(): axes for axes in figure.axes}
    axes = by_title["kNNDM folds (to quote)"]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["ridge", "boosting", "tree", "spline"]
    faces = {
        names[int(line.get_ydata()[0])]: line.get_markerfacecolor()
        for line in axes.lines
        if line.get_marker() == "o"
    }
    assert set(faces) == {"ridge", "boosting", "tree"}
    assert faces["boosting"] == "white"
    assert len({faces["ridge"], faces["tree"], "white"}) == 3
    assert [names[int(line.get_ydata()[0])] for line in axes.lines if line.get_marker() == ">"] == ["spline"]
    assert axes.get_xlim()[1] < 10.0


@pytest.mark.parametrize("paired", [[], None, [made_pair("kriging", "site", None, 0.0)]])
def test_without_a_comparison_there_is_no_section(paired):
    assert comparison_section({"paired": paired}, STUDY) is None


@pytest.mark.parametrize("p", [0.0, 1e-9, 0.00099, 0.001, 0.0496, 0.5, 0.999, 1.0])
def test_p_is_never_written_as_zero_nor_above_one(p):
    text = p_text(p)
    assert text.startswith("<") == (p < 0.001)
    assert text.startswith("<") or 0.0 < float(text) <= 1.0
