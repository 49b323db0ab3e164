"""The audit of leakage and possibility: what a sceptical reviewer would ask of a study and its sample."""

from permagrid.audit import choices, extents, labels, leaks, places, sample, splits, target, times
from permagrid.audit.evidence import (
    CovariateFacts,
    Evidence,
    FoldFacts,
    LearnerFacts,
    Screen,
    TargetFacts,
)
from permagrid.audit.findings import AUDIT, SEVERITIES, Finding, Severity, audit, worst

__all__ = [
    "AUDIT",
    "SEVERITIES",
    "CovariateFacts",
    "Evidence",
    "Finding",
    "FoldFacts",
    "LearnerFacts",
    "Screen",
    "Severity",
    "TargetFacts",
    "audit",
    "choices",
    "extents",
    "labels",
    "leaks",
    "places",
    "sample",
    "splits",
    "target",
    "times",
    "worst",
]
