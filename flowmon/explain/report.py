"""What `flowmon explain` says: the parts of a number, that they add up, and where in the journal they are. Pure."""

from datetime import tzinfo
from typing import Any

from flowmon.explain.fold import Reasons
from flowmon.findings import Correction, DeviceState
from flowmon.recording.times import written
from flowmon.venue.model import Venue

ROUNDING = 0.005  # of the number told
PART_ROUNDING = 0.001  # of each of its parts
LISTED = 12  # corrections in the text; JSON has more

_EVIDENCE = {
    "beacons": "beacons: carriers are where the doors did not lead them",
    "negative": "fewer than nobody is impossible: given back by doors and neighbours",
    "truth": "a truth next door, which moves what depends on it",
    "lent": "lent by neighbours while the doors say fewer than nobody",
    "window": "probably seen since the last report of counters that report by the minute",
    "balance": "the plain balance, shown while it is nearer the truth than the filter",
}
_TRUTHS = {
    "start": "nobody knew when the journal began",
    "recount": "a person counted",
    "zone-sensor": "a sensor that sees the whole room",
    "closing": "the building was empty after closing",
}


def described(reasons: Reasons, venue: Venue, *, simulated: bool) -> dict[str, Any]:
    """What `--json` prints. Times are seconds since the epoch, people are not rounded further."""
    state, why, trail = reasons.state, reasons.why, reasons.trail
    return {
        "venue": venue.id,
        "zone": state.zone,
        "at": state.at,
        "simulated": simulated or state.simulated,
        "occupancy": state.occupancy,
        "lo": state.lo,
        "hi": state.hi,
        "capacity": state.capacity,
        "quality": state.quality,
        "method": state.method,
        "inputs": state.inputs,
        "raw": state.raw,
        "truth_age_s": state.truth_age_s,
        "truth_offset": trail.truth_offset,
        "value": why.value,
        "sd": why.sd,
        "base": {"people": why.base, "by": why.base_by, "at": why.base_at},
        "doors": [
            {
                "counter": door.counter,
                "counted_in": door.counted_in,
                "gain_in": door.gain_in,
                "entered": door.entered,
                "counted_out": door.counted_out,
                "gain_out": door.gain_out,
                "left": door.left,
            }
            for door in why.doors
        ],
        "evidence": why.evidence,
        "beacon_share": why.beacon_share,
        "sum": total(reasons),
        "adds_up": adds_up(reasons),
        "corrections": [
            {
                "offset": jump.offset,
                "at": jump.correction.at,
                "before": jump.correction.before,
                "after": jump.correction.after,
                "reason": jump.correction.reason,
                "by": jump.correction.by,
                "note": jump.correction.note,
            }
            for jump in trail.jumps
        ],
        "corrections_dropped": trail.dropped,
        "devices": [
            {"device": d.device, "health": d.health, "since": d.since, "reason": d.reason} for d in reasons.devices
        ],
        "count_next": reasons.venue.count_next,
        "last_offset": trail.last_offset,
    }


def total(reasons: Reasons) -> float:
    """Base, doors and evidence added up; what is shown is this, cut at zero."""
    why = reasons.why
    return why.base + sum(d.entered - d.left for d in why.doors) + sum(why.evidence.values())


def adds_up(reasons: Reasons) -> bool:
    """Whether the parts make the number told, to rounding. A number that is withdrawn is compared with its value."""
    why, told = reasons.why, reasons.state.occupancy
    parts = 2 + 2 * len(why.doors) + len(why.evidence)
    allowed = ROUNDING + PART_ROUNDING * parts
    if abs(total(reasons) - why.value) > allowed:
        return False
    return told is None or abs(max(0.0, total(reasons)) - told) <= allowed


def text(reasons: Reasons, venue: Venue, zone: tzinfo, *, simulated: bool) -> str:
    """For people, in the time of `zone`."""
    return "\n".join([*_head(reasons, venue, zone, simulated), "", *_sum(reasons, zone), *_rest(reasons, venue, zone)])


def _head(reasons: Reasons, venue: Venue, zone: tzinfo, simulated: bool) -> list[str]:
    state = reasons.state
    name = venue.zones[state.zone].name
    place = f"{name} ({state.zone})" if name else state.zone
    number = (
        "unknown, as no counter of it sees"
        if state.occupancy is None
        else f"{state.occupancy:g} people, 90 % between {state.lo:g} and {state.hi:g}"
    )
    age = "never known" if state.truth_age_s is None else f"{_span(state.truth_age_s)} ago"
    if state.truth_age_s is not None and reasons.trail.truth_offset is not None:
        age += f", offset {reasons.trail.truth_offset}"
    rows = [
        (place, f"{number}; capacity {state.capacity}"),
        ("at", f"{written(state.at, zone)}{', SIMULATED' if simulated or state.simulated else ''}"),
        ("made by", f"{state.method}, of {', '.join(state.inputs) or 'nothing'}; quality {state.quality}"),
        ("last truth", age),
        ("plain in - out", str(state.raw)),
    ]
    width = max(len(place), 14)
    return [f"{key:<{width}}  {value}" for key, value in rows]


def _sum(reasons: Reasons, zone: tzinfo) -> list[str]:
    why, state = reasons.why, reasons.state
    since = "" if why.base_at is None else f" at {written(why.base_at, zone)}"
    rows = [f"{why.base:10.2f}  base: {_TRUTHS.get(why.base_by, why.base_by)}{since}"]
    for door in why.doors:
        for sign, counted, gain, people, way in (
            ("+", door.counted_in, door.gain_in, door.entered, "in"),
            ("-", door.counted_out, door.gain_out, door.left, "out"),
        ):
            if counted or people:
                rows.append(f"{sign}{people:9.2f}  {door.counter} {way}: {counted} counted, gain {gain:.3f}")
    rows += [f"{people:+10.2f}  {_EVIDENCE.get(kind, kind)}" for kind, people in why.evidence.items()]
    rows.append(f"={total(reasons):9.2f}  ± {why.sd:.2f} (sd); {_check(reasons)}")
    if state.occupancy is not None and why.value < 0:
        rows.append(f"{'':10}  fewer than nobody is shown as nobody")
    return rows


def _check(reasons: Reasons) -> str:
    told = reasons.state.occupancy
    if not adds_up(reasons):
        return f"this is NOT the number that was told ({told}): please report it"
    return "adds up" if told is None else f"adds up to the {told:g} that was told"


def _rest(reasons: Reasons, venue: Venue, zone: tzinfo) -> list[str]:
    why, trail = reasons.why, reasons.trail
    lines = []
    if why.beacon_share is not None:
        lines.append(f"{100 * why.beacon_share:10.1f}  % of people carry a beacon")
    lines += ["", "corrections since the base" if trail.jumps else "no correction since the base"]
    listed = list(trail.jumps)[-LISTED:]
    if earlier := trail.dropped + len(trail.jumps) - len(listed):
        lines.append(f"  … {earlier} before these: see --json")
    lines += [f"  {_jump(jump.offset, jump.correction, zone)}" for jump in listed]
    if reasons.devices:
        lines.append("devices at this room that are not well")
        lines += [f"  {_device(device, zone)}" for device in reasons.devices]
    if (best := reasons.venue.count_next) in venue.zones:
        named = venue.zones[best].name or best
        lines.append(f"a recount now would help most in: {named}")
    return lines


def _jump(offset: int, told: Correction, zone: tzinfo) -> str:
    note = f" “{told.note}”" if told.note else ""
    change = f"{told.before:.2f} -> {told.after:.2f}"
    return f"{written(told.at, zone)}  offset {offset}  {change}  {told.reason}, by {told.by}{note}"


def _device(told: DeviceState, zone: tzinfo) -> str:
    return f"{told.device} {told.health} since {written(told.since, zone)}{f': {told.reason}' if told.reason else ''}"


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{int(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
