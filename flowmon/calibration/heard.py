"""Sightings out of a file: JSON lines of facts or records (raw sightings, a recording), or a CSV table; gzip or not."""

import gzip
import io
import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from flowmon import wire
from flowmon.errors import FlowmonError, Undecodable
from flowmon.facts import Sighting
from flowmon.scoring.table import Account, Table
from flowmon.scoring.times import Clock

LINE_MAX = 1 << 24
COLUMNS = ("time", "beacon", "receiver", "rssi")
SAMPLE = 200
SIGHTINGS_MAX = 5_000_000


def read(path: Path) -> tuple[list[Sighting], Account]:
    """Every sighting, by time, and an account of lines that hold none. Raises FlowmonError, with what to do."""
    account = Account()
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            lines = io.BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file
            if lines.peek(1)[:1] in {b"{", b"["}:
                found = list(itertools.islice(_of_lines(_bounded(lines), account), SIGHTINGS_MAX + 1))
            else:
                found, account = _of_table(path)
    except (OSError, EOFError, zlib.error) as error:
        raise FlowmonError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not found:
        hint = "a journal keeps presences only; give raw sightings (JSON lines or CSV: " + ",".join(COLUMNS) + ")"
        raise FlowmonError(f"{path}: no sighting in {account.rows:,} lines: {hint}")
    if len(found) > SIGHTINGS_MAX:
        raise FlowmonError(f"{path}: more than {SIGHTINGS_MAX:,} sightings: cut out the time of the walk")
    found.sort(key=lambda sighting: sighting.seen or sighting.at)
    account.used = len(found)
    return found, account


def _bounded(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(LINE_MAX):
        yield line


def _of_lines(lines: Iterator[bytes], account: Account) -> Iterator[Sighting]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        account.rows += 1
        try:
            facts = wire.decode_record(line) if line[:1] == b"[" else [wire.decode_fact(line)]
        except Undecodable as error:
            if number > 1 or b'"flowmon"' not in line:  # the header of a recording is no fact
                account.drop("no fact", number, str(error))
            continue
        yield from (fact for fact in facts if isinstance(fact, Sighting))


def _of_table(path: Path) -> tuple[list[Sighting], Account]:
    table = Table(path)
    time, beacon, receiver, rssi = map(table.column, COLUMNS)
    rows = table.rows()
    sample = list(itertools.islice(rows, SAMPLE))
    clock = Clock([cells[time] for _, cells in sample], None)
    found = []
    for line, cells in itertools.chain(sample, rows):
        told, level = clock.read(cells[time]), table.number(cells[rssi])
        if told is None or level is None or not cells[receiver].strip():
            table.account.drop("no time, level or receiver", line, " ".join(cells))
            continue
        name = cells[receiver].strip()
        at = told[0]
        found.append(Sighting(at=at, source=name, beacon=cells[beacon].strip(), receiver=name, rssi_dbm=level))
    return found, table.account
