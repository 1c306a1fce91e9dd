"""The progress of a check: to the caller's function, or on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]


@contextmanager
def steps(progress: Progress | None, most: int) -> Iterator[Callable[[int], None]]:
    """Yield what counts steps done of ``most`` at most; shows a bar where standard error is a terminal and nobody listens."""
    done = 0

    def counted(listener: Progress | None) -> Callable[[int], None]:
        def step(more: int) -> None:
            nonlocal done
            done += more
            if listener is not None:
                listener(done, max(done, most))

        return step

    if progress is not None or not sys.stderr.isatty():
        yield counted(progress)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = TextColumn("checking, batches at most"), BarColumn(), MofNCompleteColumn()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=most)
        yield counted(lambda done, of: bar.update(task, completed=done, total=of))
