"""Findings of the audit: how bad, what, where, what to do; and the table of rules that make them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from permagrid.audit.evidence import Evidence
from permagrid.errors import PermagridError
from permagrid.registry import Table

Severity = Literal["fatal", "severe", "caution", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From the worst to the mildest: the result is worth nothing; it misleads; read it with care; know it."""

_MOST_NAMED = 4


@dataclass(frozen=True)
class Finding:
    """One thing that a sceptical reviewer would point to."""

    severity: Severity
    """How bad it is."""
    what: str
    """What was found, with figures, in one sentence."""
    where: str
    """Key of the study, covariates, folds or sites."""
    advice: str
    """What to do, in one sentence."""
    rule: str = ""
    """Rule of the table `AUDIT` that found it; `audit` fills it in."""

    def as_dict(self) -> dict[str, str]:
        """Return the finding as plain values."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "what": self.what,
            "where": self.where,
            "advice": self.advice,
        }


Rule = Callable[..., Iterable[Finding]]
AUDIT: Table[Rule] = Table("audit rule")
"""Rules ``(evidence, *, ...) -> findings``; keywords are thresholds with defaults."""


def audit(evidence: Evidence, settings: Mapping[str, Mapping[str, Any]] | None = None) -> list[Finding]:
    """Return the findings of all rules, the worst first.

    Parameters
    ----------
    evidence
        What the rules look at.
    settings
        Rule -> keywords that differ from their defaults.

    Raises
    ------
    PermagridError
        If a rule or a keyword is unknown, or a value does not fit it.

    Examples
    --------
    >>> import pandas as pd
    >>> from permagrid.audit.evidence import TargetFacts
    >>> rows = pd.DataFrame({"site_id": ["a", "b"], "site_group": ["a", "b"], "epoch": "2000-2004",
    ...                      "longitude": [25.0, 80.0], "latitude": [69.0, 70.0], "value": [268.1, 266.9]})
    >>> for found in audit(Evidence(rows, TargetFacts("mean_annual_ground_temperature", "degC"))):
    ...     found.severity, found.rule
    ('fatal', 'target_in_other_unit')
    ('fatal', 'target_out_of_range')
    """
    settings = settings or {}
    for rule, keywords in settings.items():
        for fault in AUDIT.faults(rule, keywords):
            raise PermagridError(f"audit: {fault}")
    found = [
        replace(finding, rule=rule)
        for rule in AUDIT
        for finding in AUDIT[rule](evidence, **settings.get(rule, {}))
    ]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def listed(names: Iterable[object], most: int = _MOST_NAMED) -> str:
    """Return names as a sentence lists them.

    Examples
    --------
    >>> listed(["a", "b"]), listed("abcdefg")
    ('a and b', 'a, b, c, d and 3 more')
    """
    texts = [str(name) for name in names]
    if len(texts) > most + 1:
        return f"{', '.join(texts[:most])} and {len(texts) - most} more"
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def are(names: Sequence[str]) -> str:
    """Return names with the verb that belongs to them.

    Examples
    --------
    >>> are(["ndvi"]), are(["ndvi", "evi"])
    ('ndvi is', 'ndvi and evi are')
    """
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'}"


def share(part: int, whole: int, noun: str) -> str:
    """Return a share with its counts.

    Examples
    --------
    >>> share(12, 1400, "rows"), share(0, 0, "rows")
    ('12 of 1400 rows (0.9 %)', '0 of 0 rows')
    """
    said = f"{part} of {whole} {noun}"
    return f"{said} ({percent(part / whole)})" if whole else said


def percent(value: float) -> str:
    """Return a fraction as a percentage, with a decimal below 10 %.

    Examples
    --------
    >>> percent(0.5), percent(0.034), percent(0.99999)
    ('50 %', '3.4 %', '99.9 %')
    """
    shown = 100.0 * value
    if 99.5 <= shown < 100.0:
        return f"{min(shown, 99.9):.1f} %"
    return f"{shown:.1f} %" if 0.0 < shown < 9.95 else f"{shown:.0f} %"


def plural(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> plural(1, "site"), plural(3, "site")
    ('1 site', '3 sites')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def worst(findings: Sequence[Finding]) -> Severity | None:
    """Return the worst severity among findings; None where there are none."""
    return min((f.severity for f in findings), key=SEVERITIES.index, default=None)


def kilometres(metres: float) -> str:
    """Return a length as people say it.

    Examples
    --------
    >>> kilometres(100.0), kilometres(12_345.0)
    ('100 m', '12.3 km')
    """
    return f"{metres:.0f} m" if metres < 1000.0 else f"{metres / 1000.0:.3g} km"
