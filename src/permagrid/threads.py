"""Thread pools whose workers each use one core, so that no result depends on how many there are."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads in which OpenMP code runs on one core.

    OpenMP counts its threads per calling thread, so a limit set outside the pool does not hold in it:
    gradient boosting would then start as many threads as there are cores in every worker, which is slow
    and adds its sums in an order that depends on the machine.

    When its body is left, by its end or by an error, tasks that have not begun are dropped.

    Parameters
    ----------
    workers
        Tasks in work at a time.

    Examples
    --------
    >>> with pool(2) as threads:
    ...     list(threads.map(abs, [-1, 2]))
    [1, 2]
    """
    threads = ThreadPoolExecutor(workers, initializer=_one_core)
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)


def _one_core() -> None:
    # Never undone: the setting belongs to the thread and ends with it.
    threadpool_limits(1, user_api="openmp")
