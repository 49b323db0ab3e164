"""The section of a report on its intervals: what they hold, where, and how they compare."""

from collections.abc import Mapping, Sequence
from typing import Any

from permagrid.products.legend import unit_label
from permagrid.report.canvas import capitalised, words
from permagrid.report.comparison_words import p_text
from permagrid.report.fold_names import fewer_folds, fold_order, fold_phrase, fold_title
from permagrid.report.interval_figures import (
    conformal_figure,
    coverage_figure,
    crps_figure,
    pit_figure,
)
from permagrid.report.interval_words import (
    coverage_sentences,
    crps_sentences,
    ends_text,
    first_scheme,
    form_of,
    of_reference,
    part_name,
    percent,
    widest,
)
from permagrid.report.metrics import ScoreFormat
from permagrid.report.mixture_text import mixture_part
from permagrid.report.page import Card, Cell, Folded, Grid, Part, Picture, Row, Section, number

Records = Sequence[Mapping[str, Any]]

METHODS = {
    "stated": "as stated",
    "split": "split",
    "cqr": "CQR",
    "mondrian": "CQR by DI bin",
    "cv_plus": "CV+",
    "weighted": "weighted",
}
"""Way to calibrate intervals -> its name as people read it."""
_BY = {"region": "Region", "di_bin": "Dissimilarity index", "epoch": "Epoch"}
_MOST_PANELS = 8


def interval_section(record: Mapping[str, Any]) -> Section | None:
    """Return how far the intervals of a run are to be trusted.

    Parameters
    ----------
    record
        Plain values, None for what is not known. ``reference``, the learner that made the maps; ``quote``,
        the fold scheme to quote, and ``unit`` of the target, where there are any; and lists of records whose
        keys are the columns of the tables of `permagrid.validation`:

        ``coverage``
            ``learner, folds, by, part, level, n, groups, coverage, low, high, width, unbounded``, with ``by``
            and ``part`` ``all`` for all rows; other parts are shown of the reference.
        ``crps``
            ``learner, folds, by, part, n, crps, low, high``.
        ``paired``
            ``learner, reference, folds, n, crps, reference_crps, difference, difference_low,
            difference_high, p, p_holm``.
        ``pit``
            ``learner, folds, left, right, n, density, low, high``.
        ``conformal``
            As ``coverage``, with ``method``: one of `METHODS`, or another name.

        and ``mixture``, of `permagrid.report.mixture_text.mixture_part`.

        Each but ``coverage`` may be missing; without it there is no section.
    """
    if not of_reference(record):
        return None
    folds = first_scheme(record)
    parts = [
        Part(
            text=(*coverage_sentences(record), _METHOD),
            figures=(_coverage_picture(record, folds),),
            tables=tuple(_part_grids(record, folds)),
            folded=tuple(_other_schemes(record, folds)),
        ),
        _pit_part(record, folds),
        _crps_part(record, folds),
        _conformal_part(record, folds),
        mixture_part(record.get("mixture")),
    ]
    return Section("intervals", "How far to trust the intervals", tuple(p for p in parts if p is not None))


def interval_cards(record: Mapping[str, Any]) -> list[Card]:
    """Return the coverage of the widest intervals, for the top of a report.

    Examples
    --------
    >>> row = {"learner": "forest", "folds": "site", "by": "all", "part": "all", "level": 0.95, "n": 900,
    ...        "groups": 90, "coverage": 0.941, "low": 0.92, "high": 0.96, "width": 4.0, "unbounded": 0.0}
    >>> card = interval_cards({"reference": "forest", "coverage": [row]})[0]
    >>> card.name.replace("\N{NO-BREAK SPACE}", " "), card.value.split(), card.more
    ('95 % intervals hold', ['94.1', '%'], 'of the rows tested in folds by site')
    """
    row = widest(record)
    if row is None:
        return []
    name = f"{percent(row['level'])} intervals hold"
    return [Card(name, percent(row["coverage"], 1), f"of the rows tested in {fold_phrase(row['folds'])}")]


_METHOD = (
    "Every row is held against the distribution that was predicted for it without its fold. Bars are 95 % "
    "intervals of a bootstrap that draws sites or blocks whole; where all rows are inside, they tell how few "
    "sites there are. Intervals are those of observations, with what is wrong with these, and they speak for "
    "places that are as far from training rows as the test rows of the scheme."
)


def _coverage_picture(record: Mapping[str, Any], folds: str) -> Picture:
    name = words(record["reference"])
    return Picture(
        coverage_figure(record["coverage"], reference=record["reference"], quote=folds),
        f"Measured against stated coverage of the intervals of the {name} and others, one panel per fold "
        "scheme; the tables below hold the numbers.",
        f"Share of held-out rows within their intervals, against the share that the intervals are stated to "
        f"hold (strokes). The largest marks are of the {name}.",
    )


def _part_grids(record: Mapping[str, Any], folds: str) -> list[Grid]:
    rows = [item for item in of_reference(record) if item["folds"] == folds]
    found = []
    for by in dict.fromkeys(str(item["by"]) for item in rows if item["by"] != "all"):
        shown = [item for item in rows if item["by"] in ("all", by)]
        head = _BY.get(by, capitalised(by))
        told = f"Intervals of the {words(record['reference'])} under {fold_phrase(folds)}: coverage by "
        found.append(_coverage_grid(shown, head, form_of(record), f"{told}{head[:1].lower()}{head[1:]}."))
    if not found:
        caption = f"Intervals of the {words(record['reference'])} under {fold_phrase(folds)}: coverage."
        found.append(_coverage_grid(rows, "Part", form_of(record), caption))
    return found


def _coverage_grid(rows: Records, head: str, form: ScoreFormat, caption: str) -> Grid:
    """Return coverage at all levels and the width at the highest; one line per part."""
    levels = sorted({float(item["level"]) for item in rows})
    found = {(str(item["by"]), str(item["part"]), float(item["level"])): item for item in rows}
    lines = []
    for by, part in dict.fromkeys((by, part) for by, part, _ in found):
        mine = [found.get((by, part, level)) for level in levels]
        known = [item for item in mine if item is not None]
        cells = [Cell("all rows" if by == "all" else part), Cell(number(known[0]["n"]))]
        cells[1] = Cell(number(known[0]["n"]), f"{number(known[0]['groups'])}")
        cells += [Cell("–") if item is None else _coverage_cell(item) for item in mine]
        cells.append(_width_cell(known[-1], form))
        lines.append(Row(tuple(cells), "quoted" if by == "all" else ""))
    unit = unit_label(form.unit)
    heads = (head, "Rows, groups below", *(f"{100 * level:g} % [%]" for level in levels))
    width = f"Width of {100 * levels[-1]:g} %{f' [{unit}]' if unit else ''}"
    return Grid((*heads, width), tuple(lines), frozenset(range(1, len(levels) + 3)), caption)


def _coverage_cell(item: Mapping[str, Any]) -> Cell:
    small = "" if item["low"] is None else ends_text(item).replace("\N{NO-BREAK SPACE}%", "")
    return Cell(f"{100 * item['coverage']:.1f}", small)


def _width_cell(item: Mapping[str, Any], form: ScoreFormat) -> Cell:
    endless = float(item["unbounded"] or 0.0)
    return Cell(form.number(item["width"], "rmse"), f"{percent(endless, 1)} endless" if endless > 0 else "")


def _other_schemes(record: Mapping[str, Any], folds: str) -> list[Folded]:
    schemes = sorted({str(item["folds"]) for item in of_reference(record)}, key=fold_order, reverse=True)
    return [
        Folded(f"The same under {fold_phrase(name)}", tables=tuple(_part_grids(record, name)))
        for name in schemes
        if name != folds
    ]


def _pit_part(record: Mapping[str, Any], folds: str) -> Part | None:
    pit, reference = record.get("pit") or [], str(record["reference"])
    own = [item for item in pit if item["learner"] == reference]
    if not own:
        return None
    schemes = fewer_folds([str(item["folds"]) for item in own], folds, _MOST_PANELS)
    picture = Picture(
        pit_figure(own, by="folds", shown=schemes, titles=[fold_title(name) for name in schemes]),
        f"Histograms of the probability integral transform of the {words(reference)}, one per fold scheme.",
        "Levels at which observations lie in their predicted distributions (probability integral transform). "
        "Where the distributions are right all levels are as frequent (line); a hump means that they are too "
        "wide, high ends that they are too narrow, a slope that they lie too high or too low.",
    )
    beside = [item for item in pit if item["folds"] == folds and item["learner"] != reference]
    others = list(dict.fromkeys(str(item["learner"]) for item in beside))[:_MOST_PANELS]
    folded = []
    if others:
        figure = pit_figure(beside, by="learner", shown=others, titles=[capitalised(name) for name in others])
        alt = f"Histograms of the probability integral transform of {len(others)} other learners."
        caption = f"The same of other learners, under {fold_phrase(folds)}."
        folded.append(Folded("The same of other learners", figures=(Picture(figure, alt, caption),)))
    return Part("Where observations lie in their distributions", figures=(picture,), folded=tuple(folded))


def _crps_part(record: Mapping[str, Any], folds: str) -> Part | None:
    crps, reference = record.get("crps") or [], str(record["reference"])
    if not any(item["crps"] is not None for item in crps):
        return None
    picture = Picture(
        crps_figure(crps, reference=reference, unit=str(record.get("unit") or ""), quote=folds),
        "CRPS of all learners as bars, one panel per fold scheme; the table below holds the numbers.",
        "Continuous ranked probability score: the error of a whole distribution, in the unit of the target; "
        "of a single value it is the absolute error. Less is better. 95 % intervals by a bootstrap of whole "
        "sites or blocks.",
    )
    schemes = sorted({str(i["folds"]) for i in record.get("paired") or []}, key=fold_order, reverse=True)
    grids = {name: _paired_grid(record, name) for name in schemes}
    return Part(
        "Whole distributions compared",
        text=crps_sentences(record),
        figures=(picture,),
        tables=(grids[folds],) if folds in grids else (),
        folded=tuple(
            Folded(f"The same under {fold_phrase(name)}", tables=(grid,))
            for name, grid in grids.items()
            if name != folds
        ),
    )


def _paired_grid(record: Mapping[str, Any], folds: str) -> Grid:
    rows = [item for item in record["paired"] if item["folds"] == folds]
    rows.sort(key=lambda item: (item["crps"] is None, item["crps"] or 0.0))
    form, unit = form_of(record), unit_label(str(record.get("unit") or ""))
    lines = []
    for item in rows:
        low, high = item["difference_low"], item["difference_high"]
        ends = form.interval({"rmse_low": low, "rmse_high": high}, "rmse")
        sign = "+" if (item["difference"] or 0.0) > 0 else ""
        cells = [Cell(words(item["learner"])), Cell(form.number(item["crps"], "rmse"))]
        cells.append(Cell(f"{sign}{form.number(item['difference'], 'rmse')}", ends))
        cells.append(Cell(p_text(item["p"]), p_text(item["p_holm"])))
        lines.append(Row(tuple(cells)))
    shown = f" [{unit}]" if unit else ""
    own = next((item["reference_crps"] for item in rows), None)
    caption = (
        f"{fold_title(folds)}: the {words(record['reference'])} has CRPS {form.text(own, 'rmse')}. "
        "Differences are those of the other less that, on the same rows and draws; 95 % intervals below."
    )
    heads = ("Learner", f"CRPS{shown}", f"Difference of CRPS{shown}", "p, adjusted below")
    return Grid(heads, tuple(lines), frozenset({1, 2, 3}), caption)


_CONFORMAL = (
    "Conformal calibration widens or narrows intervals by what they missed. Split: as far on both sides of "
    "the median as others erred. CQR (Romano et al. 2019, arXiv:1905.03222): the stated interval and one "
    "margin; by bins of the dissimilarity index, a margin for each, so that each bin holds. CV+ (Barber et "
    "al. 2021, doi:10.1214/20-AOS1965): from the fits of inner folds. Where a bin has too few rows for its "
    "level, its interval is endless: nothing is known there."
)


def _conformal_part(record: Mapping[str, Any], folds: str) -> Part | None:
    rows = [item for item in record.get("conformal") or [] if item["folds"] == folds]
    if not rows:
        return None
    form, level = form_of(record), max(float(item["level"]) for item in rows)
    names = {
        str(item["method"]): METHODS.get(str(item["method"]), words(str(item["method"]))) for item in rows
    }
    parts = {(str(item["by"]), str(item["part"])): part_name(item) for item in rows}
    widest = [item for item in rows if float(item["level"]) == level]
    picture = Picture(
        conformal_figure(widest, names=names, parts=parts, unit=form.unit),
        f"Coverage and width of {100 * level:g} % intervals by the method that calibrates them.",
        f"{100 * level:g} % intervals under {fold_phrase(folds)}: what they hold (line: as stated) and how "
        "wide they are, by the method that calibrates them. Each fold is calibrated by the others alone.",
    )
    grids = []
    for (by, part), name in parts.items():
        mine = [
            {**item, "by": "method", "part": names[str(item["method"])]}
            for item in rows
            if (str(item["by"]), str(item["part"])) == (by, part)
        ]
        grids.append(_coverage_grid(mine, "Method", form, f"{name[:1].upper()}{name[1:]}: coverage."))
    folded = (Folded("Part by part", tables=tuple(grids[1:])),) if len(grids) > 1 else ()
    return Part("Calibrated intervals side by side", (_CONFORMAL,), (picture,), (grids[0],), folded)
