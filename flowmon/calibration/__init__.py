"""`flowmon calibrate VENUE.toml SIGHTINGS --walk "foyer 10:02-10:04, hall 10:04-10:07"`: a venue's radio, measured.

Carry one beacon through the rooms, two minutes each, through all of the room and not only its middle, and note when.
Of each room and receiver the table keeps the median level, its spread (MAD × 1.4826) and the share of silent seconds
(`flowmon.estimators.fingerprints`). It is written as JSON beside the venue file, which names it in `[radio]`.

How well rooms can be told apart is measured, too: seconds of one half of the walk (blocks of ten seconds, every other
one) are placed with the table of the other half, each second alone. Live, seconds add up and walls count, so that
rooms are told better than that; pairs that are mixed up in more than one second in six are named.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.calibration.heard import read
from flowmon.calibration.walk import Stretch, parse
from flowmon.errors import FlowmonError
from flowmon.estimators.fingerprints import Fingerprints, Likelihood, fingerprint
from flowmon.facts import Sighting
from flowmon.recording.times import zone_of
from flowmon.scoring.report import grid
from flowmon.venue import calibration
from flowmon.venue.model import Heard, Venue
from flowmon.venue.parse import load

Array = NDArray[np.float64]

LEAST_DBM, MOST_DBM = -127.0, 20.0
FEW_SECONDS = 30  # in which anybody heard the beacon: fewer are no walk
BLOCK_S = 10
MIXED = 1 / 6
SHOWN = 3
FOLLOWS, STRAYS = 0.7, 0.5


class Walked(Struct):
    """levels (seconds, receivers) dBm, NaN silent; zone and second of each row."""

    levels: Array
    zone: list[str]
    second: list[int]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Venue, sightings, walk."""
    parser.add_argument("venue", type=Path, metavar="VENUE.toml", help="the venue file")
    parser.add_argument("sightings", type=Path, metavar="SIGHTINGS", help="raw sightings, JSON lines or CSV")
    parser.add_argument("--walk", required=True, metavar='"foyer 10:02-10:04, …"', help="rooms and when, local time")
    parser.add_argument("--date", metavar="YYYY-MM-DD", help="day of the walk (default: of the first sighting)")
    parser.add_argument("--beacon", action="append", metavar="TOKEN", help="the beacon that was carried, where several "
                        "were about; may be repeated")  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: VENUE.calibration.json beside the venue file"
    )


def run(args: argparse.Namespace) -> int:
    """Measure, write, print."""
    venue = load(args.venue)
    if not venue.receivers:
        raise FlowmonError(f"{args.venue} has no receivers: there is nothing to calibrate")
    sightings, account = read(args.sightings)
    zone = zone_of(venue.timezone)
    stretches = parse(args.walk, venue, day=_day(args.date, sightings), zone=zone)
    heard = {device: n for n, device in enumerate(r.device or name for name, r in venue.receivers.items())}
    beacons = set(args.beacon or [_carried(venue, sightings, stretches)])
    walked = _walked(sightings, stretches, beacons, heard)
    walked = _enough(venue, walked, stretches)
    table = _table(venue, walked)
    date = datetime.fromtimestamp(stretches[0].start, zone).date().isoformat()
    seconds = {name: float(walked.zone.count(name)) for name in dict.fromkeys(walked.zone)}
    out = args.out or args.venue.with_suffix(".calibration.json")
    try:
        out.write_bytes(calibration.encode(calibration.made(venue, date, seconds, table)))
    except OSError as error:
        raise FlowmonError(f"{out}: {error.strerror}: name a file that can be written with --out") from error
    sys.stdout.write(_report(venue, walked, table, out))
    if account.dropped:
        sys.stdout.write(f"\n{sum(account.dropped.values()):,} lines of {args.sightings} held no sighting.\n")
    return 0


def _day(date: str | None, sightings: Sequence[Sighting]) -> float:
    if date is None:
        return sightings[0].seen or sightings[0].at
    try:
        return datetime.fromisoformat(f"{date}T12:00:00+00:00").timestamp()
    except ValueError as error:
        raise FlowmonError(f"--date {date!r} is no day: write it like 2026-11-24") from error


def _carried(venue: Venue, sightings: Sequence[Sighting], stretches: Sequence[Stretch]) -> str:
    """The beacon that went where the walk went. Raises FlowmonError with the candidates when that is not plain."""
    home = {receiver.device or name: receiver.zone for name, receiver in venue.receivers.items()}
    covered = [n for n, stretch in enumerate(stretches) if stretch.zone in home.values()]
    loudest: dict[str, dict[int, tuple[float, str]]] = {}
    for sighting in sightings:
        at = sighting.seen or sighting.at
        place = next((n for n, s in enumerate(stretches) if s.start <= at < s.until), None)
        if place is not None and sighting.receiver in home:
            best = loudest.setdefault(sighting.beacon, {})
            best[place] = max(best.get(place, (-999.0, "")), (sighting.rssi_dbm, home[sighting.receiver]))
    if len(loudest) == 1:
        return next(iter(loudest))
    if not loudest:
        raise FlowmonError("no receiver of the venue file heard a beacon during the walk: check times, day and zone")
    follows = {
        beacon: sum(best.get(n, (0.0, ""))[1] == stretches[n].zone for n in covered) / max(1, len(covered))
        for beacon, best in loudest.items()
    }
    ranked = sorted(follows, key=lambda beacon: (-follows[beacon], beacon))
    if follows[ranked[0]] >= FOLLOWS and follows[ranked[1]] <= STRAYS:
        return ranked[0]
    shown = ", ".join(f"{beacon} ({100 * follows[beacon]:.0f} %)" for beacon in ranked[:5])
    raise FlowmonError(f"{len(ranked)} beacons were heard; give --beacon. Those that follow the walk best: {shown}")


def _walked(
    sightings: Sequence[Sighting], stretches: Sequence[Stretch], beacons: set[str], receivers: dict[str, int]
) -> Walked:
    """Seconds in which anybody heard a carried beacon."""
    cells: dict[tuple[int, str], tuple[str, dict[int, list[float]]]] = {}
    for sighting in sightings:
        column = receivers.get(sighting.receiver)
        if column is None or sighting.beacon not in beacons or not LEAST_DBM <= sighting.rssi_dbm <= MOST_DBM:
            continue
        at = sighting.seen or sighting.at
        place = next((s for s in stretches if s.start <= at < s.until), None)
        if place is not None:
            _, heard = cells.setdefault((int(at), sighting.beacon), (place.zone, {}))
            heard.setdefault(column, []).append(sighting.rssi_dbm)
    zones = [zone for zone, _ in cells.values()]
    levels = np.full((len(cells), len(receivers)), np.nan)
    for row, (_, heard) in enumerate(cells.values()):
        for column, values in heard.items():
            levels[row, column] = sum(values) / len(values)
    return Walked(levels, zones, [second for second, _ in cells])


def _enough(venue: Venue, walked: Walked, stretches: Sequence[Stretch]) -> Walked:
    """Without rooms that hardly any receiver reaches. Raises FlowmonError when a room has a receiver and too few
    seconds all the same, or nothing is left."""
    count = {stretch.zone: walked.zone.count(stretch.zone) for stretch in stretches}
    few = {zone: seconds for zone, seconds in count.items() if seconds < FEW_SECONDS}
    homes = {receiver.zone for receiver in venue.receivers.values()}
    if len(few) == len(count) or homes & set(few):
        told = ", ".join(f"{zone} ({seconds} s)" for zone, seconds in few.items())
        raise FlowmonError(f"the beacon was heard for less than {FEW_SECONDS} s in {told}: check times, or walk again")
    keep = [n for n, zone in enumerate(walked.zone) if zone not in few]
    return Walked(walked.levels[keep], [walked.zone[n] for n in keep], [walked.second[n] for n in keep])


def _fingerprints(walked: Walked, zones: Sequence[str], rows: NDArray[np.bool_]) -> Fingerprints:
    here = np.array(walked.zone)
    cells = []
    for zone in zones:
        seen = walked.levels[(here == zone) & rows]
        cells.append([fingerprint(own[~np.isnan(own)].tolist(), len(seen)) for own in seen.T])
    table = np.array(cells)
    return Fingerprints(table[:, :, 0], table[:, :, 1], table[:, :, 2])


def _table(venue: Venue, walked: Walked) -> list[Heard]:
    """A row per walked room and receiver."""
    zones = [zone for zone in venue.zones if zone in walked.zone]
    found = _fingerprints(walked, zones, np.ones(len(walked.zone), dtype=bool))
    return [
        Heard(zone, name, float(found.median[n, m]), float(found.spread[n, m]), float(found.silent[n, m]))
        for n, zone in enumerate(zones)
        for m, name in enumerate(venue.receivers)
    ]


def _told_apart(walked: Walked, zones: Sequence[str]) -> Array:
    """(zones, zones): share of single seconds of each (row) that the other half's table takes for each."""
    half = (np.array(walked.second) // BLOCK_S) % 2 == 0
    place = np.array([zones.index(zone) for zone in walked.zone])
    counts = np.zeros((len(zones), len(zones)))
    for part in (half, ~half):
        said = Likelihood(_fingerprints(walked, zones, ~part))(walked.levels[part]).argmax(axis=1)
        np.add.at(counts, (place[part], said), 1.0)
    result: Array = counts / np.maximum(1.0, counts.sum(axis=1, keepdims=True))
    return result


def _report(venue: Venue, walked: Walked, table: list[Heard], out: Path) -> str:
    """The table for people."""
    zones = list(dict.fromkeys(row.zone for row in table))
    apart = _told_apart(walked, zones)
    rows = []
    for n, zone in enumerate(zones):
        heard = sorted((row for row in table if row.zone == zone), key=lambda row: (row.silent, -row.median_dbm))
        shown = [f"{r.receiver} {r.median_dbm:.0f} ± {r.spread_db:.0f} dB, {100 * (1 - r.silent):.0f} %" for r in heard]
        rows.append([zone, str(walked.zone.count(zone)), f"{100 * apart[n, n]:.0f} %", "; ".join(shown[:SHOWN])])
    header = ["room", "seconds", "told alone", "loudest receivers (dBm, spread, heard)"]
    mixed = [
        f"- {zone} is taken for {other} in {100 * apart[n, m]:.0f} % of its seconds"
        for n, zone in enumerate(zones)
        for m, other in enumerate(zones)
        if n != m and apart[n, m] > MIXED
    ]
    parts = [grid(header, rows)]
    if mixed:
        parts.append(
            "Hard to tell apart (another receiver, or one moved away from the wall, helps):\n" + "\n".join(mixed) + "\n"
        )
    if missing := ", ".join(zone for zone in venue.zones if zone not in zones):
        parts.append(
            f"Not walked, or out of reach of every receiver: {missing}. The plan's distances must do for them.\n"
        )
    parts.append(f'Written to {out}. Name it in the venue file:\n\n[radio]\ncalibration = "{out.name}"\n')
    return "\n".join(parts)
