"""Which virtual worlds there are, and what may be said of each."""

from pathlib import Path
from typing import Any

from permagrid.errors import PermagridError, did_you_mean
from permagrid.world.files import write_world
from permagrid.world.ice_files import write_ice_world

KINDS: dict[str, dict[str, Any]] = {
    "region": {"seed": 0, "size": 300, "resolution": 5000.0, "boreholes": 250, "faults": 0.05},
    "ground_ice": {"seed": 0, "resolution": 25_000.0, "boreholes": 1178},
}
"""Kind of world -> what may be set, and to what it is set if nothing is said."""


def write_kind(folder: Path, kind: str, **given: Any) -> str:
    """Write a virtual world of a kind, and return in words what it is.

    Parameters
    ----------
    folder
        Made if it is not there.
    kind
        One of `KINDS`.
    given
        Settings; None is as good as not given.

    Raises
    ------
    PermagridError
        If the kind is unknown or has no such setting, or as `write_world` and `write_ice_world` do.
    """
    if kind not in KINDS:
        raise PermagridError(f"unknown kind of world {kind!r}: {did_you_mean(kind, KINDS)}")
    stated = {name: value for name, value in given.items() if value is not None}
    for name in stated:
        if name not in KINDS[kind]:
            raise PermagridError(f"a world of kind {kind} has no {name}; allowed: {', '.join(KINDS[kind])}")
    setting = {**KINDS[kind], **stated}
    boreholes, cell = setting.pop("boreholes"), f"cells of {setting['resolution']:g} m"
    if kind == "ground_ice":
        write_ice_world(folder, n_boreholes=boreholes, **setting)
        return f"{folder}: a hemisphere in {cell}"
    write_world(folder, n_boreholes=boreholes, fault_share=setting.pop("faults"), **setting)
    return f"{folder}: {setting['size']} x {setting['size']} {cell}"
