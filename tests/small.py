"""A venue of three zones in a row for tests: outside - hall - room - tower, and a queue in the hall."""

from collections.abc import Iterable

from flowmon.facts import Count, Fact, Tick
from flowmon.findings import EpisodeChanged, Finding, VenueState, ZoneState
from flowmon.monitor.core import Monitor
from flowmon.venue.model import Counter, Floor, Portal, Queue, Receiver, Rule, Venue, Zone

T0 = 1_777_730_400.0  # 2026-05-02 14:00:00 UTC
SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]


def venue(**changes: object) -> Venue:
    """The venue, with fields replaced."""
    fields: dict[str, object] = {
        "id": "small",
        "name": "Small",
        "timezone": "Europe/Paris",
        "floors": {"ground": Floor(outline=SQUARE)},
        "zones": {
            "hall": Zone(floor="ground", capacity=100, outline=SQUARE, profile="queue"),
            "room": Zone(floor="ground", capacity=20, outline=SQUARE),
            "tower": Zone(floor="ground", capacity=10, outline=SQUARE),
        },
        "portals": {
            "gate": Portal(between=("outside", "hall")),
            "door": Portal(between=("hall", "room")),
            "stairs": Portal(between=("room", "tower")),
        },
        "counters": {
            "ctr-gate": Counter(portal="gate", towards="hall"),
            "ctr-door": Counter(portal="door", towards="room"),
            "ctr-stairs": Counter(portal="stairs", towards="tower"),
        },
        "receivers": {
            "ble-hall": Receiver(zone="hall", at=(5.0, 5.0)),
            "ble-room": Receiver(zone="room", at=(5.0, 5.0)),
        },
        "queues": {"tickets": Queue(zone="hall", desks=2)},
        "rules": {
            "zone-full": Rule(watches="zone", severity="critical", above=1.0, clear=0.9, hold_s=5.0, clear_hold_s=5.0)
        },
    }
    return Venue(**(fields | changes))  # type: ignore[arg-type]


def cross(counter: str, at: float, seq: int, forward: int = 1, backward: int = 0) -> Count:
    """One event of a counter; `at` in seconds after T0."""
    return Count(at=T0 + at, source=counter, seq=seq, counter=counter, kind="event", forward=forward, backward=backward)


def tick(at: float) -> Tick:
    """The tick `at` seconds after T0."""
    return Tick(at=T0 + at, source="ticker", seq=int(T0 + at))


def ticks(start: int, stop: int) -> list[Fact]:
    """Ticks from `start` up to but without `stop`."""
    return [tick(float(second)) for second in range(start, stop)]


def run(monitor: Monitor, facts: Iterable[Fact]) -> list[Finding]:
    """All findings of some facts, one record each."""
    return [finding for fact in facts for finding in monitor.apply(fact)]


def zones(monitor: Monitor) -> dict[str, ZoneState]:
    """The current state of each zone."""
    return {f.zone: f for f in monitor.current() if isinstance(f, ZoneState)}


def total(monitor: Monitor) -> VenueState:
    """The current state of the venue."""
    return next(f for f in monitor.current() if isinstance(f, VenueState))


def episodes(findings: Iterable[Finding]) -> list[EpisodeChanged]:
    """The changes of episodes among findings."""
    return [f for f in findings if isinstance(f, EpisodeChanged)]
