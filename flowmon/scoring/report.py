"""What every score writes: the JSON layout of `flowmon.scoring`, Markdown, and a progress bar while it works."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from flowmon.errors import FlowmonError
from flowmon.scoring.table import Account


def arguments(parser: argparse.ArgumentParser) -> None:
    """--json and --markdown."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures (layout: flowmon.scoring)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report; it is printed otherwise")


def data_of(account: Account, **more: Any) -> dict[str, Any]:
    """The `data` part: what was read and used, and why the rest was not."""
    return {
        **more,
        "rows": account.rows,
        "used": account.used,
        "dropped": dict(account.dropped.most_common()),
        "examples": account.examples,
        "notes": account.notes,
    }


def conclude(
    args: argparse.Namespace,
    data: dict[str, Any],
    methods: dict[str, dict[str, Any]],
    report: dict[str, Any],
    text: str,
) -> int:
    """Write what was asked for; the Markdown goes to standard output when no file is named. Returns 0."""
    score = {"command": args.command, "data": data, "methods": methods, "report": report}
    try:
        if args.json is not None:
            args.json.write_text(json.dumps(score, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
        if args.markdown is not None:
            args.markdown.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FlowmonError(f"{error.filename}: {error.strerror}: name a file that can be written") from error
    if args.markdown is None:
        sys.stdout.write(text)
    return 0


def rows_section(data: dict[str, Any]) -> str:
    """The Markdown section about the rows."""
    lines = [f"Rows read {data['rows']:,}, used {data['used']:,}, dropped {sum(data['dropped'].values()):,}."]
    for reason, count in data["dropped"].items():
        lines.append(f"- {count:,} × {reason} ({'; '.join(data['examples'].get(reason, []))})")
    lines += [f"- {note}" for note in data["notes"]]
    return "\n".join(lines) + "\n"


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    >>> print(grid(["method", "WAPE"], [["model", "14.0 %"]]), end="")
    | method | WAPE |
    |---|---|
    | model | 14.0 % |
    """
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (header, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]]) + "\n"


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction of 1 for people; — when it is unknown."""
    return "—" if value is None else f"{100.0 * value:.{digits}f} %"


def figure(value: float | None, digits: int = 2) -> str:
    """A number for people; — when it is unknown."""
    return "—" if value is None else f"{value:,.{digits}f}"


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Gives what is to be told how many more are done; silent where nobody looks at standard error."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=max(1, total))
        yield lambda done: bar.advance(task, done)
