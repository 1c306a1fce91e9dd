"""BLAS on one thread inside loops over small tiles, where handing out work to more takes longer than the work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


@cache
def _controller() -> ThreadpoolController:
    """Return the control over the BLAS libraries, which are looked for once."""
    return ThreadpoolController()


#: Held by the caller that set the limit, until it has lifted it.
_LIMITING = threading.Lock()


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
