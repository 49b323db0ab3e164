"""A run in a few lines of text: sites, scores, maps and where they are."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from permagrid.errors import PermagridError

_SHOWN = {"rmse": "RMSE", "bias": "bias", "r2": "R2", "accuracy": "accuracy", "f1": "F1", "kappa": "kappa"}


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
    except (KeyError, TypeError, ValueError) as error:
        raise PermagridError(f"{folder / 'summary.json'}: lacks what a run writes ({error})") from error


def _lines(summary: dict[str, Any], folder: Path) -> list[str]:
    sites = summary["sites"]
    lines = [
        f"{summary['study']}: {sites['kept']} of {sites['read']} sites, {sites['site_epochs']} site-epochs",
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
    kept = [f"{n} {kind}" for kind, n in summary.get("reused", {}).items() if n]
    if kept:
        lines.append(f"taken over from the run before: {', '.join(kept)}")
    lines += [f"{count} map{'s' * (count != 1)} in {folder / 'maps'}", f"report: {folder / 'report.html'}"]
    return lines


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
