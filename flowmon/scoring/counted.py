"""What people counted by hand, or a simulator knows: (time, zone, people) from a CSV file or a truth file.

A truth file is JSON lines: a header `{"flowmon": "truth", …}`, then lines with a `type`. Read are `occupied` (`at`,
`zone`, `people`: visitors in a zone from now on, told at each change; no line yet means nobody). It is looked at once
a minute while anybody is inside, or else busy minutes would count for more.
"""

from collections.abc import Callable, Iterable
from datetime import tzinfo
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from flowmon.scoring.table import Account, Table, TableInvalid, is_empty
from flowmon.scoring.times import Clock
from flowmon.venue.model import Venue

WHOLE = "venue"  # the name of all zones together
PEOPLE_MAX = 1e6
EVERY_S = 60
LINE_MAX = 1 << 16


class Counted(Struct, frozen=True, order=True, gc=False):
    """So many people were in a zone (or in the whole `venue`) at a time, seconds since the epoch. line: of the file."""

    at: float
    zone: str
    people: float
    line: int = 0


class _Line(Struct, frozen=True):
    """What is read of a line of a truth file."""

    type: str = ""
    at: float = 0.0
    zone: str = ""
    people: float = 0.0


class Truth(Struct):
    """Counts in the order of time, how the times were read, and an account of the rows."""

    counts: list[Counted]
    times: str
    account: Account


def read(path: Path, columns: tuple[str, str, str], venue: Venue, local: tzinfo | None) -> Truth:
    """The counts of a file, of zones of `venue`, each zone and time once; where at one time all zones were counted and
    the venue was not, it is their sum. columns: time, zone, people of a CSV file. Raises TableInvalid.
    """
    header = _header(path)
    truth = _hand(path, columns, venue, local) if header is None else _file(path, header, venue)
    if not truth.counts:
        raise TableInvalid(
            f"{path}: none of {truth.account.rows} rows can be used: {dict(truth.account.dropped)}; zones of "
            f"{venue.id} are {', '.join([WHOLE, *venue.zones])}"
        )
    truth.counts = sorted([*truth.counts, *_sums(truth.counts, venue)])
    return truth


def _hand(path: Path, columns: tuple[str, str, str], venue: Venue, local: tzinfo | None) -> Truth:
    table = Table(path)
    when, where, many = (table.column(name) for name in columns)
    rows = list(table.rows())
    clock = Clock([cells[when] for _, cells in rows[:2000]], local)
    named, account = _naming(venue), table.account
    found: dict[tuple[float, str], Counted] = {}
    for line, cells in rows:
        time, zone, people = clock.read(cells[when]), named(cells[where]), table.number(cells[many])
        if time is None:
            account.drop("no readable time", line, cells[when])
        elif zone is None:
            account.drop("no zone of this venue", line, cells[where])
        elif people is None or not 0 <= people <= PEOPLE_MAX:
            empty = is_empty(cells[many])
            account.drop("no value" if empty else "not a number, below zero or over 10⁶", line, cells[many])
        elif (time[0], zone) in found:
            account.drop("this zone was counted at that time already", line, cells[where])
        else:
            found[time[0], zone] = Counted(time[0], zone, people, line)
    return Truth(list(found.values()), clock.format, account)


def _naming(venue: Venue) -> Callable[[str], str | None]:
    """The zone of a cell: its id or its name, whatever its case; `venue`, its id or its name for the whole."""
    known = {word.casefold(): WHOLE for word in (venue.name, venue.id, WHOLE) if word}
    known |= {zone.name.casefold(): name for name, zone in venue.zones.items() if zone.name}
    known |= {name.casefold(): name for name in venue.zones}
    return lambda cell: known.get(cell.strip().casefold())


def _header(path: Path) -> dict[str, Any] | None:
    """The header of a truth file; None for what is none. Raises TableInvalid for what cannot be opened."""
    try:
        with path.open("rb") as file:
            found = msgspec.json.decode(file.readline(LINE_MAX))
    except OSError as error:
        raise TableInvalid(f"{path}: {error.strerror or error}") from error
    except (msgspec.MsgspecError, ValueError):
        return None
    if not isinstance(found, dict) or "flowmon" not in found:
        return None
    if found["flowmon"] != "truth" or found.get("version") != 1:
        raise TableInvalid(f"{path}: this is a flowmon {found['flowmon']!r} file, not a truth file of version 1")
    return found


def _file(path: Path, header: dict[str, Any], venue: Venue) -> Truth:
    account, changes = Account(), []
    if header.get("venue") != venue.id:
        account.notes.append(f"the truth is of the venue {str(header.get('venue'))[:60]!r}, not of {venue.id!r}")
    decoder = msgspec.json.Decoder(_Line)
    with path.open("rb") as file:
        file.readline()
        for number, text in enumerate(file, 2):
            account.rows += 1
            try:
                line = decoder.decode(text)
            except (msgspec.MsgspecError, ValueError):
                account.drop("no line of a truth file", number, text[:60].decode(errors="replace"))
                continue
            if line.type != "occupied":
                continue
            if line.zone not in venue.zones or not 0 <= line.people <= PEOPLE_MAX or not 0 <= line.at < 1e11:
                account.drop("no zone of this venue, or no number of people", number, line.zone)
            else:
                changes.append(Counted(line.at, line.zone, line.people))
    account.notes.append("truth of a simulator, looked at each minute while anybody was inside")
    return Truth(list(_minutes(changes, venue)), "epoch", account)


def _minutes(changes: Iterable[Counted], venue: Venue) -> Iterable[Counted]:
    """All zones at each full minute at which anybody is inside."""
    inside, due = dict.fromkeys(venue.zones, 0.0), 0
    for change in sorted(changes):
        while due and due < change.at and any(inside.values()):
            yield from (Counted(float(due), zone, people) for zone, people in inside.items())
            due += EVERY_S
        due = max(due, int(change.at // EVERY_S + 1) * EVERY_S)
        inside[change.zone] = change.people


def _sums(counts: list[Counted], venue: Venue) -> list[Counted]:
    """The whole venue, where all its zones were counted at once."""
    at_once: dict[float, dict[str, float]] = {}
    for count in counts:
        at_once.setdefault(count.at, {})[count.zone] = count.people
    return [
        Counted(at, WHOLE, sum(zones.values()))
        for at, zones in at_once.items()
        if WHOLE not in zones and len(zones) == len(venue.zones)
    ]
