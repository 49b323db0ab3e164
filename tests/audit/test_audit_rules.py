"""Each rule of the audit finds what is bad, with its figures, and is silent where nothing is."""

import pytest
from audit_cases import CASES, Case
from made_evidence import evidence, presence, rows

from permagrid.audit import AUDIT, SEVERITIES, audit, worst
from permagrid.errors import PermagridError

BAD = [(rule, case) for rule, cases in CASES.items() for case in cases]


def test_every_rule_has_cases() -> None:
    assert sorted(CASES) == AUDIT.names()


@pytest.mark.parametrize(("rule", "case"), BAD, ids=[f"{rule}-{case.severity}" for rule, case in BAD])
def test_a_rule_finds_what_is_bad_and_nothing_else(rule: str, case: Case) -> None:
    found = list(AUDIT[rule](case.bad()))
    if case.severity == "none":
        assert found == []
        return
    told = [(finding.severity, finding.what) for finding in found]
    assert any(severity == case.severity and case.said in what for severity, what in told), told
    assert list(AUDIT[rule](case.sound())) == []
    for finding in found:
        assert finding.severity in SEVERITIES
        assert finding.where
        assert finding.advice.endswith(".")
        assert not finding.what.endswith(".")


@pytest.mark.parametrize("sound", [evidence, presence])
def test_a_sound_sample_has_no_finding(sound) -> None:
    assert audit(sound()) == []


def test_the_worst_comes_first_and_each_names_its_rule() -> None:
    bad = evidence(rows().assign(value=lambda t: t["value"] + 273.15, n_years=1))
    found = audit(bad)
    order = [SEVERITIES.index(finding.severity) for finding in found]
    assert order == sorted(order)
    assert worst(found) == "fatal"
    assert {finding.rule for finding in found} <= set(AUDIT.names())
    assert "" not in {finding.rule for finding in found}


def test_thresholds_are_keywords() -> None:
    strict = {"few_independent_samples": {"per_parameter": 1000.0}}
    assert [finding.rule for finding in audit(evidence(), strict)] == ["few_independent_samples"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"few_samples": {}}, "unknown audit rule 'few_samples'"),
        ({"rare_class": {"least": 1}}, "unknown keyword 'least'"),
        ({"rare_class": {"share_of_sites": "many"}}, "needs a number"),
    ],
)
def test_unknown_settings_are_refused(settings, said: str) -> None:
    with pytest.raises(PermagridError, match="audit: ") as refused:
        audit(evidence(), settings)
    assert said in str(refused.value)


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = rows().sample(frac=1.0, random_state=1).reset_index(drop=True)
    for spoilt in (rows(), shuffled):
        spoilt["leak"] = 2.0 * spoilt["value"]
    told = []
    for table in (rows().assign(leak=lambda t: 2 * t["value"]), shuffled):
        bad = evidence(table)
        told.append(sorted((f.rule, f.severity, f.what) for f in audit(bad)))
    assert told[0] == told[1]
