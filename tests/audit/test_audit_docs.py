"""The page on the audit tells of every rule what the rule says of itself, and of no other."""

import inspect
import re
from pathlib import Path

from permagrid.audit import AUDIT, SEVERITIES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")


def test_every_rule_stands_on_the_page_in_its_own_words() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| (.+?) \| .+ \|$", PAGE, re.MULTILINE))
    assert told == {rule: inspect.getdoc(AUDIT[rule]).splitlines()[0] for rule in AUDIT}


def test_every_severity_is_explained() -> None:
    assert re.findall(r"^\| (fatal|severe|caution|note) \|", PAGE, re.MULTILINE) == list(SEVERITIES)


def test_every_rule_says_how_it_is_called() -> None:
    for rule in AUDIT:
        text = inspect.getdoc(AUDIT[rule])
        assert text.startswith("Find "), rule
        for keyword in AUDIT.keywords(rule):
            assert re.search(rf"^(\w+, )*{keyword}(, \w+)*$", text, re.MULTILINE), (rule, keyword)
