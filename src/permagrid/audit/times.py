"""Rules on time: climatologies for series, windows with missing years, epochs that no site has seen."""

import re
from collections.abc import Iterator

import numpy as np

from permagrid.audit.evidence import Epoch, Evidence
from permagrid.audit.findings import AUDIT, Finding, Severity, listed, percent, plural, share

_CHANGING = re.compile(
    r"(?<![a-z])(?:ndvi|evi|lst|bio_?\d+)(?![a-z])|vegetation|land[ _-]?cover|snow|tree|lichen|shrub"
    r"|(?:air|surface|annual|mean)[ _-]temperature|precipitation",
    re.IGNORECASE,
)
_HELD = re.compile(r"(\d+) of (\d+)")
_EPOCH = re.compile(r"^\s*(\d{4}-\d{4}): ")


@AUDIT.register
def climatology_for_series(evidence: Evidence) -> Iterator[Finding]:
    """Find means of fixed years that stand for every epoch, in place of a series.

    Severe where nothing else changes with time, a caution where something does, and a note where there is one
    epoch, or all epochs lie within the years of the climatology.

    Parameters
    ----------
    evidence
        What is looked at.
    """
    fixed: dict[Epoch, list[str]] = {}
    for covariate in evidence.predictors:
        years = {e.years for e in evidence.lineage(covariate) if e.static and e.years}
        if years and not covariate.varies:
            for span in years:
                fixed.setdefault(span, []).append(covariate.name)
    moving = [c.name for c in evidence.predictors if c.varies]
    several = len(evidence.epochs) > 1
    for span, names in sorted(fixed.items()):
        apart = [f"{a}-{b}" for a, b in evidence.epochs if b < span[0] or a > span[1]]
        partly = [f"{a}-{b}" for a, b in evidence.epochs if not (span[0] <= a and b <= span[1])]
        if not partly:
            continue
        severity: Severity = (
            ("caution" if moving else "severe") if several else "caution" if apart else "note"
        )
        beyond = f"; {_counted(apart, len(evidence.epochs))} wholly outside" if apart else ""
        if several and moving:
            change = f"; only {listed(moving)} {'change' if len(moving) > 1 else 'changes'} between epochs"
        else:
            change = "; no covariate changes between epochs" if several else ""
        yield Finding(
            severity,
            f"{share(len(names), len(evidence.predictors), 'covariates')} are means of {span[0]}-{span[1]} "
            f"that stand for every epoch{beyond}{change}",
            f"covariates: {listed(names)}",
            "Use a series of the epochs themselves, or say that maps of later years rest on an old climate.",
        )


def _counted(epochs: list[str], total: int) -> str:
    """Return how many epochs of all, and which, with the verb that belongs to them.

    Examples
    --------
    >>> _counted(["2000-2004"], 1)
    'the epoch 2000-2004 lies'
    >>> _counted(["1995-1999", "2000-2004"], 3)
    '2 of 3 epochs (1995-1999 to 2000-2004) lie'
    """
    if len(epochs) == 1:
        return f"the epoch {epochs[0]} lies"
    part = f"all {total}" if len(epochs) == total else f"{len(epochs)} of {total}"
    return f"{part} epochs ({epochs[0]} to {epochs[-1]}) lie"


@AUDIT.register
def nothing_changes_with_time(evidence: Evidence) -> Iterator[Finding]:
    """Find several epochs mapped from covariates that do not differ between them: their maps are the same.

    Parameters
    ----------
    evidence
        What is looked at.
    """
    if len(evidence.epochs) > 1 and evidence.predictors and not any(c.varies for c in evidence.predictors):
        yield Finding(
            "severe",
            f"{len(evidence.epochs)} epochs are mapped from covariates that are the same in all of them",
            "covariates",
            "Add a covariate that changes with time, such as zonal_anomaly or a series, or map one epoch.",
        )


@AUDIT.register
def undated_covariate(evidence: Evidence) -> Iterator[Finding]:
    """Find covariates that change in nature, such as land cover or snow, and state no years.

    Parameters
    ----------
    evidence
        What is looked at.
    """
    if not evidence.epochs:
        return
    undated = [
        c.name
        for c in evidence.predictors
        if not c.varies
        and all(e.years is None for e in evidence.lineage(c))
        and c.paths
        and _CHANGING.search(f"{c.name} {c.long_name}")
    ]
    if undated:
        first, last = evidence.epochs[0][0], evidence.epochs[-1][1]
        yield Finding(
            "note",
            f"{listed(undated)} state{'s' if len(undated) == 1 else ''} no years and "
            f"stand{'s' if len(undated) == 1 else ''} for {first} to {last}",
            ", ".join(f"covariates.{name}" for name in undated),
            "State the years of the data (years, with static: true), so that the report can tell them.",
        )


@AUDIT.register
def years_missing_in_windows(evidence: Evidence) -> Iterator[Finding]:
    """Find covariates that are means over the years of an epoch, and lack some of them.

    Parameters
    ----------
    evidence
        What is looked at.
    """
    for covariate in evidence.predictors:
        for each in evidence.lineage(covariate):
            short = [(epoch, held, of) for epoch, held, of in _held(each.valid_years) if held < of]
            if not short:
                continue
            told = listed([f"{epoch} has {held} of {of} years".strip() for epoch, held, of in short])
            least = min(held / of for _, held, of in short)
            severity: Severity = "caution" if least < 0.75 else "note"
            made = "" if each is covariate else f", of which {covariate.name} is made,"
            yield Finding(
                severity,
                f"{each.name}{made} lacks years: {told}",
                f"covariates.{each.name}",
                "Take epochs that the series covers, or show that the missing years were like the others.",
            )
            break


def _held(said: str) -> Iterator[tuple[str, int, int]]:
    """Yield epoch, years held and years wanted that a layer's ``valid_years`` tells.

    Examples
    --------
    >>> list(_held("7 of 9: 1998-2004"))
    [('', 7, 9)]
    >>> list(_held("1980-1984: 5 of 5: 1980-1984; 1985-1989: 4 of 5: 1985-1988"))
    [('1980-1984', 5, 5), ('1985-1989', 4, 5)]
    """
    for part in said.split("; "):
        found = _HELD.search(part)
        epoch = _EPOCH.match(part)
        if found:
            yield (epoch[1] if epoch else "", int(found[1]), int(found[2]))


@AUDIT.register
def few_years_behind_values(evidence: Evidence, *, full: float = 0.5, many: float = 0.5) -> Iterator[Finding]:
    """Find values that are means of few of their epoch's years.

    Parameters
    ----------
    evidence
        What is looked at.
    full
        Share of an epoch's years that a value should rest on.
    many
        Share of rows with fewer years from which on it is a caution.
    """
    rows = evidence.training
    if "n_years" not in rows or not evidence.epochs:
        return
    length = {name: b - a + 1 for name, (a, b) in zip(evidence.epoch_names, evidence.epochs, strict=True)}
    wanted = rows["epoch"].map(length).to_numpy(dtype=float)
    years = rows["n_years"].to_numpy(dtype=float)
    # Values without a year, such as climate normals, are no means of years.
    dated = (years > 0) & np.isfinite(wanted) & (wanted > 1)
    few = dated & (years < full * wanted)
    single = int((dated & (years == 1)).sum())
    if not few.any():
        return
    severity: Severity = "caution" if few.sum() > many * dated.sum() else "note"
    yield Finding(
        severity,
        f"{share(int(few.sum()), int(dated.sum()), 'site-epochs')} rest on less than {percent(full)} of the "
        f"years of their epoch, {single} on a single year",
        "sites.reduce.minimum_years",
        "Raise minimum_years where sites suffice; a year's weather is then no longer taken for an epoch.",
    )


@AUDIT.register
def epochs_without_sites(evidence: Evidence, *, few: int = 10) -> Iterator[Finding]:
    """Find epochs that are mapped though no site, or hardly any, was observed in them.

    Parameters
    ----------
    evidence
        What is looked at.
    few
        Sites below which an epoch is noted.
    """
    sites = evidence.training.groupby("epoch")["site_group"].nunique()
    counts = {name: int(sites.get(name, 0)) for name in evidence.epoch_names}
    empty = [name for name, number in counts.items() if not number]
    sparse = {name: number for name, number in counts.items() if 0 < number < few}
    if empty:
        share_empty = f"{len(empty)} of {plural(len(counts), 'epoch')}"
        yield Finding(
            "severe" if len(empty) > 0.5 * len(counts) else "caution",
            f"No site was observed in {share_empty}: {listed(empty)}",
            "epochs",
            "Leave these maps out, or say that they are not tested: no score speaks of them.",
        )
    if sparse:
        told = listed(f"{name} has {plural(number, 'site')}" for name, number in sparse.items())
        yield Finding(
            "note",
            f"Epochs with fewer than {few} sites: {told}",
            "epochs",
            "Do not read scores or changes of these epochs by themselves.",
        )
