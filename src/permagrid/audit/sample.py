"""Rules on the sample: how many independent sites there are, where they lie, and what they leave out."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from permagrid.audit.evidence import Evidence
from permagrid.audit.findings import AUDIT, Finding, Severity, kilometres, listed, percent, plural, share
from permagrid.audit.spheres import blocks_at, correlation_range, residuals

Float = NDArray[np.float64]

_DRAWS = 20
_BLOCKS = 100


@AUDIT.register
def few_independent_samples(evidence: Evidence, *, per_parameter: float = 3.0) -> Iterator[Finding]:
    """Find fewer independent sites than parameters, or hardly more.

    Sites nearer to each other than residuals are correlated count as one: independent are the square blocks
    of that size which hold a site. Parameters are the columns that a linear learner sees, one for a covariate
    and for one of classes their number less one; and for learners whose parameters can be counted those.
    Where the target is a class, the sites of the rarest class count.

    Parameters
    ----------
    evidence
        What is looked at.
    per_parameter
        Independent sites per column below which it is a caution; below one it is severe.
    """
    if not evidence.predictors or len(evidence.sites) < 3:
        return
    distance, told = _range_of(evidence)
    rows = evidence.training
    if evidence.target.kind == "class":
        code, first = _rarest(evidence)
        rows, whose = rows[first], f" of class {code:g}"
    else:
        whose = ""
    sites = rows.groupby("site_group", sort=True)[["longitude", "latitude"]].first()
    places = sites["longitude"].to_numpy(dtype=float), sites["latitude"].to_numpy(dtype=float)
    # Within a cell of the map all covariates are the same.
    size = max(distance, evidence.cell)
    independent = len(sites) if size <= 0 else len(np.unique(blocks_at(*places, size)))
    needed = len(evidence.continuous) + sum(
        max(evidence.training[name].nunique() - 1, 1) for name in evidence.classes
    )
    ratio = independent / needed
    whole = f"{plural(len(sites), 'site')}{whose} in {plural(independent, 'independent block')}"
    if ratio < per_parameter:
        severity: Severity = "severe" if ratio < 1.0 else "caution"
        yield Finding(
            severity,
            f"{whole} stand against {needed} columns ({ratio:.1f} per column); {told}",
            "covariates",
            "Take fewer covariates, chosen within the folds, or learners with strong penalties.",
        )
    for learner in evidence.learners:
        if learner.parameters is not None and learner.parameters > max(independent, needed):
            yield Finding(
                "caution",
                f"{learner.name} estimates {learner.parameters} numbers from {whole}, before its penalty",
                f"learners: {learner.name}",
                "Give it fewer covariates, or a strong penalty that is chosen within the folds.",
            )


def _range_of(evidence: Evidence) -> tuple[float, str]:
    """Return the range of the residuals [m], and how it was found."""
    known = evidence.correlation_range
    if known is not None and np.isfinite(known):
        return known, f"residuals hang together over {kilometres(known)}"
    if not np.isfinite(evidence.training[["longitude", "latitude"]].to_numpy(float)).all():
        return 0.0, "nothing is known of where they lie"
    left = evidence.training[["site_group", "longitude", "latitude"]].assign(left=residuals(evidence))
    means = left.groupby("site_group", sort=True).agg(
        {"longitude": "first", "latitude": "first", "left": "mean"}
    )
    found = correlation_range(
        *(means[name].to_numpy(dtype=float) for name in ("longitude", "latitude", "left"))
    )
    what = "residuals" if "residual" in evidence.training else "residuals of a ridge regression"
    if found <= 0.0:
        return 0.0, f"{what} do not hang together in space"
    return found, f"{what} hang together over {kilometres(found)}"


def _rarest(evidence: Evidence) -> tuple[float, NDArray[np.bool_]]:
    """Return the class with the fewest sites, and which rows have it."""
    value = evidence.values("value")
    sites = evidence.training.groupby(value)["site_group"].nunique()
    code = float(sites.index[int(sites.to_numpy().argmin())])
    return code, value == code


@AUDIT.register
def rare_class(evidence: Evidence, *, share_of_sites: float = 0.05) -> Iterator[Finding]:
    """Find classes with fewer sites than there are folds, or that are not in the training set of one.

    Parameters
    ----------
    evidence
        What is looked at.
    share_of_sites
        Share of sites below which a class is noted.
    """
    if evidence.target.kind != "class":
        return
    value, groups = evidence.values("value"), evidence.groups
    codes = np.unique(value)
    total = len(np.unique(groups))
    if len(codes) < 2:
        yield Finding(
            "fatal",
            f"All {len(value)} rows have the class {listed(f'{code:g}' for code in codes)}",
            "sites.labels",
            "Add sites of other classes: there is nothing to tell apart.",
        )
        return
    # Schemes that hold out each block in turn have more folds than any class has sites.
    folds = min((len(scheme.pairs) for scheme in evidence.folds), default=0)
    for code in codes:
        sites = len(np.unique(groups[value == code]))
        unlearned = [
            scheme.name
            for scheme in evidence.folds
            if any(not (value[train] == code).any() for train, _ in scheme.pairs)
        ]
        if unlearned:
            yield Finding(
                "severe",
                f"Class {code:g} ({plural(sites, 'site')}) is not in each training set of "
                f"{listed(unlearned)}",
                f"validation.folds: {listed(unlearned)}",
                "Take fewer or stratified folds, or join the class to another one.",
            )
        elif sites < folds:
            yield Finding(
                "caution",
                f"Class {code:g} has {plural(sites, 'site')} for {folds} folds: some do not test it at all",
                "validation.folds",
                "Take fewer or stratified folds, and pool predictions before scoring.",
            )
        elif sites < share_of_sites * total:
            yield Finding(
                "note",
                f"Class {code:g} has {share(sites, total, 'sites')}",
                "sites.labels",
                "Read balanced accuracy and the scores of this class, not the overall accuracy.",
            )


@AUDIT.register
def clustered_sites(evidence: Evidence, *, area: float = 0.1, much: float = 0.8) -> Iterator[Finding]:
    """Find most sites in a small part of the map.

    Parameters
    ----------
    evidence
        What is looked at; it needs places of the map.
    area
        Part of the map's area that is looked at: the blocks with the most sites.
    much
        Share of sites in that part from which on it is a caution; it is noted from half of it on.
    """
    domain, sites = evidence.domain, evidence.sites
    if domain is None or len(domain) < 100 or len(sites) < 10:
        return
    places = domain[["longitude", "latitude"]].drop_duplicates()
    longitude, latitude = (
        np.concatenate([places[name].to_numpy(float), sites[name].to_numpy(float)])
        for name in ("longitude", "latitude")
    )
    # With ten places of the map in a block its area is known to a third.
    count = min(_BLOCKS, len(places) // 5)
    size = _block_size(places["longitude"].to_numpy(float), places["latitude"].to_numpy(float), count)
    block = blocks_at(longitude, latitude, size)
    here, found = block[: len(places)], block[len(places) :]
    count = int(block.max()) + 1
    extent = np.bincount(here, minlength=count) / len(places)
    inside = extent[found] > 0
    if not inside.any():
        return
    part = _densest(np.bincount(found[inside], minlength=count), extent, area)
    random = np.random.default_rng(0)
    drawn = [
        _densest(np.bincount(random.choice(here, int(inside.sum())), minlength=count), extent, area)
        for _ in range(_DRAWS)
    ]
    expected = float(np.mean(drawn))
    if part < 0.5 or part < 1.2 * expected:
        return
    severity: Severity = "caution" if part >= much else "note"
    yield Finding(
        severity,
        f"{percent(part)} of the sites lie in {percent(area)} of the area (spread evenly it would be "
        f"{percent(expected)}; blocks of {kilometres(size)})",
        "sites",
        "Quote folds that follow the distances of the map (kNNDM) or part blocks, and look at the area of "
        "applicability.",
    )


def _block_size(longitude: Float, latitude: Float, count: int) -> float:
    """Return a size of blocks [m] such that the map has about so many."""
    low, high = 10_000.0, 5_000_000.0
    for _ in range(30):
        size = float(np.sqrt(low * high))
        many = len(np.unique(blocks_at(longitude, latitude, size))) > count
        low, high = (size, high) if many else (low, size)
    return size


def _densest(sites: NDArray[np.int_], extent: Float, area: float) -> float:
    """Return the share of sites in the blocks of most sites per area that make up a part of the whole."""
    held = np.flatnonzero(extent > 0)
    order = held[np.argsort(-sites[held] / extent[held], kind="stable")]
    covered = np.cumsum(extent[order])
    counted = np.cumsum(sites[order])
    return float(np.interp(area, np.r_[0.0, covered], np.r_[0.0, counted]) / max(sites.sum(), 1))


@AUDIT.register
def rows_lost_to_gaps(evidence: Evidence, *, some: float = 0.05, many: float = 0.25) -> Iterator[Finding]:
    """Find rows lost because covariates have no value at their site.

    Parameters
    ----------
    evidence
        What is looked at.
    some, many
        Shares of lost rows from which on it is a caution, and severe.
    """
    rows = evidence.unused
    if not len(rows) or "excluded" not in rows:
        return
    lost = rows[rows["excluded"].astype(str).str.startswith("covariates")]
    total = len(evidence.training) + len(lost)
    if not len(lost):
        return
    gaps = {c.name: int(lost[c.name].isna().sum()) for c in evidence.predictors if c.name in lost}
    most = sorted((name for name, number in gaps.items() if number), key=lambda name: -gaps[name])
    told = f"; without value there: {listed(f'{name} ({gaps[name]})' for name in most)}" if most else ""
    part = len(lost) / total
    severity: Severity = "severe" if part > many else "caution" if part > some else "note"
    yield Finding(
        severity,
        f"{share(len(lost), total, 'site-epochs')} at {plural(lost['site_id'].nunique(), 'site')} are not "
        f"used, as covariates have no value there{told}",
        "sampling",
        "Fill gaps (method filled), allow a greater sampling.distance, or leave the covariate out.",
    )


@AUDIT.register
def unseen_covariate_values(evidence: Evidence, *, much: float = 0.05) -> Iterator[Finding]:
    """Find parts of the map with values of covariates that no training row has.

    Parameters
    ----------
    evidence
        What is looked at; it needs places of the map.
    much
        Share of the map for one covariate from which on it is a caution; noted from a fifth of it on.
    """
    domain = evidence.domain
    if domain is None or not len(domain):
        return
    outside: dict[str, float] = {}
    beyond = np.zeros(len(domain), dtype=bool)
    for covariate in evidence.predictors:
        if covariate.name not in domain:
            continue
        there, here = domain[covariate.name].to_numpy(dtype=float), evidence.values(covariate.name)
        if covariate.kind == "class":
            unseen = np.isfinite(there) & ~np.isin(there, here)
        else:
            unseen = (there < np.nanmin(here)) | (there > np.nanmax(here))
        outside[covariate.name] = float(unseen.mean())
        beyond |= unseen
    worst = sorted((name for name, part in outside.items() if part > 0), key=lambda name: -outside[name])
    if not worst or outside[worst[0]] <= 0.2 * much:
        return
    severity: Severity = "caution" if outside[worst[0]] > much else "note"
    told = listed(f"{name} ({percent(outside[name])})" for name in worst)
    yield Finding(
        severity,
        f"{percent(float(beyond.mean()))} of the map lies outside what sites show in some covariate: {told}",
        ", ".join(f"covariates.{name}" for name in worst[:4]),
        "Read the map there with the area of applicability, or add sites of such places.",
    )
