"""BLAS on one thread inside loops over small tiles, where handing out work to more takes longer than the work."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


@cache
def _controller() -> ThreadpoolController:
    """Return the control over the BLAS libraries, which are looked for once."""
    return ThreadpoolController()


#: Held by the caller that set the limit, until it has lifted it.
_LIMITING = threading.Lock()


def blas_threads() -> int:
    """Return the number of threads that BLAS may take now."""
    return max((pool["num_threads"] for pool in _controller().info() if pool["user_api"] == "blas"), default=1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS on one thread, as a context or a decorator; the number of threads is restored, after exceptions too.

    The number is the process's, not the caller's. So one caller at a time sets and restores it; those inside meanwhile, nested
    or in other threads, leave it alone: were they to save and restore it too, it might stay at 1 for good.

    >>> with one_thread():
    ...     max((pool["num_threads"] for pool in _controller().info() if pool["user_api"] == "blas"), default=1)
    1
    """
    if not _LIMITING.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _LIMITING.release()


def in_order(tasks: Iterable[tuple[Callable[..., Any], *tuple[Any, ...]]], workers: int) -> Iterator[Any]:
    """Yield the results of calls (function, *arguments) in order; so many run at a time, and one more is at hand.

    >>> list(in_order([(pow, 2, k) for k in range(5)], workers=2))
    [1, 2, 4, 8, 16]
    """
    if workers == 1:
        for function, *arguments in tasks:
            yield function(*arguments)
        return
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[Any]] = deque()
        for function, *arguments in tasks:
            pending.append(pool.submit(function, *arguments))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
