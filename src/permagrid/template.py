"""A commented study file to start from."""

from importlib.resources import files
from pathlib import Path

from permagrid.errors import PermagridError
from permagrid.files import write_text

_TARGETS: dict[str, dict[str, str]] = {
    "magt": {
        "VARIABLE": "mean_annual_ground_temperature",
        "KIND": "value",
        "UNIT": "degC",
        "RANGE": "[-25, 15]",
        "DEPTH": "  depth: 10                 # [m] the depth that the maps speak of",
        "OBSERVED": "ground_temperature",
        "RULE": "  reduce: {depth_rule: deepest, depth_range: [1.6, 30]}   # [m]",
        "COLUMNS": ", depth: depth",
        "EXTRA": "  - {name: depth, method: observation, column: depth, at: 10, unit: m}   # in maps 10 m",
    },
    "alt": {
        "VARIABLE": "active_layer_thickness",
        "KIND": "value",
        "UNIT": "cm",
        "RANGE": "[0, 2000]",
        "OBSERVED": "active_layer_thickness",
    },
    "extent": {
        "VARIABLE": "permafrost_presence",
        "KIND": "class",
        "UNIT": '"1"',
        "RANGE": "[0, 1]",
        "OBSERVED": "permafrost_presence",
        "RULE": "  labels: {temperature_threshold: 0}   # [degC] annual means at or below it show permafrost",
    },
}


def template(target: str) -> str:
    """Return a commented study file for ``magt``, ``alt`` or ``extent``.

    Examples
    --------
    >>> template("alt").splitlines()[0]
    '# yaml-language-server: $schema=study.schema.json'
    """
    text = (files("permagrid") / "templates" / "study.yaml").read_text(encoding="utf-8")
    names = {key for words in _TARGETS.values() for key in words}
    for key in names:
        text = text.replace(f"@{key}@", _TARGETS[target].get(key, ""))
    return "\n".join(line for line in text.splitlines() if line.strip()) + "\n"


def write_template(path: Path, target: str) -> None:
    """Write the template; a file that is there already is kept.

    Raises
    ------
    PermagridError
        If the file exists or cannot be written.
    """
    if path.exists():
        raise PermagridError(f"{path}: exists already; choose another name")
    write_text(path, template(target))
