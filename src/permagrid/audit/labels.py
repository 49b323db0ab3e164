"""Rules on labels: made or picked with the help of what learners see as a covariate."""

import re
from collections.abc import Iterator

from permagrid.audit.evidence import CovariateFacts, Evidence
from permagrid.audit.findings import AUDIT, Finding, listed, share

CLIMATE_BASIS = "station_climate"
"""Word in the column ``label_basis`` of rows whose label was made from air temperature."""

_TEMPERATURE_UNITS = ("degC", "K", "degF", "degC day")
_TELLING_NO_UNIT = ("", "1")
_TEMPERATURE_NAMES = re.compile(
    r"(?<![a-z])(bio_?(0?1|5|6|8|9|10|11)|maat|tas|tavg|tmean)(?![a-z0-9])|temperature"
)


def is_temperature(covariate: CovariateFacts) -> bool:
    """Return whether a covariate is a temperature, or a sum of temperatures, by its unit; else by its name.

    Examples
    --------
    >>> is_temperature(CovariateFacts("thawing", unit="degC day")), is_temperature(CovariateFacts("slope"))
    (True, False)
    """
    scaled = covariate.unit.split(" ", 1)[-1] if covariate.unit[:1].isdigit() else covariate.unit
    if covariate.unit not in _TELLING_NO_UNIT:
        return scaled in _TEMPERATURE_UNITS
    return _TEMPERATURE_NAMES.search(f"{covariate.name} {covariate.long_name}".lower()) is not None


@AUDIT.register
def labels_made_from_climate(evidence: Evidence, *, few: float = 0.01) -> Iterator[Finding]:
    """Find labels made from air temperature, which learners see as well.

    A learner then finds the rule by which labels were made again, and its score says nothing of permafrost.

    Parameters
    ----------
    evidence
        What is looked at.
    few
        Share of such rows up to which it is severe; fatal above.
    """
    rows = evidence.training
    if "label_basis" not in rows:
        return
    made = rows["label_basis"].astype(str).str.contains(CLIMATE_BASIS, regex=False).to_numpy()
    if not made.any():
        return
    seen = [c.name for c in evidence.predictors if any(is_temperature(each) for each in evidence.lineage(c))]
    sites = rows.loc[made, "site_group"].nunique()
    said = f"{share(int(made.sum()), len(rows), 'labels')} at {sites} sites were made from air temperature"
    if seen:
        yield Finding(
            "fatal" if made.mean() > few else "severe",
            f"{said}, and learners see {listed(seen)}",
            "sites.labels.station_absences",
            "Leave these labels out: a score on them tells how well the rule that made them is found again.",
        )
    else:
        yield Finding(
            "severe",
            f"{said}; nobody looked whether there is permafrost",
            "sites.labels.station_absences",
            "Leave these labels out, or score the others alone.",
        )


@AUDIT.register
def labels_screened_by_covariate(evidence: Evidence, *, many: float = 0.01) -> Iterator[Finding]:
    """Find observations left out because they disagree with a covariate, where learners see that covariate.

    What is left agrees with the covariate by selection; the difficult sites are neither learned nor scored.

    Parameters
    ----------
    evidence
        What is looked at.
    many
        Share of observations left out from which on it is severe; below it is a caution.
    """
    for screen in evidence.screens:
        if not screen.judges_value or not screen.dropped:
            continue
        compared = set(screen.covariates)
        seen = [c.name for c in evidence.predictors if compared & {each.name for each in evidence.lineage(c)}]
        if not seen:
            continue
        lost = share(screen.dropped, screen.observations, "observations")
        is_many = screen.dropped > many * max(screen.observations, 1)
        yield Finding(
            "severe" if is_many else "caution",
            f"The test {screen.test} left out {lost} that disagree with {listed(screen.covariates)}, and "
            f"learners see {listed(seen)}",
            f"sites.quality.{screen.test}",
            "Let the test mark such rows and keep them (fail: false, exclude_suspect: false), or look at "
            "each and leave it out for a reason of its own.",
        )
