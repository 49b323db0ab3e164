"""A page with every section: well-formed, in one order, and told the same way throughout."""

import re

import pandas as pd
import pytest
from made_evidence_summary import QUOTE, made_distances, made_pair, made_scores
from test_applicability_section import TOLD
from test_choice_section import CHOICES
from test_html import HOSTILE_WORDS, Page
from test_importance_section import FOUND

from permagrid.report.html import render_report


@pytest.fixture(scope="module")
def page(value_run):
    summary = value_run.summary | {
        "quote": QUOTE,
        "paired": [
            made_pair(f"ridge {HOSTILE_WORDS}", "knndm", 0.3, 0.1),
            made_pair("tree", "site", 0.3, 0.1),
        ],
        "choices": CHOICES,
        "importance": FOUND,
        "applicability": TOLD,
        "audit": [
            {
                "rule": "few_sites",
                "severity": "severe",
                "what": HOSTILE_WORDS,
                "where": "x",
                "advice": "Stop.",
            }
        ],
    }
    scores = made_scores().replace({"target": {"t": "mean_annual_ground_temperature"}})
    study = value_run.study | {"products": {"learner": "forest"}}
    given = value_run.inputs() | {
        "study": study,
        "scores": scores,
        "predictions": pd.DataFrame(),
        "truth": [],
    }
    return render_report(summary, **given, distances=made_distances())


def test_every_section_is_there_once_and_the_contents_lead_to_it(page):
    found = Page(page)
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    order = "maps truth applicability sites scores folds comparison choices importance audit agreement"
    assert re.findall(r'<section id="(\w+)"', page) == [*order.split(), "record", "sources"]
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)


def test_hostile_words_of_a_summary_are_shown_and_never_run(page):
    assert HOSTILE_WORDS not in page
    assert page.count("&lt;script&gt;") >= 4


def test_the_top_holds_what_to_quote_what_lies_outside_and_what_the_audit_found(page):
    top = page[: page.index("<section")]
    assert "The figure to quote is that of kNNDM folds" in top
    assert "lie outside the area of applicability" in top
    assert "Audit, severe" in top
