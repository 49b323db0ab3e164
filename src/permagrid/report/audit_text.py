"""The section of a report on the audit: what a sceptical reviewer would point to."""

from collections.abc import Mapping, Sequence
from typing import Any

from permagrid.report.canvas import capitalised
from permagrid.report.page import Cell, Folded, Grid, Part, Section, count, table

_MEANINGS = {
    "fatal": "the result is worth nothing until this is mended",
    "severe": "scores or maps mislead",
    "caution": "read scores and maps with this in mind",
    "note": "good to know",
}
"""Severity, from the worst on -> what it means."""

_OPEN = ("fatal", "severe", "caution")


def audit_section(summary: Mapping[str, Any]) -> Section | None:
    """Return the findings of the audit, the worst first; notes are shown on demand.

    Parameters
    ----------
    summary
        The run's summary; ``audit`` holds its findings. A summary without it has no section.

    Examples
    --------
    >>> one = {"rule": "position_as_covariate", "severity": "severe", "what": "Learners see latitude",
    ...        "where": "covariates.latitude", "advice": "Leave it out."}
    >>> audit_section({"audit": [one]}).parts[0].text[0]
    'The audit has 1 finding: 1 severe.'
    >>> audit_section({}) is None
    True
    """
    if summary.get("audit") is None:
        return None
    findings: Sequence[Mapping[str, Any]] = summary["audit"]
    if not findings:
        text = "The audit looked for leakage, for data where they do not exist, and for impossible values."
        return Section("audit", "Audit", (Part(text=(f"{text} It found nothing.",)),))
    numbers = {name: sum(found["severity"] == name for found in findings) for name in _MEANINGS}
    told = ", ".join(f"{number} {name}" for name, number in numbers.items() if number)
    meanings = "; ".join(f"{name}: {_MEANINGS[name]}" for name, number in numbers.items() if number)
    first = [found for found in findings if found["severity"] in _OPEN]
    notes = [found for found in findings if found["severity"] not in _OPEN]
    part = Part(
        text=(f"The audit has {count(len(findings), 'finding')}: {told}.", f"{meanings.capitalize()}."),
        tables=(_grid(first),) if first else (),
        folded=(Folded(f"Notes: {count(len(notes), 'finding')}", tables=(_grid(notes),)),) if notes else (),
    )
    return Section("audit", "Audit", (part,))


def audit_limits(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each finding without which no map should be read, for the top of a report.

    Examples
    --------
    >>> one = {"rule": "covariate_is_target", "severity": "fatal", "what": "leak is the target",
    ...        "where": "covariates.leak", "advice": "Leave it out."}
    >>> audit_limits({"audit": [one]})
    ('Audit, fatal: leak is the target. Leave it out.',)
    """
    return tuple(
        f"Audit, {found['severity']}: {found['what']}. {found['advice']}"
        for found in summary.get("audit") or ()
        if found["severity"] in ("fatal", "severe")
    )


def _grid(findings: Sequence[Mapping[str, Any]]) -> Grid:
    rows = [
        [
            Cell(str(found["severity"])),
            Cell(capitalised(str(found["rule"])), str(found["where"])),
            Cell(f"{found['what']}."),
            Cell(str(found["advice"])),
        ]
        for found in findings
    ]
    return table(["Severity", "Finding", "What", "What to do"], rows)
