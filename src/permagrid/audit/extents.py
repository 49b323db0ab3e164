"""Rules on data used outside the years or the latitudes in which they exist."""

from collections.abc import Iterator

import numpy as np

from permagrid.audit.evidence import CovariateFacts, Evidence
from permagrid.audit.findings import AUDIT, Finding, Severity, are, listed, share
from permagrid.catalogue.extents import Extent, extent_of


@AUDIT.register
def outside_years_of_source(evidence: Evidence) -> Iterator[Finding]:
    """Find data sets used for epochs in which, by their names, they did not exist.

    Parameters
    ----------
    evidence
        What is looked at.
    """
    found: dict[tuple[str, Severity], list[str]] = {}
    told: dict[str, tuple[Extent, list[str]]] = {}
    for covariate in evidence.predictors:
        for each in evidence.lineage(covariate):
            known = _maker(each)
            if known is None or known.years is None:
                continue
            lacking = _lacking(known, evidence)
            # A stated climatology is told by another rule.
            if not lacking or (each.static and each.years):
                continue
            severity: Severity = "severe" if each.varies else "caution"
            found.setdefault((known.title, severity), []).append(covariate.name)
            told[known.title] = known, lacking
            break
    for (title, severity), names in found.items():
        known, lacking = told[title]
        how = "taken for" if severity == "severe" else "standing unchanged for"
        yield Finding(
            severity,
            f"By the name {are(names)} made from {title}, which is there {known.span}, "
            f"{how} {listed(lacking)}",
            ", ".join(f"covariates.{name}" for name in names),
            "Leave these epochs out, or say what fills the years in which there are no such data.",
        )
    yield from _sites_before_source(evidence)


def _lacking(known: Extent, evidence: Evidence) -> list[str]:
    """Return the epochs that a data set does not cover, or covers in part only."""
    first, last = known.years or (-np.inf, None)
    return [
        name
        for name, (begin, end) in zip(evidence.epoch_names, evidence.epochs, strict=True)
        if begin < first or (last is not None and end > last)
    ]


def _sites_before_source(evidence: Evidence) -> Iterator[Finding]:
    """Yield observations of years in which their source, by its name, has none."""
    rows = evidence.training
    if not {"source", "years"} <= set(rows):
        return
    for source, part in rows.groupby(rows["source"].astype(str), sort=True):
        known = extent_of(str(source))
        if known is None or known.years is None:
            continue
        first = part["years"].astype(str).str.extract(r"^(\d{4})", expand=False).astype(float)
        early = first < known.years[0]
        if early.any():
            yield Finding(
                "caution",
                f"{share(int(early.sum()), len(part), 'site-epochs')} of {source} are older than "
                f"{known.years[0]}, when {known.title} begins",
                "sites.sources",
                "Look where these rows come from; a year may be wrong.",
            )


@AUDIT.register
def outside_latitudes_of_source(evidence: Evidence, *, few: float = 0.01) -> Iterator[Finding]:
    """Find data sets used beyond the latitudes at which, by their names, they end.

    Parameters
    ----------
    evidence
        What is looked at.
    few
        Share of places up to which it is a caution; severe above.
    """
    latitudes = {"site-epochs": evidence.values("latitude")}
    if evidence.domain is not None and len(evidence.domain):
        latitudes["places of the map"] = evidence.domain["latitude"].to_numpy(dtype=float)
    found: dict[str, tuple[Extent, list[str]]] = {}
    for covariate in evidence.predictors:
        for each in evidence.lineage(covariate):
            known = _maker(each)
            if known is not None and known.latitudes is not None:
                found.setdefault(known.title, (known, []))[1].append(covariate.name)
                break
    for title, (known, names) in found.items():
        south, north = known.latitudes or (-90.0, 90.0)
        beyond = {what: int(((at < south) | (at > north)).sum()) for what, at in latitudes.items()}
        if not any(beyond.values()):
            continue
        severity: Severity = (
            "severe" if any(beyond[w] > few * len(at) for w, at in latitudes.items()) else "caution"
        )
        counted = listed(share(beyond[what], len(at), what) for what, at in latitudes.items())
        yield Finding(
            severity,
            f"By the name {are(names)} made from {title}, which ends at {_degrees(south)} and "
            f"{_degrees(north)}: {counted} lie beyond",
            ", ".join(f"covariates.{name}" for name in names),
            "Take data that reach further (for heights the Copernicus DEM), or name what fills the rest.",
        )


def _maker(covariate: CovariateFacts) -> Extent | None:
    """Return the data set of which a covariate is read, by its citation, files, method or name."""
    if not covariate.paths and not covariate.citation:
        return None
    return extent_of(
        covariate.citation, *covariate.paths, covariate.method, covariate.name, covariate.long_name
    )


def _degrees(latitude: float) -> str:
    return f"{abs(latitude):g} {'N' if latitude >= 0 else 'S'}"
