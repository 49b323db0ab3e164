"""How well a map reproduces the published map whose cells it was learned from, in all of its other cells."""

from collections.abc import Mapping, Sequence
from typing import Any

from permagrid.report.page import Part, Section, count, number, table


def emulation_section(summary: Mapping[str, Any]) -> Section | None:
    """Return the scores of an emulation, and its total beside that of the published map.

    Parameters
    ----------
    summary
        The run's ``summary.json``; one without ``emulation`` has no section.
    """
    parts = [_part(record, summary) for record in summary.get("emulation") or []]
    if not parts:
        return None
    return Section("emulation", "Against the map that is emulated", tuple(parts))


def _part(record: Mapping[str, Any], summary: Mapping[str, Any]) -> Part:
    drawn, lost, n = (number(int(record[name])) for name in ("drawn", "not_mapped", "n"))
    said = [
        f"{record['map']} has {count(int(record['cells']), 'cell')} with a value. {drawn} of them were drawn "
        f"as sites, {lost} others have no value here, and {n} are left to compare. This says how well an "
        "expert map is reproduced, and nothing of how right it is."
    ]
    if not record["n"]:
        return Part(str(record["epoch"]), tuple(said))
    rows = [
        [name, record.get(key), (record.get("inside") or {}).get(key)]
        for key, name in (("accuracy", "Accuracy"), ("kappa", "Kappa"), ("rmse", "RMSE"), ("bias", "Bias"))
        if record.get(key) is not None
    ]
    for percent, held in (record.get("coverage") or {}).items():
        rows.append([f"Held by the {percent.replace('_', '.')} % interval", held["share"], None])
    tables = [
        table(["Score", "all other cells", "inside the area of applicability"], rows),
        _confusion(record["classes"], record["confusion"]),
    ]
    storage = record.get("storage")
    if storage:
        said.append(_storage_sentence(storage, record, summary))
    return Part(str(record["epoch"]).replace("-", "–"), tuple(said), tables=tuple(tables))


def _storage_sentence(
    storage: Mapping[str, Any], record: Mapping[str, Any], summary: Mapping[str, Any]
) -> str:
    total = number(float(storage["total"]))
    own = f"The published map holds {total} km³ of {storage['ice']} ice in these cells"
    for line in (summary.get("inventory") or {}).get("totals") or []:
        if line["region"] == "all" and line["epoch"] == record["epoch"] and "ice" in line["quantity"]:
            inside = line["low"] <= storage["total"] <= line["high"]
            return (
                f"{own}; the emulation says {number(float(line['mean']))} ({number(float(line['low']))} to "
                f"{number(float(line['high']))}), a range that {'holds' if inside else 'misses'} it."
            )
    return f"{own}."


def _confusion(classes: Sequence[float], counts: Sequence[Sequence[int]]) -> Any:
    heads = ["Published", *(f"mapped as {value:g}" for value in classes)]
    rows = [[f"{value:g}", *map(int, line)] for value, line in zip(classes, counts, strict=True)]
    return table(
        heads, rows, caption="Cells by published and mapped value, each value taken for the nearest."
    )
