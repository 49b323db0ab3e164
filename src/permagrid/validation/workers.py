"""Processes that work on tasks side by side, one core each, with results that no number of them changes."""

import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from threading import Thread
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")

Link: TypeAlias = "Connection[Any, Any]"
SHORT = 0.05
"""Tasks that take less are sent before they can be begun [s]."""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Workers:
    """Processes that work on tasks; usable as a context, whose end is theirs.

    They are started when they are first needed and serve any number of calls of `run`, one after the other.
    What is shared by tasks goes to each of them once. Each computes on one core, so that nothing is
    oversubscribed and sums are added in one order.

    Parameters
    ----------
    count
        Processes; with 1 the tasks are done in this one.
    preloaded
        Modules that tasks need, which are then loaded once for all processes where the system allows it.

    Raises
    ------
    PermagridError
        If there is to be less than one.

    Notes
    -----
    Fits of small learners hold Python's lock for most of their time, so threads wait for each other. Sixteen
    classifiers on 800 rows of 20 covariates, on two cores, are 1.4 times as fast as one after the other with
    two threads and 1.7 times with two processes; forests alone 1.4 and 2.0 times, all without forests and
    boosting libraries 1.1 and 2.0 times (``benchmarks/workers.py``). Two processes start in 2 to 3 s.

    Examples
    --------
    >>> with Workers(1) as workers:
    ...     list(workers.run(pow, [2, 3], shared=10))
    [100, 1000]
    """

    def __init__(self, count: int, *, preloaded: Sequence[str] = ()) -> None:
        if count < 1:
            raise PermagridError(f"workers: at least 1 is needed, found {count}")
        self.count, self._preloaded = count, [__name__, *preloaded]
        self._members: list[_Member] = []

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, whatever they are at."""
        members, self._members = self._members, []
        for member in members:
            member.process.terminate()
        for member in members:
            member.process.join()
            member.process.close()
            member.connection.close()

    def run(
        self, function: Callable[[Shared, Task], Result], tasks: Sequence[Task], *, shared: Shared
    ) -> Iterator[Result]:
        """Yield ``function(shared, task)`` for each task, in the order of the tasks.

        Parameters
        ----------
        function
            A function of an importable module.
        tasks
            What differs from call to call; those that take longest had better come first.
        shared
            What does not, such as the table of rows.

        Raises
        ------
        PermagridError
            If a task raises one, or a process is killed. Other errors of a task are raised as they are, with
            the traceback of the process in their notes. No task is begun after that.
        """
        if self.count == 1 or len(tasks) < 2:
            return _here(function, tasks, shared)
        return self._beside(function, tasks, shared)

    def _beside(
        self, function: Callable[[Shared, Task], Result], tasks: Sequence[Task], shared: Shared
    ) -> Iterator[Result]:
        run = _Run[Task, Result](tasks)
        try:
            self._start(min(self.count, len(tasks)))
            run.begin(self._members, ("share", (function, shared)))
            for number in range(len(tasks)):
                run.fill()
                while number not in run.results:
                    run.gather()
                    run.fill()
                yield run.results.pop(number)
        except BaseException as error:
            # What is still at work would answer the next call.
            if run.at_work or not isinstance(error, GeneratorExit):
                self.close()
            raise

    def _start(self, count: int) -> None:
        if self._members and len(self._members) >= count:
            return
        # A fork of this process would inherit locks of threads that it does not have.
        context: ForkServerContext | SpawnContext
        if "forkserver" in multiprocessing.get_all_start_methods():
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(self._preloaded)
        else:
            context = multiprocessing.get_context("spawn")
        for _ in range(count - len(self._members)):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._members.append(_Member(process, ours))


class _Member(NamedTuple):
    process: BaseProcess
    connection: Link


class _Run(Generic[Task, Result]):
    """The tasks of one call: those that wait, those at work, and results that nobody has asked for yet."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.results: dict[int, Result] = {}
        self._waiting = deque(enumerate(tasks))
        self._flying: list[tuple[_Member, deque[int]]] = []
        self._ahead = 1

    @property
    def at_work(self) -> bool:
        """Whether a task has been sent whose result has not come."""
        return any(numbers for _, numbers in self._flying)

    def begin(self, members: Sequence[_Member], message: object) -> None:
        """Send what is shared."""
        self._flying = [(member, deque[int]()) for member in members]
        for member in members:
            _send(member, message)

    def fill(self) -> None:
        """Send tasks to members that have nothing to do, and of short tasks the next ones too."""
        for depth in range(1, self._ahead + 1):
            for member, numbers in self._flying:
                if self._waiting and len(numbers) < depth:
                    number, task = self._waiting.popleft()
                    numbers.append(number)
                    _send(member, ("task", task))

    def gather(self) -> None:
        """Wait for results, and take those that have come."""
        ready = wait([member.connection for member, numbers in self._flying if numbers])
        for member, numbers in self._flying:
            if member.connection in ready:
                seconds, result = _received(member)
                self.results[numbers.popleft()] = result
                # A message takes no time to speak of beside a long task, which had better wait for whoever
                # is free first.
                self._ahead = 3 if seconds < SHORT else 1


def run_tasks(
    function: Callable[[Shared, Task], Result], tasks: Sequence[Task], *, shared: Shared, workers: int = 1
) -> Iterator[Result]:
    """Yield ``function(shared, task)`` for each task in turn, from processes that end with the last result.

    Parameters and errors as `Workers.run`.

    Examples
    --------
    >>> list(run_tasks(pow, [2, 3], shared=10))
    [100, 1000]
    """
    with Workers(workers) as members:
        yield from members.run(function, tasks, shared=shared)


def _here(
    function: Callable[[Shared, Task], Result], tasks: Sequence[Task], shared: Shared
) -> Iterator[Result]:
    # Once for all tasks, as it takes longer than a small fit.
    with threadpool_limits(1):
        for task in tasks:
            yield function(shared, task)


def _send(member: _Member, message: object) -> None:
    try:
        member.connection.send(message)
    except OSError:
        raise PermagridError(_end_of(member)) from None


def _received(member: _Member) -> Any:
    try:
        kind, content = member.connection.recv()
    except (EOFError, OSError):
        raise PermagridError(_end_of(member)) from None
    if kind == "error":
        raise content
    return content


def _end_of(member: _Member) -> str:
    member.process.join(5.0)
    code = member.process.exitcode
    if code is not None and code < 0:
        why = signal.Signals(-code).name
        return (
            f"a worker process was ended by {why}, perhaps for want of memory: run it again, which goes on "
            f"from what is kept, with fewer workers if it happens again"
        )
    return (
        f"a worker process ended by itself (exit code {code}): a script that asks for several workers keeps "
        f"its calls under if __name__ == '__main__'"
    )


def _serve(connection: Link) -> None:
    """Do tasks until the other side is gone."""
    # Whoever interrupts means the process that was started by hand, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    # For what is loaded later; what is loaded already heeds the limit below.
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    function: Callable[[Any, Any], Any] | None = None
    shared: Any = None
    while True:
        try:
            kind, content = connection.recv()
        except (EOFError, OSError):
            return
        if kind == "share":
            function, shared = content
            threadpool_limits(1)
        elif function is not None:
            _answer(connection, function, shared, content)


def _end_with(parent: BaseProcess | None) -> None:
    """End this process with that which started it, even if that was killed and a task is in work."""
    if parent is not None:
        parent.join()
        os._exit(1)


def _answer(connection: Link, function: Callable[[Any, Any], Any], shared: Any, task: Any) -> None:
    answer: tuple[str, Any]
    try:
        start = time.perf_counter()
        result = function(shared, task)
        answer = ("result", (time.perf_counter() - start, result))
    except PermagridError as error:
        answer = ("error", PermagridError(str(error)))
    except BaseException as error:
        connection.send(("error", _travelling(error)))
        raise
    try:
        connection.send(answer)
    except OSError:
        raise SystemExit(0) from None


def _travelling(error: BaseException) -> Exception:
    """Return an error that another process can raise, with the traceback of this one in a note."""
    trace = "".join(traceback.format_exception(error))
    known = type(error) in (ValueError, TypeError, KeyError, ArithmeticError, MemoryError, RuntimeError)
    same = type(error)(*error.args) if known else RuntimeError(f"{type(error).__name__}: {error}")
    same.add_note(f"In a worker process:\n{trace}")
    return same  # type: ignore[return-value, unused-ignore]
