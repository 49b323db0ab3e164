"""The section of a report on how much there is: totals with ranges, permafrost zones, and what changed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from permagrid.report.canvas import capitalised
from permagrid.report.inventory_figures import change_figure, totals_figure, zones_figure
from permagrid.report.inventory_words import (
    Record,
    Records,
    amount,
    between,
    brief,
    ends_text,
    half_width,
    level_text,
    readable,
    region_title,
    rounded,
    years,
)
from permagrid.report.page import Card, Cell, Folded, Grid, Part, Picture, Row, Section, number

_ZONES = ("continuous", "discontinuous", "sporadic", "isolated")
_LOWEST = 0.01
_BOUNDS = ("independent", "correlated")
_MOST_ROWS = 14
"""Rows of a table; what is more is folded away."""


def inventory_section(summary: Mapping[str, Any]) -> Section | None:
    """Return totals by region, permafrost zones and changes between epochs, with ranges.

    Parameters
    ----------
    summary
        The run's ``summary.json``; one without ``inventory`` has no section. Its ``inventory`` holds what
        follows, each of which may be missing: lists ``totals``, ``zones`` and ``changes`` as
        `permagrid.inventory.records` makes them; ``thresholds``, each with ``epoch`` and ``threshold``;
        ``truth``, each with ``quantity``, ``epoch``, ``region`` and ``value`` in the unit of the totals;
        ``notes``, sentences on what is counted, such as masks; and ``lowest``, the probability at which
        isolated permafrost begins.
    """
    told = summary.get("inventory") or {}
    parts = [*_total_parts(told), *_zone_parts(told), *_change_parts(told)]
    if not parts:
        return None
    notes = tuple(str(note) for note in told.get("notes") or ())
    parts[0] = replace(parts[0], text=(*parts[0].text, *notes))
    return Section("inventory", "How much there is", tuple(parts))


def inventory_cards(summary: Mapping[str, Any]) -> list[Card]:
    """Return the totals of the whole map in the last epoch, for the top of a report.

    Examples
    --------
    >>> one = {"quantity": "permafrost_area", "title": "Permafrost area", "unit": "km2", "epoch": "2000-2004",
    ...        "region": "all", "level": 0.95, "mean": 14.8e6, "low": 14.1e6, "high": 15.6e6}
    >>> card, = inventory_cards({"inventory": {"totals": [one]}})
    >>> card.name, card.value.split(), card.more
    ('Permafrost area', ['14.80', 'million', 'km²'], '14.10 to 15.60, 95 % range, 2000–2004')
    """
    cards = []
    for rows in _by_quantity((summary.get("inventory") or {}).get("totals") or []):
        whole = [item for item in rows if item["region"] == "all"]
        if whole:
            item = _last(readable(whole))
            ends, epoch = ends_text(item), years(item["epoch"])
            more = f"{ends}, {level_text(item)} range, {epoch}" if ends else epoch
            cards.append(Card(str(item["title"]), amount(item["mean"], item), more))
    return cards


def _by_quantity(records: Records) -> list[Records]:
    names = dict.fromkeys(str(item["quantity"]) for item in records)
    return [[item for item in records if item["quantity"] == name] for name in names]


def _last(rows: Records) -> Record:
    return max((item for item in rows if item["region"] == "all"), key=lambda item: str(item["epoch"]))


def _total_parts(told: Mapping[str, Any]) -> list[Part]:
    parts = []
    for raw in _by_quantity(told.get("totals") or []):
        rows = readable(raw)
        scale = raw[0]["mean"] / rows[0]["mean"] if rows[0]["mean"] else 1.0
        known = {
            (str(one["region"]), str(one["epoch"])): float(one["value"]) / scale
            for one in told.get("truth") or []
            if one["quantity"] == raw[0]["quantity"]
        }
        title = str(rows[0]["title"])
        bounded = any(item.get("correlated_low") is not None for item in rows)
        beside = ", and how wide it would be if errors were independent or all alike" if bounded else ""
        picture = Picture(
            totals_figure(rows, known),
            f"{title} by region with its range over members{beside}; the table below holds the numbers.",
            f"{title}: mean and range of the totals of {number(rows[0]['members'])} members{beside}.",
        )
        first, rest = rows[:_MOST_ROWS], rows[_MOST_ROWS:]
        folded = (Folded("More regions", tables=(_total_grid(rest),)),) if rest else ()
        parts.append(Part(title, total_sentences(rows, known), (picture,), (_total_grid(first),), folded))
    return parts


def total_sentences(rows: Records, truth: Mapping[tuple[str, str], float] | None = None) -> tuple[str, ...]:
    """Return in words how much there is, how sure that is, and what the range rests on.

    Parameters
    ----------
    rows
        Entries ``totals`` of an inventory, of one quantity, as `readable` returns them.
    truth
        Region and epoch -> the true total, where it is known.

    Examples
    --------
    >>> one = {"unit": "km³", "epoch": "2000-2004", "region": "all", "level": 0.95, "members": 200,
    ...        "mean": 54600.0, "low": 47800.0, "high": 62300.0, "independent_low": 54596.5,
    ...        "independent_high": 54603.5, "correlated_low": 42700.0, "correlated_high": 66500.0,
    ...        "effective_samples": 2.6}
    >>> for text in total_sentences([one]):
    ...     print(text.replace("\N{NO-BREAK SPACE}", " "))  # doctest: +ELLIPSIS
    Whole map, 2000–2004: 54 600 km³ (47 800 to 62 300, 95 % range of the totals of 200 members).
    If the errors of cells were independent, the range would be no wider than ±3.5 km³; if all were alike, ...
    """
    last = _last(rows)
    ends, water = ends_text(last), last.get("water")
    members = f"{level_text(last)} range of the totals of {number(last['members'])} members"
    melted = f" It is {amount(water[0], last)} of water." if water else ""
    ranged = f" ({ends}, {members})" if ends else ""
    out = [f"Whole map, {years(last['epoch'])}: {amount(last['mean'], last)}{ranged}.{melted}"]
    if last.get("correlated_low") is not None:
        out.append(_bound_sentence(last))
    value = (truth or {}).get(("all", str(last["epoch"])))
    if value is not None:
        within = last["low"] is not None and last["low"] <= value <= last["high"]
        out.append(f"The truth is {amount(value, last)}, {'within' if within else 'outside'} the range.")
    return tuple(out)


def _bound_sentence(item: Record) -> str:
    alone, alike = (f"±{brief(half_width(item, bound))} {item['unit']}" for bound in _BOUNDS)
    text = (
        f"If the errors of cells were independent, the range would be no wider than {alone}; if all were "
        f"alike, {alike}."
    )
    samples = item.get("effective_samples")
    if samples is None:
        return text
    why = (
        ": fewer than one, as members differ by more than the errors of their cells explain."
        if samples < 1.0
        else f" among {number(item['cells'])} cells: errors of neighbours hang together."
        if item.get("cells")
        else "."
    )
    return f"{text} The range found is that of {brief(samples)} independent samples{why}"


def _total_grid(rows: Records) -> Grid:
    bounded = any(item.get("correlated_low") is not None for item in rows)
    watered = any(item.get("water") for item in rows)
    heads = ["Region", "Epoch", f"Total [{rows[0]['unit']}]"]
    heads += [f"Of water [{rows[0]['unit']}]"] if watered else []
    heads += ["If errors were independent", "If all alike", "Effective samples"] if bounded else []
    lines = []
    for item in rows:
        cells = [
            Cell(region_title(str(item["region"])), f"{number(item['cells'])} cells"),
            Cell(years(item["epoch"])),
            Cell(rounded(item["mean"], item), ends_text(item)),
        ]
        if watered:
            mean, low, high = item.get("water") or (None, None, None)
            cells.append(Cell(rounded(mean, item), between(low, high, item)))
        if bounded:
            cells += [Cell(f"±{brief(half_width(item, bound))}") for bound in _BOUNDS]
            cells.append(Cell(brief(item.get("effective_samples"))))
        lines.append(Row(tuple(cells)))
    caption = f"{rows[0]['title']}, with {level_text(rows[0])} ranges over members below."
    return Grid(tuple(heads), tuple(lines), frozenset(range(2, len(heads))), caption)


def _zone_parts(told: Mapping[str, Any]) -> list[Part]:
    zones = readable(told.get("zones") or [], "km2")
    whole = [item for item in zones if item["region"] == "all"]
    if not whole:
        return []
    ranged = any(item["low"] is not None for item in whole)
    picture = Picture(
        zones_figure(whole, _ZONES),
        "Areas of the zones of continuous, discontinuous, sporadic and isolated permafrost by epoch.",
        "Areas of permafrost zones by epoch"
        + (f"; bars are {level_text(whole[0])} ranges over members." if ranged else "."),
    )
    regions = dict.fromkeys(str(item["region"]) for item in zones if item["region"] != "all")
    folded = tuple(
        Folded(region_title(name), tables=(_zone_grid([i for i in zones if i["region"] == name]),))
        for name in regions
    )
    text = (
        "Zones are by the probability of permafrost: continuous from 0.9, discontinuous from 0.5, sporadic "
        f"from 0.1, isolated from {float(told.get('lowest') or _LOWEST):g}. Below that a cell counts as free "
        "of permafrost, as a smooth probability is zero nowhere. The permafrost area is the sum of "
        "probability times area: the estimate of a model, not of a probability sample.",
        *_threshold_sentences(told.get("thresholds") or []),
    )
    return [Part("Permafrost zones", text, (picture,), (_zone_grid(whole),), folded)]


def _threshold_sentences(thresholds: Records) -> tuple[str, ...]:
    said = [
        f"{float(item['threshold']):.2f} in {years(item['epoch'])}"
        for item in sorted(thresholds, key=lambda item: str(item["epoch"]))
    ]
    if not said:
        return ()
    return (
        f"A map of presence keeps the permafrost area if permafrost begins at a probability of "
        f"{', '.join(said)}, in place of 0.5.",
    )


def _zone_grid(rows: Records) -> Grid:
    epochs = sorted({str(item["epoch"]) for item in rows})
    found = {(str(item["zone"]), str(item["epoch"])): item for item in rows}
    lines = []
    for zone in (*_ZONES, "none"):
        mine = [found.get((zone, epoch)) for epoch in epochs]
        if any(mine):
            cells = [Cell(rounded(i["mean"], i), ends_text(i)) if i else Cell("–") for i in mine]
            lines.append(Row((Cell(capitalised(zone)), *cells)))
    heads = ("Zone", *(f"{years(epoch)} [{rows[0]['unit']}]" for epoch in epochs))
    caption = f"Areas of zones, with {level_text(rows[0])} ranges over members below."
    return Grid(heads, tuple(lines), frozenset(range(1, len(heads))), caption)


def _change_parts(told: Mapping[str, Any]) -> list[Part]:
    parts = []
    for raw in _by_quantity(told.get("changes") or []):
        rows = readable(raw)
        title = str(rows[0]["title"])
        inline = f"{title[:1].lower()}{title[1:]}"
        picture = Picture(
            change_figure(rows),
            f"Change of {inline} between epochs with its range over members; the table holds the numbers.",
            f"{title}: later less earlier, mean and {level_text(rows[0])} range of the differences of "
            "members. Filled where the range does not hold zero; P(more) is the share of members that grew.",
        )
        parts.append(Part(f"Change of {inline}", change_sentences(rows), (picture,), (_change_grid(rows),)))
    return parts


def change_sentences(rows: Records) -> tuple[str, ...]:
    """Return in words what changed on the whole map, and how sure that is.

    Parameters
    ----------
    rows
        Entries ``changes`` of an inventory, of one quantity, as `readable` returns them.

    Examples
    --------
    >>> one = {"unit": "km²", "from": "2000-2004", "to": "2010-2014", "region": "all", "level": 0.95,
    ...        "mean": -4000.0, "low": -6000.0, "high": -1500.0, "increase": 0.005, "share": -0.027}
    >>> print(change_sentences([one])[0].replace("\N{NO-BREAK SPACE}", " "))
    From 2000–2004 to 2010–2014: −4000 km² (−6000 to −1500), −2.7 %; it shrank in 99.5 % of the members.
    """
    out = []
    for item in rows:
        if item["region"] != "all":
            continue
        ends, grew = ends_text(item), float(item["increase"])
        share = "" if item["share"] is None else f", {brief(100.0 * item['share'])} %"
        sure = f"{'grew' if grew >= 0.5 else 'shrank'} in {100.0 * max(grew, 1.0 - grew):.3g} %"
        out.append(
            f"From {years(item['from'])} to {years(item['to'])}: {amount(item['mean'], item)}"
            f"{f' ({ends})' if ends else ''}{share}; it {sure} of the members."
        )
    if out:
        out.append(
            "Members are paired: each keeps its own errors through all epochs, so that what both epochs "
            "share falls out of the difference."
        )
    return tuple(out)


def _change_grid(rows: Records) -> Grid:
    lines = [
        Row(
            (
                Cell(region_title(str(item["region"]))),
                Cell(f"{years(item['from'])} to {years(item['to'])}"),
                Cell(rounded(item["mean"], item), ends_text(item)),
                Cell("–" if item["share"] is None else f"{brief(100.0 * item['share'])} %"),
                Cell(f"{float(item['increase']):.2f}"),
            )
        )
        for item in rows
    ]
    heads = ("Region", "Epochs", f"Change [{rows[0]['unit']}]", "Of the earlier", "Probability of more")
    caption = f"Changes, with {level_text(rows[0])} ranges over members below."
    return Grid(heads, tuple(lines), frozenset({2, 3, 4}), caption)
