"""Workers give results in order whatever their number, tell errors, and leave no process behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from threadpoolctl import threadpool_info

from permagrid.errors import Fault, PermagridError, StudyError
from permagrid.validation.workers import Workers, run_tasks


def product(shared, task):
    return float((shared[task] @ shared[task].T).sum())


def slow_first(shared, task):
    time.sleep(0.2 if task == 0 else 0.0)
    return task, os.getpid()


def threads(shared, task):
    return [library["num_threads"] for library in threadpool_info()]


def fails(shared, task):
    if task == "user":
        raise PermagridError("bio1 is missing")
    if task == "study":
        raise StudyError([Fault("grid.crs", "unknown")])
    if task == "bug":
        raise KeyError("bio1")
    if task == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "left":
        os._exit(3)
    return task


@pytest.fixture(scope="module")
def pair():
    with Workers(2) as workers:
        yield workers


def test_results_are_the_same_bits_and_in_order_for_any_number(pair):
    shared = np.random.default_rng(0).normal(size=(7, 90, 40))
    tasks = [3, 0, 6, 2, 2, 5, 1, 4]
    expected = [product(shared, task) for task in tasks]
    assert list(run_tasks(product, tasks, shared=shared)) == pytest.approx(expected, rel=1e-12)
    alone = list(run_tasks(product, tasks, shared=shared))
    assert list(pair.run(product, tasks, shared=shared)) == alone
    assert list(pair.run(product, tasks, shared=shared)) == alone


def test_tasks_are_divided_and_a_slow_one_does_not_change_the_order(pair):
    found = list(pair.run(slow_first, [0, 1, 2, 3], shared=None))
    assert [task for task, _ in found] == [0, 1, 2, 3]
    owners = {owner for _, owner in found}
    assert len(owners) == 2
    assert os.getpid() not in owners


def test_each_worker_uses_one_core(pair):
    for found in pair.run(threads, [0, 1, 2], shared=None):
        assert set(found) <= {1}
    before = threads(None, None)
    assert set(next(iter(run_tasks(threads, [0], shared=None)))) <= {1}
    assert threads(None, None) == before


def test_what_is_shared_is_that_of_the_call(pair):
    assert list(pair.run(pow, [1, 2], shared=3)) == [3, 9]
    assert list(pair.run(pow, [1, 2], shared=5)) == [5, 25]
    assert list(pair.run(pow, [], shared=5)) == []


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    ("task", "kind", "message"),
    [
        ("user", PermagridError, "^bio1 is missing$"),
        ("study", PermagridError, "grid.crs: unknown"),
        ("bug", KeyError, "bio1"),
    ],
)
def test_errors_of_a_task_are_raised_as_they_are(number, task, kind, message):
    with pytest.raises(kind, match=message) as caught:
        list(run_tasks(fails, ["a", task, "b"], shared=None, workers=number))
    if number == 2 and task == "bug":
        assert "in fails" in "".join(caught.value.__notes__)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("killed", "ended by SIGKILL, perhaps for want of memory"),
        ("left", r"ended by itself \(exit code 3\)"),
    ],
)
def test_a_worker_that_is_gone_is_told_in_one_sentence_and_work_can_go_on(task, message):
    with Workers(2) as workers:
        with pytest.raises(PermagridError, match=message):
            list(workers.run(fails, ["a", task, "b", "c"], shared=None))
        assert list(workers.run(fails, ["a", "b"], shared=None)) == ["a", "b"]


def test_no_process_stays_behind():
    with Workers(2) as workers:
        owners = {owner for _, owner in workers.run(slow_first, [0, 1, 2], shared=None)}
        assert all(psutil.pid_exists(owner) for owner in owners)
    assert not any(psutil.pid_exists(owner) for owner in owners)
    results = run_tasks(slow_first, [1, 2, 3, 4], shared=None, workers=2)
    _, owner = next(results)
    results.close()
    assert not psutil.pid_exists(owner)


SCRIPT = """
    import os, sys, time
    import test_workers
    from permagrid.validation.workers import run_tasks

    def main():
        for task, owner in run_tasks(test_workers.endless, [0, 1, 2, 3], shared=None, workers=2):
            print(owner, flush=True)

    if __name__ == "__main__":
        main()
"""


INTERRUPTIBLE = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.executable, [sys.executable, sys.argv[1]])"
)
"""Runs a script as from a terminal: what a shell starts in the background ignores interrupts."""


def endless(shared, task):
    time.sleep(0.0 if task < 2 else 60.0)
    return task, os.getpid()


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_process_that_started_them(tmp_path, way):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, str(script)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    owners = [int(process.stdout.readline()) for _ in range(2)]
    if way == signal.SIGINT:
        # As from a terminal, which interrupts all of them.
        os.killpg(process.pid, way)
    else:
        process.kill()
    _, told = process.communicate(timeout=60)
    assert process.returncode != 0
    # They have a minute's work before them.
    _, alive = psutil.wait_procs([psutil.Process(o) for o in owners if psutil.pid_exists(o)], timeout=10)
    assert not alive
    assert told.count("Traceback") == (1 if way == signal.SIGINT else 0)
    assert ("KeyboardInterrupt" in told) == (way == signal.SIGINT)


def test_a_script_without_a_guard_is_told_what_to_do(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import math\n"
        "from permagrid.validation.workers import run_tasks\n"
        "print(list(run_tasks(pow, [1, 2], shared=2, workers=2)))\n"
    )
    found = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "keeps its calls under if __name__ == '__main__'" in found.stderr.splitlines()[-1]


def test_less_than_one_worker_is_refused():
    with pytest.raises(PermagridError, match="at least 1 is needed, found 0"):
        Workers(0)
