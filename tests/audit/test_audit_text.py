"""The section of the report on the audit: the worst first, notes on demand, nothing hidden."""

from permagrid.report.audit_text import audit_limits, audit_section


def finding(severity: str, rule: str = "rare_class") -> dict[str, str]:
    return {
        "rule": rule,
        "severity": severity,
        "what": f"something {severity} & <b>",
        "where": "sites",
        "advice": "Do better.",
    }


def test_no_audit_no_section() -> None:
    assert audit_section({}) is None
    assert audit_limits({}) == ()


def test_an_audit_without_findings_says_so() -> None:
    section = audit_section({"audit": []})
    assert section is not None
    assert "found nothing" in section.parts[0].text[0]


def test_notes_are_folded_and_the_rest_is_open() -> None:
    findings = [finding(s) for s in ("fatal", "severe", "caution", "note", "note")]
    (part,) = audit_section({"audit": findings}).parts
    assert part.text[0] == "The audit has 5 findings: 1 fatal, 1 severe, 1 caution, 2 note."
    assert [row.cells[0].text for row in part.tables[0].rows] == ["fatal", "severe", "caution"]
    assert part.tables[0].rows[0].cells[1].text == "Rare class"
    assert len(part.folded[0].tables[0].rows) == 2


def test_only_notes_leave_no_empty_table() -> None:
    (part,) = audit_section({"audit": [finding("note")]}).parts
    assert part.tables == ()
    assert "1 finding" in part.folded[0].title


def test_what_is_worst_stands_at_the_top_of_the_report() -> None:
    findings = [finding(s) for s in ("fatal", "severe", "caution")]
    assert [line.split(":")[0] for line in audit_limits({"audit": findings})] == [
        "Audit, fatal",
        "Audit, severe",
    ]
