"""A run in a few lines of text: sites, scores, maps and where they are."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from permagrid.errors import PermagridError

_SHOWN = {"rmse": "RMSE", "bias": "bias", "r2": "R2", "accuracy": "accuracy", "f1": "F1", "kappa": "kappa"}

_MAIN = ("rmse", "kappa", "accuracy")
_SEVERITIES = ("fatal", "severe", "caution", "note")


def read_summary(folder: Path) -> dict[str, Any]:
    """Return the summary of a finished run.

    Raises
    ------
    PermagridError
        If the folder holds no finished run, or one of another layout.
    """
    path = folder / "summary.json"
    try:
        summary: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PermagridError(f"{folder}: holds no finished run ({path.name} is missing)") from error
    except ValueError as error:
        raise PermagridError(f"{path}: is no JSON ({error})") from error
    schema = summary.get("schema") if isinstance(summary, dict) else None
    if schema != 1:
        raise PermagridError(f"{path}: is no summary of schema 1, found {schema!r}")
    return dict(summary)


def show_run(folder: Path) -> str:
    """Return the run in `folder` as text.

    Raises
    ------
    PermagridError
        As `read_summary`.
    """
    summary = read_summary(folder)
    try:
        return "\n".join(_lines(summary, folder))
    except (KeyError, StopIteration, TypeError, ValueError) as error:
        raise PermagridError(f"{folder / 'summary.json'}: lacks what a run writes ({error})") from error


def _lines(summary: dict[str, Any], folder: Path) -> list[str]:
    sites = summary["sites"]
    lines = [
        f"{summary['study']}: {sites['kept']} of {sites['read']} sites, {sites['site_epochs']} site-epochs",
        *_card_lines(summary),
        *_untried_lines(summary.get("choices", [])),
        *_score_lines(summary["scores"]),
    ]
    lines += [
        f"{item['reference']} {item['epoch']}: Spearman {item['value']:.2f} over {item['n']} cells"
        for item in summary.get("agreement", [])
    ]
    lines += [
        f"truth {item['epoch']}: RMSE {item['rmse']:.2f}, bias {item['bias']:+.2f} over {item['n']} cells"
        for item in summary.get("truth", [])
        if item["rmse"] is not None
    ]
    count = len(summary["products"])
    found = [f"{count} map{'s' * (count != 1)} in {folder / 'maps'}"] if count else []
    kept = [f"{n} {kind}" for kind, n in summary.get("reused", {}).items() if n]
    if kept:
        lines.append(f"taken over from the run before: {', '.join(kept)}")
    found += [f"model: {folder / item['path']}" for item in summary.get("models", [])]
    lines += [*found, f"report: {folder / 'report.html'}"]
    return lines


def _card_lines(summary: dict[str, Any]) -> list[str]:
    """Return the score to quote and how far its folds are from the map, random folds, and other warnings."""
    lines = []
    quote = summary.get("quote")
    if quote:
        mine = [
            row for row in summary["scores"] if row["learner"] == quote["learner"] and row["subset"] == "all"
        ]
        chosen = next(row for row in mine if row["folds"] == quote["folds"])
        chosen = chosen | ({"rmse_interval": quote["rmse_interval"]} if "rmse_interval" in quote else {})
        near = quote["wasserstein_km"]
        distance = "" if near is None else f", W {near:.4g} km"
        lines.append(f"to quote: {_main_score(chosen)}, {quote['learner']}, folds {quote['folds']}{distance}")
        lines += [
            f"not to quote: {_main_score(row)}, the same learner under {row['folds']} folds, which flatter"
            for row in mine
            if row["folds"].startswith("random")
        ][:1]
    shares = (summary.get("applicability") or {}).get("inside_share") or {}
    epochs = [epoch for epoch in shares if epoch != "all"]
    if epochs:
        latest = max(epochs)
        lines.append(f"inside the area of applicability: {shares[latest]:.0%} of the map of {latest}")
    lines += [*_interval_lines(summary), *_total_lines(summary)]
    audit = summary.get("audit")
    if audit is not None:
        lines.append(f"audit: {_findings(audit)}")
    return lines


def _interval_lines(summary: dict[str, Any]) -> list[str]:
    """Return what the widest intervals hold of the rows that the folds to quote test."""
    told = summary.get("intervals") or {}
    own = [
        row
        for row in told.get("coverage", [])
        if (row["learner"], row["folds"], row["by"]) == (told["reference"], told["quote"], "all")
    ]
    if not own:
        return []
    row = max(own, key=lambda each: float(each["level"]))
    held = f"{row['level']:.0%} intervals of {row['learner']} hold {row['coverage']:.1%}"
    return [f"{held} in {row['folds']} folds, {row['width']:.3g} {told['unit']} wide"]


def _total_lines(summary: dict[str, Any]) -> list[str]:
    """Return the total of each quantity over the whole map in the last epoch, with its range."""
    latest: dict[str, dict[str, Any]] = {}
    for row in (summary.get("inventory") or {}).get("totals", []):
        if row["region"] == "all":
            latest[row["quantity"]] = row
    return [
        f"{row['title'].lower()} {row['epoch']}: {row['mean']:,.0f} {row['unit']} "
        f"({row['low']:,.0f} to {row['high']:,.0f}, {row['level']:.0%} range of {row['members']} members)"
        for row in latest.values()
    ]


def _untried_lines(choices: Sequence[dict[str, Any]]) -> list[str]:
    """Return in how many folds each learner could try nothing of what it was to choose from, and why."""
    told: dict[str, list[str]] = {}
    reasons: dict[str, dict[str, None]] = {}
    for item in choices:
        without = item.get("untried") or []
        if without:
            folds = sum(each["n_folds"] for each in without)
            told.setdefault(item["learner"], []).append(f"{folds} of {item['n_folds']} ({item['folds']})")
            reasons.setdefault(item["learner"], {}).update(dict.fromkeys(each["reason"] for each in without))
    lines = []
    for learner, counts in told.items():
        first, *others = reasons[learner]
        more = f" (and {len(others)} other reason{'s' * (len(others) > 1)})" if others else ""
        lines.append(f"not chosen: {learner} could try nothing in folds {', '.join(counts)}: {first}{more}")
    return lines


def _main_score(row: dict[str, Any]) -> str:
    name = next((name for name in _MAIN if row.get(name) is not None), None)
    if name is None:
        return "no score"
    interval = _interval(row[f"{name}_interval"])
    return f"{_SHOWN[name]} {_value(row[name])} {interval}".rstrip()


def _findings(audit: Sequence[dict[str, Any]]) -> str:
    counts = {name: sum(found["severity"] == name for found in audit) for name in _SEVERITIES}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no findings"


def _score_lines(scores: list[dict[str, Any]]) -> list[str]:
    """Return the scores as a table: words flush left, numbers flush right, each interval after its number."""
    metrics = [name for name in _SHOWN if any(name in score for score in scores)]
    columns = [
        _column(name, [str(score[name]) for score in scores], str.ljust)
        for name in ("learner", "folds", "subset")
    ]
    columns.append(_column("n", [str(score["n"]) for score in scores], str.rjust))
    for name in metrics:
        values = _column("", [_value(score[name]) for score in scores], str.rjust)[1:]
        intervals = [_interval(score[f"{name}_interval"]) for score in scores]
        cells = [f"{value} {interval}".rstrip() for value, interval in zip(values, intervals, strict=True)]
        columns.append(_column(_SHOWN[name], _column("", cells, str.ljust)[1:], str.rjust))
    return ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]


def _column(head: str, cells: Sequence[str], pad: Callable[[str, int], str]) -> list[str]:
    """Return head and cells, all as wide as the widest."""
    width = max(map(len, (head, *cells)))
    return [pad(text, width) for text in (head, *cells)]


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _interval(ends: Sequence[float | None]) -> str:
    low, high = ends
    return "" if low is None or high is None else f"({low:.2f} to {high:.2f})"
