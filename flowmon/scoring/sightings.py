"""Sightings with the true zone beside them, from a CSV file: cut into windows, and into a part to calibrate on.

A stream is one beacon in one run. A window of a stream holds, per receiver, the mean level heard, and the zone that
most of its rows name. Times are dates or epoch numbers, or plain seconds from any zero where numbers are small.
"""

import argparse
import fnmatch
import itertools
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from flowmon.errors import FlowmonError
from flowmon.recording.times import seconds
from flowmon.scoring.table import Account, Table, TableInvalid, is_empty, joined
from flowmon.scoring.times import Clock

SAMPLE = 2_000
LEAST_DBM, MOST_DBM = -127.0, 0.0  # 0 and above is what devices write when they heard nothing
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
NAMES_MAX = 2_000  # zones, receivers: more is a column mistaken for another
WINDOWS_MAX = 5_000_000


class Packet(Struct, frozen=True, gc=False):
    """One row: seconds, who, by whom, dBm; zone "" where the row names none."""

    at: float
    beacon: str
    receiver: str
    rssi: float
    zone: str
    run: str
    calibrates: bool


class Window(Struct):
    """levels: receiver -> mean dBm; zone: by most rows, "" for none; packets: as they came."""

    number: int
    levels: dict[str, float]
    zone: str
    packets: list[Packet]


Stream = dict[int, Window]


class Scored(Struct):
    """What was read. split: how calibration was told from the rest, in words. runs: of the scored rows."""

    packets: list[Packet]
    account: Account
    split: str
    times: str
    loo: bool = False


def arguments(parser: argparse.ArgumentParser) -> None:
    """The columns and the split."""
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="one row per packet: any CSV, gzip or plain")
    parser.add_argument("--time", required=True, action="append", metavar="COL", help="twice for date and hour")
    for name in ("beacon", "receiver", "rssi", "zone"):
        parser.add_argument(f"--{name}", required=True, metavar="COL")
    parser.add_argument("--run", metavar="COL", help="walks that do not touch; without --calibrate-on, each is scored "
                        "with the table of all others")  # fmt: skip
    parser.add_argument("--calibrate-on", default=None, metavar="COL=VALUE|first 30%",
                        help="rows that make the table and are not scored; VALUE may be a,b or hold * "
                        "(default: first 30%%, or see --run)")  # fmt: skip
    parser.add_argument(
        "--time-unit", choices=UNITS, default="s", help="of plain numbers that are no epoch (default: s)"
    )
    parser.add_argument("--window", type=window_of, default=1.0, metavar="1s", help="of one estimate (default: 1s)")


def window_of(text: str) -> float:
    """0.1 to 60 seconds. Raises argparse's error with what is wrong."""
    try:
        value = seconds(text.strip().removesuffix("ms")) / (1000 if text.strip().endswith("ms") else 1)
    except FlowmonError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not 0.1 <= value <= 60.0:
        raise argparse.ArgumentTypeError(f"{text!r}: a window has 0.1 s to 60 s, like 1s or 500ms")
    return value


def read(args: argparse.Namespace) -> Scored:
    """All rows that can be used, ordered by time within each run. Raises TableInvalid, FlowmonError."""
    table = Table(args.file)
    times = [table.column(name) for name in args.time]
    beacon, receiver, rssi, zone = (table.column(getattr(args, n)) for n in ("beacon", "receiver", "rssi", "zone"))
    run = table.column(args.run) if args.run else None
    column, patterns, share = _split_of(args.calibrate_on, table)
    rows = table.rows()
    sample = list(itertools.islice(rows, SAMPLE))
    clock = _Times([joined(cells, times) for _, cells in sample], table, UNITS[args.time_unit])
    packets, account = [], table.account
    for line, cells in itertools.chain(sample, rows):
        at, level = clock.read(joined(cells, times)), table.number(cells[rssi])
        names = cells[beacon].strip(), cells[receiver].strip()
        if at is None:
            account.drop("no time", line, joined(cells, times))
        elif not all(names):
            account.drop("no beacon or receiver", line, " ".join(cells))
        elif level is None or not LEAST_DBM <= level < MOST_DBM:
            account.drop("no level of -127 to -1 dBm", line, cells[rssi])
        else:
            where = "" if is_empty(cells[zone]) else cells[zone].strip()
            part = cells[run].strip() if run is not None else ""
            chosen = column is not None and any(fnmatch.fnmatchcase(cells[column].strip(), p) for p in patterns)
            packets.append(Packet(at, *names, level, where, part, chosen))
    packets = _distinct(packets, account)
    _plausible(packets, args)
    account.used = len(packets)
    scored = Scored(packets, account, "", clock.format)
    return _declared(scored, args, share)


def streams(packets: Iterable[Packet], window_s: float) -> dict[tuple[str, str], Stream]:
    """(run, beacon) -> window number -> window, in order of time. Raises FlowmonError when there are too many."""
    found: dict[tuple[str, str], Stream] = {}
    for packet in packets:
        stream = found.setdefault((packet.run, packet.beacon), {})
        number = int(packet.at // window_s)
        stream.setdefault(number, Window(number, {}, "", [])).packets.append(packet)
    if sum(map(len, found.values())) > WINDOWS_MAX:
        raise FlowmonError("more than five million windows: give a longer --window, or cut the file")
    for window in (window for stream in found.values() for window in stream.values()):
        heard: dict[str, list[float]] = {}
        for packet in window.packets:
            heard.setdefault(packet.receiver, []).append(packet.rssi)
        window.levels = {receiver: sum(levels) / len(levels) for receiver, levels in heard.items()}
        zones = Counter(packet.zone for packet in window.packets if packet.zone)
        window.zone = zones.most_common(1)[0][0] if zones else ""
    return found


class _Times:
    """Dates and epochs by Clock; small numbers are seconds (times `unit`) from some zero."""

    def __init__(self, sample: list[str], table: Table, unit: float) -> None:
        self._unit = unit
        numbers = [n * unit for n in map(table.number, sample) if n is not None]
        self._plain = len(numbers) > 0.9 * len(sample) and bool(numbers) and max(map(abs, numbers)) <= 1e8
        self._number = table.number
        self._clock = Clock(sample, None)
        self.format = "seconds from some zero" if self._plain else self._clock.format

    def read(self, text: str) -> float | None:
        if self._plain:
            value = self._number(text)
            return value * self._unit if value is not None and abs(value * self._unit) <= 1e8 else None
        told = self._clock.read(text)
        return told[0] if told else None


def _split_of(text: str | None, table: Table) -> tuple[int | None, list[str], float | None]:
    """(column, patterns of its values, leading share) of --calibrate-on."""
    if text is None:
        return None, [], None
    if found := re.fullmatch(r"\s*first\s+(\d+(?:\.\d+)?)\s*%\s*", text):
        share = float(found[1]) / 100
        if not 0.01 <= share <= 0.9:
            raise FlowmonError(f"--calibrate-on {text!r}: 1 to 90 % can be calibrated on")
        return None, [], share
    name, is_sign, values = text.partition("=")
    if not is_sign:
        raise FlowmonError(f"--calibrate-on {text!r}: write COL=VALUE, or first 30%")
    return table.column(name), [value.strip() for value in values.split(",")], None


def _distinct(packets: list[Packet], account: Account) -> list[Packet]:
    """In order of run and time, each packet once."""
    packets.sort(key=lambda p: (p.run, p.at))
    kept = list(dict.fromkeys((p.run, p.at, p.beacon, p.receiver, p.rssi, p.zone, p.calibrates) for p in packets))
    if len(kept) < len(packets):
        account.dropped["told twice"] += len(packets) - len(kept)
    return [Packet(at, beacon, rx, rssi, zone, run, mark) for run, at, beacon, rx, rssi, zone, mark in kept]


def _plausible(packets: list[Packet], args: argparse.Namespace) -> None:
    if not packets:
        raise TableInvalid(f"{args.file}: no row could be used: check --time, --rssi and the other columns")
    for name in ("zone", "receiver"):
        count = len({getattr(packet, name) for packet in packets} - {""})
        if count > NAMES_MAX:
            raise TableInvalid(
                f"{args.file}: column {getattr(args, name)!r} has {count:,} different values: is it --{name}?"
            )
    if len({packet.zone for packet in packets} - {""}) < 2:
        raise TableInvalid(
            f"{args.file}: column {args.zone!r} names fewer than two zones: there is nothing to tell apart"
        )


def _declared(scored: Scored, args: argparse.Namespace, share: float | None) -> Scored:
    """Mark what is calibrated on, and say how."""
    packets = scored.packets
    if args.calibrate_on is None and args.run:
        if len({packet.run for packet in packets}) < 2:
            raise FlowmonError(f'column {args.run!r} has one run only: give --calibrate-on "first 30%"')
        scored.loo, scored.split = True, f"leave one {args.run} out: each is scored with the table of all others"
        return scored
    if args.calibrate_on is None or share is not None:
        share = share or 0.3
        ordered = sorted(packets, key=lambda packet: packet.at)
        last = ordered[min(len(ordered) - 1, int(share * len(ordered)))].at
        scored.packets = [_marked(packet, packet.at < last) for packet in packets]
        scored.split = f"the first {100 * share:g} % of the rows in order of time"
    else:
        scored.split = f"rows with {args.calibrate_on}"
    marks = Counter(packet.calibrates for packet in scored.packets)
    if not marks[True] or not marks[False]:
        raise FlowmonError(
            f"calibrated on {scored.split}: {marks[True]:,} rows, which leaves {marks[False]:,} to score"
        )
    return scored


def _marked(packet: Packet, calibrates: bool) -> Packet:
    return Packet(packet.at, packet.beacon, packet.receiver, packet.rssi, packet.zone, packet.run, calibrates)
