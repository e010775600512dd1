"""A progress bar on standard error while recordings are read; silent where nobody looks at it."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextmanager
def bar(label: str, paths: Sequence[Path], *, times: int = 1) -> Iterator[Callable[[Path, int], None]]:
    """Gives what is to be told `(path, bytes read of it)`. times: how often the paths are read through."""
    if not sys.stderr.isatty():
        yield lambda _path, _size: None
        return
    sizes = {path: path.stat().st_size for path in paths}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=max(1, sum(sizes.values()) * times))
        last: dict[Path, int] = {}

        def told(path: Path, size: int) -> None:
            before = last.get(path, 0)
            last[path] = size
            # A smaller position than before: the next time through.
            progress.advance(task, size - before if size >= before else size + sizes[path] - before)

        yield told


@contextmanager
def clock(label: str, begin: float, end: float) -> Iterator[Callable[[float], None]]:
    """Likewise for what has no size: gives what is to be told the recorded time that was reached."""
    if not sys.stderr.isatty():
        yield lambda _at: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=max(1.0, end - begin))
        yield lambda at: progress.update(task, completed=max(0.0, at - begin))
