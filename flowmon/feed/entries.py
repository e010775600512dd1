"""Findings as screens get them: which channel, which key, which fields.

Times are milliseconds since the epoch; waits and ages are seconds; people are rounded to two decimals, so that
noise below what anybody can see moves no bytes. None is unknown. `sim` is true on whatever is simulated.
"""

from msgspec import Struct

from flowmon.feed.messages import Fields, Where
from flowmon.findings import (
    Correction,
    DeviceState,
    EpisodeChanged,
    Explained,
    Finding,
    Forecast,
    QueueState,
    Rejected,
    VenueState,
    ZoneState,
)
from flowmon.venue.model import Venue

_MS_MAX = 2.0**53  # what a browser's number still holds exactly


class Entry(Struct, frozen=True, gc=False):
    """A finding for a channel. ids and floors: what a `where` may name it by; no floor means every floor."""

    channel: str
    key: str
    fields: Fields
    ids: tuple[str, ...] = ()
    floors: tuple[str, ...] = ()

    def passes(self, where: Where) -> bool:
        """Whether `where` asks for it."""
        return passes(where, self.ids, self.floors)


def passes(where: Where, ids: tuple[str, ...], floors: tuple[str, ...]) -> bool:
    """Whether something called `ids` on `floors` is asked for by `where`."""
    if where.id and not any(name in where.id for name in ids):
        return False
    return not (where.floor and floors) or any(floor in where.floor for floor in floors)


def ms(at: float) -> int:
    """Seconds since the epoch to milliseconds, whatever the number is."""
    return int(max(min(at * 1000.0, _MS_MAX), -_MS_MAX)) if at == at else 0  # noqa: PLR0124 -- NaN


def _ms(at: float | None) -> int | None:
    return None if at is None else ms(at)


def _round(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)


class Floors:
    """On which floors the things of a venue are."""

    def __init__(self, venue: Venue) -> None:
        self.zones: dict[str, tuple[str, ...]] = {zone: (found.floor,) for zone, found in venue.zones.items()}
        self.queues = {queue: self.zones.get(found.zone, ()) for queue, found in venue.queues.items()}
        self.devices = {device: self.zones.get(found.zone, ()) for device, found in venue.receivers.items()}
        for device, counter in venue.counters.items():
            portal = venue.portals.get(counter.portal)
            between = portal.between if portal else ()
            self.devices[device] = tuple(dict.fromkeys(floor for z in between for floor in self.zones.get(z, ())))

    def of(self, subject: str) -> tuple[str, ...]:
        """The floors of a zone, queue or device; none for the venue itself and for what is not known."""
        return self.zones.get(subject) or self.queues.get(subject) or self.devices.get(subject) or ()


def entry(finding: Finding, venue: str, floors: Floors) -> Entry | None:
    """What screens get of a finding; None for what no channel carries (flows, dwells)."""
    made = _entry(finding, venue, floors)
    if made is not None and finding.simulated:
        made.fields["sim"] = True
    return made


def _entry(finding: Finding, venue: str, floors: Floors) -> Entry | None:
    match finding:
        case ZoneState():
            return Entry("zones", finding.zone, _zone(finding), (finding.zone,), floors.of(finding.zone))
        case VenueState():
            return Entry("kpi", "venue", _venue(finding), ("venue",))
        case QueueState():
            return Entry("queues", finding.queue, _queue(finding), (finding.queue,), floors.of(finding.queue))
        case DeviceState():
            return Entry("sensors", finding.device, _device(finding), (finding.device,), floors.of(finding.device))
        case Forecast():
            key = f"{finding.zone}/{finding.horizon_s:g}"
            return Entry("forecast", key, _forecast(finding), (finding.zone, key), floors.of(finding.zone))
        case Explained():
            return Entry("why", finding.zone, _why(finding), (finding.zone,), floors.of(finding.zone))
        case EpisodeChanged():
            ids = (finding.subject, finding.episode, finding.rule)
            return Entry("alerts", finding.episode, _alert(finding, venue), ids, floors.of(finding.subject))
        case Correction():
            return Entry("audit", finding.zone, _correction(finding), (finding.zone,), floors.of(finding.zone))
        case Rejected():
            return Entry("audit", finding.source, _rejected(finding), (finding.source,), floors.of(finding.source))
        case _:
            return None


def _zone(f: ZoneState) -> Fields:
    return {
        "occ": _round(f.occupancy),
        "lo": _round(f.lo),
        "hi": _round(f.hi),
        "cap": f.capacity,
        "dens": _round(f.density),
        "in": _round(f.inflow),
        "out": _round(f.outflow),
        "lvl": f.level,
        "q": f.quality,
        "at": ms(f.at),
        "age": _round(f.truth_age_s, 1),
        "m": f.method,
        "inp": f.inputs,
        "raw": f.raw,
        "bcn": f.beacons,
        "prov": f.provisional,
    }


def _venue(f: VenueState) -> Fields:
    return {
        "occ": _round(f.occupancy),
        "lo": _round(f.lo),
        "hi": _round(f.hi),
        "cap": f.capacity,
        "in": _round(f.inflow),
        "out": _round(f.outflow),
        "entered": f.entered,
        "lvl": f.level,
        "q": f.quality,
        "at": ms(f.at),
        "age": _round(f.truth_age_s, 1),
        "next": f.count_next,
        "prov": f.provisional,
    }


def _why(f: Explained) -> Fields:
    doors = [
        {
            "c": door.counter,
            "in": _round(door.entered),
            "out": _round(door.left),
            "gi": _round(door.gain_in, 3),
            "go": _round(door.gain_out, 3),
            "ni": door.counted_in,
            "no": door.counted_out,
        }
        for door in f.doors
    ]
    return {
        "v": _round(f.value),
        "sd": _round(f.sd),
        "base": _round(f.base),
        "by": f.base_by,
        "t": _ms(f.base_at),
        "doors": doors,
        "ev": {kind: _round(people) for kind, people in f.evidence.items()},
        "share": _round(f.beacon_share, 3),
        "m": f.method,
        "at": ms(f.at),
    }


def _queue(f: QueueState) -> Fields:
    return {
        "len": _round(f.length),
        "lo": _round(f.lo),
        "hi": _round(f.hi),
        "leaving": _round(f.wait_leaving_s, 1),
        "p50": _round(f.wait_p50_s, 1),
        "p90": _round(f.wait_p90_s, 1),
        "thr": _round(f.throughput),
        "desks": f.desks,
        "q": f.quality,
        "at": ms(f.at),
        "m": f.method,
        "sign": _round(f.sign_s, 1),
    }


def _device(f: DeviceState) -> Fields:
    told = {} if f.messages is None else {"msgs": f.messages, "rej": f.rejected or 0, "worst": f.worst}
    return told | {
        "kind": f.kind,
        "health": f.health,
        "since": ms(f.since),
        "reason": f.reason,
        "last": _ms(f.last_at),
        "zones": f.zones,
        "skew": _round(f.clock_skew_s),
        "time": f.time_source,
        "at": ms(f.at),
    }


def _forecast(f: Forecast) -> Fields:
    return {
        "zone": f.zone,
        "horizon": f.horizon_s,
        "occ": _round(f.occupancy),
        "lo": _round(f.lo),
        "hi": _round(f.hi),
        "at": ms(f.at),
        "m": f.method,
        "over": f.p_over,
    }


def _alert(f: EpisodeChanged, venue: str) -> Fields:
    return {
        "id": f.episode,
        "key": f"{venue}/{f.subject}/{f.rule}",
        "rule": f.rule,
        "subject": f.subject,
        "state": f.state,
        "pri": f.severity,
        "rev": f.revision,
        "raised": ms(f.raised_at),
        "at": ms(f.at),
        "text": f.text,
        "value": _round(f.value),
        "limit": _round(f.limit),
        "unit": f.unit,
        "q": f.quality,
        "by": f.by,
        "note": f.note,
        "until": _ms(f.until),
    }


def _correction(f: Correction) -> Fields:
    return {
        "what": "correction",
        "zone": f.zone,
        "before": _round(f.before),
        "after": _round(f.after),
        "reason": f.reason,
        "by": f.by,
        "note": f.note,
        "at": ms(f.at),
    }


def _rejected(f: Rejected) -> Fields:
    # The raw bytes stay in the rejects topic: they are of no use on a wall and may be large.
    return {
        "what": "rejected",
        "source": f.source,
        "reason": f.reason,
        "topic": f.topic,
        "dialect": f.dialect,
        "at": ms(f.at),
    }
