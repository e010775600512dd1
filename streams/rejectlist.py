"""Rejects for people: gathered by reason in a table, or one of them with its bytes in hex and as text."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flowmon.errors import FlowmonError, Undecodable
from streams.rejectstore import Kept
from streams.retry import payload_of

_SHOWN_BYTES = 512
_WIDE = 16
_PARTS = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")


def general(reason: str) -> str:
    """A reason without what differs from message to message: what is quoted, and numbers.

    >>> general("topic of no route: 'a/b'"), general("not JSON: invalid character (byte 7)")
    ('topic of no route: …', 'not JSON: invalid character (byte …)')
    """
    return _PARTS.sub("…", reason)


def rows(kept: Sequence[Kept]) -> list[list[Kept]]:
    """Rejects of one general reason and dialect together, the largest group first; in a group oldest first."""
    groups: dict[tuple[str, str], list[Kept]] = {}
    for one in kept:
        groups.setdefault((general(one.reject.reason), one.reject.dialect), []).append(one)
    return sorted(groups.values(), key=lambda group: (-len(group), group[0].reject.at))


def print_list(kept: Sequence[Kept], *, as_json: bool) -> int:
    """Rows of `rows`, numbered as `print_one` takes them; the exit code."""
    found = [
        {
            "n": number,
            "count": len(group),
            "newest": group[-1].reject.at,
            "dialect": group[-1].reject.dialect,
            "reason": general(group[-1].reject.reason),
            "venue": group[-1].venue,
            "device": group[-1].reject.device,
            "topic": group[-1].reject.topic,
            "name": group[-1].name,
        }
        for number, group in enumerate(rows(kept), 1)
    ]
    if as_json:
        print(json.dumps(found))
        return 0
    if not found:
        print("no rejects")
        return 0
    table = Table(box=None, pad_edge=False)
    for title in ("n", "count", "newest (UTC)", "dialect", "reason", "topic, for example"):
        table.add_column(title, justify="right" if title in {"n", "count"} else "left", overflow="fold")
    for row, group in zip(found, rows(kept), strict=True):
        cells = (row["n"], row["count"], _time(group[-1].reject.at), row["dialect"] or "-", row["reason"], row["topic"])
        table.add_row(*(Text(plain(str(cell))) for cell in cells))
    Console().print(table)
    return 0


def print_one(kept: Sequence[Kept], one: str, *, as_json: bool) -> int:
    """The newest reject of a row, or the one of that name; the exit code. Raises FlowmonError when there is none."""
    chosen = next((each for each in kept if each.name == one), None)
    if chosen is None and one.isdigit() and 1 <= int(one) <= len(groups := rows(kept)):
        chosen = groups[int(one) - 1][-1]
    if chosen is None:
        raise FlowmonError(f"no reject {one}: `flowmon rejects` lists them (with the same --venue and --reason)")
    if as_json:
        print(msgspec.json.encode({"name": chosen.name, "venue": chosen.venue, "reject": chosen.reject}).decode())
        return 0
    reject = chosen.reject
    for key, value in (
        ("name", chosen.name),
        ("got", f"{_time(reject.at)} UTC"),
        ("venue", chosen.venue),
        ("device", reject.device),
        ("topic", reject.topic),
        ("dialect", reject.dialect),
        ("headers", ", ".join(f"{name}: {text}" for name, text in reject.headers.items())),
        ("reason", reject.reason),
    ):
        if value:
            print(f"{key:<8} {plain(value)}")
    try:
        payload = payload_of(reject)
    except Undecodable as error:
        print(f"bytes    {error.reason}")
        return 0
    more = f", the first {_SHOWN_BYTES} are shown" if len(payload) > _SHOWN_BYTES else ""
    print(f"bytes    {len(payload)} kept, what must not be is masked by ***{more}")
    print("\n".join(hexdump(payload[:_SHOWN_BYTES])))
    return 0


def hexdump(data: bytes) -> list[str]:
    """Lines of 16 bytes: where, in hex, as text.

    >>> hexdump(b"hi\\n")
    ['00000000  68 69 0a                                         hi.']
    """
    return [
        f"{start:08x}  {data[start : start + _WIDE].hex(' '):<47}  "
        + "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data[start : start + _WIDE])
        for start in range(0, len(data), _WIDE)
    ]


def _time(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(at)


def plain(text: str) -> str:
    """Text from a device as a terminal may show it: no control characters."""
    return "".join(character if character.isprintable() else "·" for character in text)
