"""What a learner goes by, as a figure: a bar for each covariate or group of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from permagrid.report.canvas import INK, new_figure, plain, styled, words, wrapped

MOST_BARS = 25
"""Covariates that are drawn; of more, those that matter most."""
_BAR = "#4b8dbd"


def importance_label(item: Mapping[str, Any]) -> str:
    """Return the name of a covariate, or the names of a group, where they are many that of the first.

    Examples
    --------
    >>> importance_label({"covariate": "soil + 1", "members": ["soil_clay", "soil_sand"]})
    'soil clay, soil sand'
    >>> importance_label({"covariate": "bio1 + 3", "members": ["bio1", "bio5", "bio10", "bio11"]})
    'bio1 and 3 alike'
    """
    members = [words(str(one)) for one in item.get("members") or []] or [words(str(item["covariate"]))]
    return ", ".join(members) if len(members) < 3 else f"{members[0]} and {len(members) - 1} alike"


@styled
def importance_figure(found: Sequence[Mapping[str, Any]]) -> Figure:
    """Return how much a learner goes by each covariate, the most important on top, as PNG.

    Parameters
    ----------
    found
        Entries ``importance`` of a summary, of one method and one fold scheme.
    """
    rows = sorted(found, key=lambda item: int(item["rank"]))[:MOST_BARS]
    figure = new_figure(8.2, 0.95 + 0.24 * len(rows))
    axes = figure.subplots()
    plain(axes)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    values = [float(item["importance"]) for item in rows]
    axes.barh(range(len(rows)), values, height=0.68, color=_BAR)
    for place, item in enumerate(rows):
        ends = item.get("interval")
        if ends is not None and None not in ends:
            axes.plot(ends, [place, place], color=INK, linewidth=1.3)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [wrapped(importance_label(item), 44) for item in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(str(rows[0]["unit_text"]))
    return figure
