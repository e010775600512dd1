"""A week of five counters with every fault of the list, and what they sent: credited must be sent, exactly.

`python -m tests.properties.week --seeds 1000` runs that many weeks and prints how many were right.

Devices: windows of five minutes; a register that wraps at 2^16; one that wraps at 2^32; a camera whose two directions
are two lines; single events with a number. Faults of a device's clock, one a week at most: a missing zone, the hour of
a clock change, standing still, waking up in 1970, 1975 or 2000, years ahead, milliseconds for seconds, drift.
Faults on the way: repetitions (prompt, and minutes later), reports in the wrong order, outages with a queue, outages
with a memory that is told as history, outages in which a register's reports are lost, a range of time sent again
days later, retained copies. Faults of registers: restart, wrap, set up and down, replaced. And the monitor restarts.

Not drawn, because nobody could tell: a register that restarts after people whom no report told of; reports of a
standing clock that come in a burst, or are repeated later than half a period; a clock that stands for fewer than four
reports; a set value that the door could have counted; a restart of a register that was about to wrap, or that is past
its old value when it is heard next.
"""

import argparse
import itertools
import random
import sys
from collections.abc import Iterator
from typing import TypeGuard

import msgspec
from msgspec import Struct, field

from flowmon.facts import Count, CountKind, DeviceStatus, Fact, Tick
from flowmon.findings import Finding, Flow
from flowmon.monitor.core import Monitor
from flowmon.venue.model import Counter, Floor, Portal, Venue, Zone

T0 = 1_793_000_000.0  # October 2026
HOUR, DAY, PERIOD = 3_600.0, 86_400.0, 300.0
DAYS = 7
DEVICES = ("windows", "short", "long", "camera", "events")
SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
CLOCKS = ("right", "right", "zone", "fold", "spring", "stands", "epoch", "ahead", "milliseconds", "drift")


def venue() -> Venue:
    """Five rooms in a row, a counter between each two."""
    rooms = [f"room-{n}" for n in range(len(DEVICES))]
    ways = zip(["outside", *rooms], rooms, strict=False)
    credit = {"windows": "window", "events": "event"}
    return Venue(
        id="week",
        name="Week",
        timezone="Europe/Paris",
        floors={"ground": Floor(outline=SQUARE)},
        zones={room: Zone(floor="ground", capacity=100, outline=SQUARE) for room in rooms},
        portals={name: Portal(between=way) for name, way in zip(DEVICES, ways, strict=True)},
        counters={
            name: Counter(
                portal=name,
                towards=room,
                credit=credit.get(name, "cumulative"),  # type: ignore[arg-type]
                line="Scenario1" if name == "camera" else "1",
                backward_line="Scenario2" if name == "camera" else "",
            )
            for name, room in zip(DEVICES, rooms, strict=True)
        },
    )


class Report(Struct):
    """One message of a device: when it was made, and what it says but for its stamps. firm: never overtaken."""

    made: float
    counts: list[Count] | list[DeviceStatus]
    stamp: float = 0.0
    standing: bool = False
    firm: bool = False
    lost: bool = False


class Week(Struct):
    """What one device did: its reports in order, what it counted, what arrives when (with statuses)."""

    name: str
    dice: random.Random
    reports: list[Report] = field(default_factory=list)
    sent: list[int] = field(default_factory=lambda: [0, 0])
    arrivals: list[tuple[float, Fact]] = field(default_factory=list)
    clock: str = "right"
    quiet: tuple[float, float] = (0.0, 0.0)


def crossings(dice: random.Random, hour: float) -> tuple[int, int]:
    """People in five minutes at an hour of the day; nobody at night."""
    if not 9 <= hour < 18:
        return 0, 0
    return tuple(max(0, round(dice.gauss(mean, 2))) for mean in (3, 3))  # type: ignore[return-value]


def device(name: str, dice: random.Random) -> Week:
    """A device's week."""
    week = Week(name, dice, clock=dice.choice(CLOCKS))
    week.quiet = _fault_hours(dice)
    if name == "events":
        _events(week)
    elif name == "windows":
        _windows(week)
    else:
        _registers(week)
    _stamp(week)
    _deliver(week)
    return week


def _fault_hours(dice: random.Random) -> tuple[float, float]:
    """When the clock's fault begins and ends: two to ten hours within the opening hours of a day."""
    start = T0 + dice.randrange(1, DAYS - 1) * DAY + dice.uniform(9, 12) * HOUR
    return start, start + dice.uniform(2, 6) * HOUR


def _windows(week: Week) -> None:
    for made in _periods():
        forward, backward = crossings(week.dice, _hour(made))
        week.sent[0] += forward
        week.sent[1] += backward
        week.reports.append(Report(made, [_count(week.name, "window", forward, backward)]))


def _events(week: Week) -> None:
    number = 0
    for made in _periods():
        for _ in range(week.dice.randrange(4) if 9 <= _hour(made) < 18 else 0):
            number += 1
            way = week.dice.random() < 0.5
            week.sent[not way] += 1
            at = made - week.dice.uniform(0, PERIOD)
            week.reports.append(Report(at, [_count(week.name, "event", int(way), int(not way), seq=number)]))
    week.reports.sort(key=lambda report: report.made)
    for number, report in enumerate(week.reports):
        report.counts = [msgspec.structs.replace(count, seq=number) for count in report.counts if _is_count(count)]


def _registers(week: Week) -> None:
    """Two registers of one box; what happens to one of them happens right after a report, before anybody passes."""
    dice = week.dice
    top = {"short": 1 << 16, "long": 1 << 32}.get(week.name, 1 << 53)
    values = [top - dice.randrange(1, 2_000) if top < 1 << 40 else dice.randrange(10_000) for _ in range(2)]
    for made in _periods():
        gained = crossings(dice, _hour(made))
        values = [(value + people) % top for value, people in zip(values, gained, strict=True)]
        week.sent = [total + people for total, people in zip(week.sent, gained, strict=True)]
        week.reports.append(Report(made, _reading(week.name, values)))
        fault = dice.random()
        if fault < 0.002 and min(values) > 200 and max(values) < top - 1_000:
            values = [0, 0] if dice.random() < 0.5 else [0, values[1]]
        elif fault < 0.004 and week.name != "short":
            values[dice.randrange(2)] = dice.randrange(100_000, 2_000_000)
            week.reports.append(Report(made + 20.0, _reading(week.name, values), firm=True))
        elif fault < 0.005:
            week.reports[-1].firm = True
            week.reports.append(Report(made + 10.0, [_replaced(week, made)], firm=True))
            values = [dice.randrange(5_000), dice.randrange(5_000)]
            week.reports.append(Report(made + 20.0, _reading(week.name, values), firm=True))


def _replaced(week: Week, made: float) -> DeviceStatus:
    return DeviceStatus(at=made, source=week.name, health="online", replaced=True)


def _reading(name: str, values: list[int]) -> list[Count]:
    if name == "camera":
        return [
            _count(name, "cumulative", value, 0, line=line)
            for value, line in zip(values, ("Scenario1", "Scenario2"), strict=True)
        ]
    return [_count(name, "cumulative", *values)]


def _count(name: str, kind: CountKind, forward: int, backward: int, *, line: str = "1", seq: int = -1) -> Count:
    return Count(
        at=0.0,
        source=name,
        counter=name,
        kind=kind,
        line=line,
        forward=forward,
        backward=backward,
        seq=seq,
    )


def _periods() -> Iterator[float]:
    """The ends of all periods of the week."""
    return (T0 + n * PERIOD for n in range(1, int(DAYS * DAY / PERIOD)))


def _hour(at: float) -> float:
    return (at - T0) % DAY / HOUR


def _stamp(week: Week) -> None:
    """What the device's clock said when each report was made."""
    start, end = week.quiet
    dice = week.dice
    shift = dice.choice([-7_200.0, -3_600.0, 3_600.0, 7_200.0, 1_800.0, 19_800.0])
    epoch = dice.choice([0.0, 157_766_400.0, 946_684_800.0])
    drift = dice.choice([-2e-4, 2e-4])
    stood = 0.0
    for report in week.reports:
        at = report.made
        during = start <= at < end
        match week.clock:
            case "zone":
                report.stamp = at - shift
            case "fold":
                report.stamp = at - (HOUR if at >= start else 0.0)
            case "spring":
                report.stamp = at + (HOUR if at >= start else 0.0)
            case "stands" if during:
                stood = stood or at
                report.stamp, report.standing = stood, True
            case "epoch" if during:
                report.stamp = epoch + 2_040.0 + at - start
            case "ahead" if during:
                report.stamp = 4_070_908_800.0 + at - start
            case "milliseconds" if during:
                report.stamp = at * 1_000.0
            case "drift":
                report.stamp = at + drift * (at - T0)
            case _:
                report.stamp = at


def _is_count(fact: Count | DeviceStatus) -> TypeGuard[Count]:
    return isinstance(fact, Count)


def _fact(count: Count | DeviceStatus, report: Report, seen: float, *, historical: bool = False) -> Fact:
    """A count as it goes out."""
    if isinstance(count, DeviceStatus):
        return msgspec.structs.replace(count, seen=seen)
    stamp = round(report.stamp, 3)
    start = end = 0.0
    if count.kind == "window":
        start, end = stamp - PERIOD, stamp
    return msgspec.structs.replace(count, at=stamp, seen=seen, start=start, end=end, historical=historical)


def _deliver(week: Week) -> None:
    """Every report reaches the gateway once at least; see the head of this file for what else happens."""
    dice = week.dice
    outages = _outages(week)
    back = [end + 1.0 for _, end, _ in outages]  # when the queue has been told
    for report in week.reports:
        n = next((n for n, (start, end, _) in enumerate(outages) if start <= report.made < end), None)
        seen = max(report.made + dice.uniform(0.05, 2.0), *(told for told in back if told < report.made + 30.0), 0.0)
        historical = False
        if n is not None:
            what = outages[n][2]
            back[n] += dice.uniform(0.001, 0.02)
            seen, historical = back[n], what == "memory"
            if what == "lost":
                report.lost = True
                continue
        elif not (report.standing or report.firm) and dice.random() < 0.01 and week.name != "events":
            seen += PERIOD + dice.uniform(1, 5)  # the next one overtakes it
        _arrive(week, report, seen, historical=historical)
        if dice.random() < 0.05:
            _arrive(week, report, seen + dice.uniform(0.05, 20.0), historical=historical)
        if report.firm:
            continue
        if not report.standing and dice.random() < 0.02:
            _arrive(week, report, seen + dice.uniform(60.0, 2_900.0))
        if not report.standing and dice.random() < 0.01:
            _arrive(week, report, seen + dice.uniform(1.0, 600.0), historical=True)  # retained, at a reconnect
    for _ in range(dice.randrange(3)):
        _again(week)


def _arrive(week: Week, report: Report, seen: float, *, historical: bool = False) -> None:
    week.arrivals += [(seen, _fact(count, report, seen, historical=historical)) for count in report.counts]


def _outages(week: Week) -> list[tuple[float, float, str]]:
    """From, until, and what becomes of the reports."""
    dice = week.dice
    found: list[tuple[float, float, str]] = []
    for _ in range(dice.randrange(4)):
        start = T0 + dice.uniform(1.0, DAYS - 1.0) * DAY
        end = start + dice.uniform(0.2, 5.0) * HOUR
        near = week.quiet[0] - 2 * HOUR < end and start < week.quiet[1] + 2 * HOUR
        if near and week.clock not in {"right", "zone", "drift"}:
            continue
        if any(begun < end + HOUR and start < over + HOUR for begun, over, _ in found):
            continue
        what = dice.choice(["queue", "memory", "lost"])
        if week.name in {"windows", "events"}:
            what = dice.choice(["queue", "memory"])
        elif what == "lost" and not _steady(week, start, end):
            what = "queue"
        found.append((start, end, what))
    return found


def _steady(week: Week, start: float, end: float) -> bool:
    """Whether the registers only grew between the reports around an outage."""
    within = [r for r in week.reports if start - 2 * PERIOD <= r.made <= end + 2 * PERIOD]
    if any(report.firm for report in within):
        return False
    readings = [[(c.forward, c.backward) for c in report.counts if isinstance(c, Count)] for report in within]
    return all(
        before <= after <= before + 1_000
        for one, other in itertools.pairwise(readings)
        for pair, next_pair in zip(one, other, strict=True)
        for before, after in zip(pair, next_pair, strict=True)
    )


def _again(week: Week) -> None:
    """A range of time is sent again, hours to days later, in a burst."""
    dice = week.dice
    start = T0 + dice.uniform(0.0, DAYS - 2.0) * DAY
    end = start + dice.uniform(0.5, 20.0) * HOUR
    seen = min(end + dice.uniform(2.0, 96.0) * HOUR, T0 + DAYS * DAY)
    historical = dice.random() < 0.5
    for report in week.reports:
        if start <= report.made < end and not report.lost and not isinstance(report.counts[0], DeviceStatus):
            seen += dice.uniform(0.01, 0.05)
            _arrive(week, report, seen, historical=historical)


def run(seed: int) -> list[str]:
    """One week; what was not credited as sent, in words. Empty when all was."""
    dice = random.Random(seed)
    weeks = [device(name, dice) for name in DEVICES]
    facts: list[tuple[float, int, Fact]] = [(seen, 0, fact) for week in weeks for seen, fact in week.arrivals]
    end = T0 + (DAYS + 1) * DAY
    at = T0 - 10.0
    while at < end:
        facts.append((at, 1, Tick(at=at, source="ticker", seq=int(at))))
        at += 240.0 if 8.5 <= _hour(at) < 18.5 else 1_800.0  # fewer than in life: what is tested does not ask for more
    facts.sort(key=lambda entry: (entry[0], entry[1]))
    plan = venue()
    monitor = Monitor(plan)
    restarts = {dice.randrange(len(facts)) for _ in range(2)}
    credited = {name: [0, 0] for name in DEVICES}
    record: list[Fact] = []
    for n, (_, is_tick, fact) in enumerate(facts):
        record.append(fact)
        if is_tick or n in restarts:
            _book(credited, plan, monitor.apply_record(record))
            record = []
        if n in restarts:
            monitor = Monitor.restore(plan, monitor.snapshot())
    return [
        f"seed {seed}, {week.name} ({week.clock}): sent {week.sent}, credited {credited[week.name]}"
        for week in weeks
        if credited[week.name] != week.sent
    ]


def _book(credited: dict[str, list[int]], plan: Venue, findings: list[Finding]) -> None:
    """Flows, those in time and those told late, per portal (one counter each) and direction."""
    for finding in findings:
        if isinstance(finding, Flow):
            credited[finding.portal][finding.destination != plan.counters[finding.portal].towards] += finding.people


def main() -> int:
    """Run many weeks, with a bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    wrong = 0
    for n in range(args.seeds):
        for line in (found := run(args.first + n)):
            print(f"\r{line}")
        wrong += bool(found)
        bar = "#" * round(30 * (n + 1) / args.seeds)
        print(f"\r[{bar:<30}] {n + 1}/{args.seeds} weeks, {wrong} wrong", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"{args.seeds - wrong} of {args.seeds} weeks: credited = sent, exactly")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
