"""Progress of a run: named steps with their times, shown as bars where someone is looking."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Steps:
    """Times the steps of a run, and shows them on a terminal.

    Parameters
    ----------
    console
        Where to show bars and lines; silent if left out.

    Examples
    --------
    >>> steps = Steps()
    >>> with steps.step("read sites") as advance:
    ...     advance(1, 1)
    >>> list(steps.seconds)
    ['read sites']
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}
        self.notes: list[str] = []

    @contextmanager
    def step(self, name: str) -> "Iterator[Advance]":
        """Time a step; the value is called with the units done and in all."""
        start = time.perf_counter()
        if self.console is None:
            yield Advance()
        else:
            with _bars(self.console) as bars:
                yield Advance(bars, name)
        seconds = time.perf_counter() - start
        self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 3)
        self.say(f"{name}: {seconds:.1f} s")

    def note(self, line: str) -> None:
        """Keep a line that must be told even where nobody is looking, and print it."""
        self.notes.append(line)
        self.say(line)

    def say(self, line: str) -> None:
        """Print a line, where there is a console."""
        if self.console is not None:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)


class Advance:
    """Moves the bar of a step forward; does nothing where nothing is shown."""

    def __init__(self, bars: Progress | None = None, name: str = "") -> None:
        self._bars = bars
        self._task = bars.add_task(name, total=None) if bars is not None else None

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` units are finished."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=done, total=total)


def _bars(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
