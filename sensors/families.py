"""`flowmon dialects`: which device families are read, and what a person should know before connecting one.

The table is each dialect's own word (its FAMILY); `--markdown` is what README shows between two marks, and
`--into README.md` writes it there. A test holds README to it.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from msgspec import structs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flowmon.errors import FlowmonError
from sensors.dialects import DIALECTS
from sensors.dialects.port import Dialect, Family

BEGIN, END = "<!-- flowmon dialects -->", "<!-- /flowmon dialects -->"
_TITLES = ("family", "dialect", "by", "kinds", "privacy", "tested with", "source")


def families(dialects: Mapping[str, Dialect] = DIALECTS) -> list[tuple[list[str], Family]]:
    """(the names a route may use, the family), in the order of the families' names."""
    names: dict[int, list[str]] = {}
    modules: dict[int, Dialect] = {}
    for name, module in dialects.items():
        names.setdefault(id(module), []).append(name)
        modules[id(module)] = module
    found = [(names[key], module.FAMILY) for key, module in modules.items()]
    return sorted(found, key=lambda one: one[1].name.lower())


def markdown(found: list[tuple[list[str], Family]]) -> str:
    """The table as Markdown, one line a family."""
    lines = [f"| {' | '.join(_TITLES)} |", "|" + "---|" * len(_TITLES)]
    for names, family in found:
        cells = [family.name, ", ".join(f"`{name}`" for name in names), *_rest(family)]
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') or '–' for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _rest(family: Family) -> list[str]:
    kinds = ", ".join(family.kinds)
    return [", ".join(family.transports), kinds, family.privacy, family.tested, family.source]


def put_into(text: str, table: str) -> str:
    """A Markdown page with the table between its marks. Raises FlowmonError when it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise FlowmonError(f"no place for the table: write {BEGIN} and {END} on lines of their own")
    return f"{before}{BEGIN}\n{table}{END}{after}"


def arguments(parser: argparse.ArgumentParser) -> None:
    """How to show the table."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON array")
    form.add_argument("--markdown", action="store_true", help="a Markdown table")
    form.add_argument("--into", type=Path, metavar="FILE", help="write the Markdown table between FILE's marks")


def run(args: argparse.Namespace) -> int:
    """Print it. Raises FlowmonError when a page has no place for it."""
    found = families()
    if args.json:
        print(json.dumps([{"dialects": names, **structs.asdict(family)} for names, family in found]))
    elif args.markdown:
        print(markdown(found), end="")
    elif args.into:
        _write(args.into, markdown(found))
    else:
        _show(found)
    return 0


def _write(page: Path, table: str) -> None:
    try:
        page.write_text(put_into(page.read_text(), table))
    except OSError as error:
        raise FlowmonError(f"{page} cannot be written: {error.strerror or error}") from error


def _show(found: list[tuple[list[str], Family]]) -> None:
    table = Table(box=None, pad_edge=False, show_lines=False)
    for title in _TITLES[:-1]:
        table.add_column(title, overflow="fold")
    for names, family in found:
        table.add_row(*map(Text, [family.name, "\n".join(names), *_rest(family)[:-1]]))
    Console().print(table)
