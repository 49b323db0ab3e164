"""How much memory an analysis of a whole grid may take: asked of the operating system, before it begins."""

import os
from pathlib import Path

from permagrid.errors import PermagridError

GIB = 2.0**30


def available_memory() -> float | None:
    """Return the memory that this process can still get, or None where the system does not tell [GiB].

    The least of what is free in the machine and in each control group that the process belongs to.

    Examples
    --------
    >>> available_memory() is None or available_memory() > 0
    True
    """
    limits = [_of_machine(), *_of_groups()]
    known = [limit for limit in limits if limit is not None]
    return min(known) / GIB if known else None


def _of_machine() -> float | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024.0
    except (OSError, ValueError):
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return None


def _of_groups() -> list[float | None]:
    """Return what is left of the limits of the control groups above this process, of either version."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    left: list[float | None] = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root = Path("/sys/fs/cgroup/memory" if controllers else "/sys/fs/cgroup")
        folder = root / group.strip("/")
        while folder.is_relative_to(root):
            left.append(_left(folder, "limit_in_bytes" if controllers else "max", bool(controllers)))
            folder = folder.parent
    return left


def _left(folder: Path, limit: str, first_version: bool) -> float | None:
    used, files = ("usage_in_bytes", "total_inactive_file") if first_version else ("current", "inactive_file")
    try:
        most, taken = (float((folder / f"memory.{name}").read_text()) for name in (limit, used))
        lines = (folder / "memory.stat").read_text().splitlines()
        # Files that were read are kept in memory only as long as nothing else wants it.
        spare = sum(float(line.split()[1]) for line in lines if line.startswith(f"{files} "))
    except (OSError, ValueError):
        # There is no such group here, or it has no limit: "max".
        return None
    return max(most - taken + spare, 0.0)


def refuse_beyond(memory: float | None, needed: float, what: str, remedy: str) -> None:
    """Refuse work that does not fit into memory.

    Parameters
    ----------
    memory
        What it may take; what there is if None [GiB].
    needed
        What it takes [GiB].
    what
        What it is that needs it.
    remedy
        What else to do.

    Raises
    ------
    PermagridError
        If it does not fit.

    Examples
    --------
    >>> refuse_beyond(1.0, 3.5, "the analysis of 6000 x 6000 cells", "crop the grid")
    Traceback (most recent call last):
    ...
    permagrid.errors.PermagridError: the analysis of 6000 x 6000 cells needs about 3.5 GiB of memory, ...
    """
    limit = available_memory() if memory is None else memory
    if limit is not None and needed > limit:
        source = "are available" if memory is None else "are allowed (memory)"
        raise PermagridError(
            f"{what} needs about {needed:.2g} GiB of memory, but {limit:.2g} GiB {source}: {remedy}"
        )
