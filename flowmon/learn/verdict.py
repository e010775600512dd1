"""Which hypothesis fits a line, with the numbers that say so, or that there is not enough data.

Kind. A register never falls but by a restart, and stands far above what one message adds; a window or an event is as
often smaller as larger than the one before. So a line is a register when its numbers fell in at most 2 of 100 steps
and their mean is five times the mean step; not one when they fell in 10 of 100 or more.

Credit. Of the kinds that a line sends, each told right, one is credited: the register, which heals what is lost on the
way; else windows, which have an identity when they are sent again; else events. Kinds that tell of a tenth more or
fewer people than the credited one are named.

Inversion. From the first to the last person of a day more have come in than gone out. The balance of such a day goes
far up and hardly down; turned round it is the other way. Told only of doors to the outside, and of the only door of a
room, where it must be so; of at least 20 people in the balance, three times as far one way as the other, on all days.

Clock. The least lag between gateway and device, as transport only adds: over a minute behind or five seconds ahead is
an offset, when half of all messages are within ten seconds of it.
"""

from typing import Any

from msgspec import Struct

from flowmon.facts import CountKind
from flowmon.learn.lines import Kind, Line, Lines
from flowmon.names import OUTSIDE
from flowmon.venue.model import Counter, Venue

MESSAGES_MIN = 20
PEOPLE_MIN = 20
FELL_REGISTER, FELL_OTHER = 0.02, 0.10
SIZE_TO_STEP = 5.0
ORDER: tuple[CountKind, ...] = ("cumulative", "window", "event")


class Verdict(Struct, frozen=True):
    """What is believed of a line. None or "" where it cannot be said; evidence: sentences with numbers."""

    device: str
    line: str
    credit: str
    inverted: bool | None
    reset_hour: int | None
    offset_s: float | None
    evidence: list[str]
    snippet: str

    def told(self, venue: str) -> dict[str, Any]:
        """What `--json` prints."""
        return {"venue": venue} | {name: getattr(self, name) for name in self.__struct_fields__}

    @staticmethod
    def text(found: dict[str, Any]) -> str:
        """The same as text."""
        credit = found["credit"] or "not enough data"
        lines = [f"{found['venue']}: device {found['device']}, line {found['line']}: {credit}"]
        lines += [f"  {sentence}" for sentence in found["evidence"]]
        lines += ["", *(f"  {line}" for line in found["snippet"].splitlines())] if found["snippet"] else []
        return "\n".join(lines)


def judge(lines: Lines) -> list[Verdict]:
    """A verdict on every line that sent counts."""
    return [_line(lines, device, name, line) for (device, name), line in sorted(lines.lines.items())]


def _line(lines: Lines, device: str, name: str, line: Line) -> Verdict:
    evidence: list[str] = []
    looks = {kind: _looks(kind, seen, evidence) for kind, seen in line.kinds.items()}
    credit = _credit(line, looks, evidence)
    offset = _offset(line, evidence)
    known = lines.counter(device, name)
    if not credit:
        return Verdict(device, name, "", None, None, offset, evidence, "")
    kind = line.kinds[credit]
    inverted = _inverted(lines.plan, known[1] if known else None, kind, evidence)
    hour = _reset_hour(kind, evidence) if credit == "cumulative" else None
    snippet = _snippet(device, name, credit, known, inverted=inverted)
    return Verdict(device, name, credit, inverted, hour, offset, evidence, snippet)


def _looks(declared: CountKind, kind: Kind, evidence: list[str]) -> str:
    """ "register", "deltas", or "" when it cannot be told."""
    steps = kind.messages - 1
    told = f"{declared}: {kind.messages} messages, {kind.forward} forward and {kind.backward} backward"
    if kind.messages < MESSAGES_MIN or not kind.sizes:
        evidence.append(f"{told}: not enough data ({MESSAGES_MIN} messages with people are)")
        return ""
    fell, step = kind.fell / steps, kind.steps / max(kind.grew, 1)
    size = kind.sizes / kind.messages
    evidence.append(f"{told}; numbers fell in {fell:.1%} of steps, mean {size:.1f}, mean step up {step:.1f}")
    if fell <= FELL_REGISTER and size >= SIZE_TO_STEP * step and kind.grew:
        return "register"
    return "deltas" if fell >= FELL_OTHER or declared != "cumulative" else ""


def _credit(line: Line, looks: dict[CountKind, str], evidence: list[str]) -> CountKind | None:
    """The kind to credit, None when nothing is sure."""
    sound = []
    for kind, look in looks.items():
        wrong = look and (look == "register") != (kind == "cumulative")
        if wrong:
            seems = "a register" if look == "register" else "counts since the last message"
            evidence.append(f"{kind} counts look like {seems}: do not credit them, set the device or its dialect right")
        elif look:
            sound.append(kind)
    credit = next((kind for kind in ORDER if kind in sound), None)
    if credit is None:
        return None
    people = line.kinds[credit].forward + line.kinds[credit].backward
    for kind in sound:
        other = line.kinds[kind].forward + line.kinds[kind].backward
        if kind != credit:
            agree = "agree" if abs(other - people) <= max(0.1 * people, 5) else "do not agree: find out why"
            evidence.append(f"{kind} tells of {other} people, {credit} of {people}: they {agree}; credit only one")
    return credit


def _offset(line: Line, evidence: list[str]) -> float | None:
    """Gateway - device seconds when the clock is off by a constant, 0 when it is right, None when neither is sure."""
    if len(line.lags) < MESSAGES_MIN:
        evidence.append(f"clock: {len(line.lags)} messages with both times: not enough data")
        return None
    lags = sorted(line.lags)
    least, middle = lags[len(lags) // 100], lags[len(lags) // 2]
    evidence.append(f"clock: gateway - device is {least:.1f} s at least, {middle:.1f} s in the middle")
    if -5.0 <= least <= 60.0:
        return 0.0
    if middle - least > 10.0:
        evidence.append("clock: the difference is not constant, so it is no offset")
        return None
    quarter = round(least / 900.0) * 900.0
    return quarter if abs(least - quarter) <= 20.0 else round(least, 1)


def _inverted(plan: Venue | None, counter: Counter | None, kind: Kind, evidence: list[str]) -> bool | None:
    """Whether forward leads out of where people must enter first."""
    if plan is None or counter is None:
        evidence.append("direction: the recording does not say where this line is")
        return None
    sign = _must_enter(plan, counter)
    if not sign:
        evidence.append("direction: people may pass this door either way first, so it cannot be told")
        return None
    if counter.invert:
        sign = -sign
    up = max((sign * (path.most if sign > 0 else path.least) for path in kind.days.values()), default=0)
    down = max((-sign * (path.least if sign > 0 else path.most) for path in kind.days.values()), default=0)
    evidence.append(f"direction: on one day the balance went {up} up and {down} down at most")
    if max(up, down) < PEOPLE_MIN or (up <= 3 * down and down <= 3 * up):
        return None
    return down > up


def _must_enter(plan: Venue, counter: Counter) -> int:
    """+1 or -1: the direction in which the first person of a day must pass; 0 when either may be."""
    ends = plan.portals[counter.portal].between
    doors = {zone: sum(zone in portal.between for portal in plan.portals.values()) for zone in ends}
    for zone in ends:
        other = ends[0] if zone == ends[1] else ends[1]
        if zone != OUTSIDE and (doors[zone] == 1 or (other == OUTSIDE and _outer_doors(plan) == 1)):
            return 1 if counter.towards == zone else -1
    return 0


def _outer_doors(plan: Venue) -> int:
    return sum(OUTSIDE in portal.between for portal in plan.portals.values())


def _reset_hour(kind: Kind, evidence: list[str]) -> int | None:
    """The local hour at which a register restarts, when it does so on two days or more and at no other hour."""
    hours = {hour for _, hour in kind.falls}
    days = {day for day, _ in kind.falls}
    if kind.falls:
        at = ", ".join(f"{hour:02}:00" for hour in sorted(hours))
        evidence.append(f"restarts: {len(kind.falls)} on {len(days)} days, in the hours {at}")
    return min(hours) if len(hours) == 1 and len(days) >= 2 else None


def _snippet(device: str, line: str, credit: str, known: tuple[str, Counter] | None, *, inverted: bool | None) -> str:
    """Lines for the venue file; "" when it says so already."""
    if known is None:
        place = '[counters.NAME]\nportal = "PORTAL"\ntowards = "ZONE"'
        return f'{place}\ndevice = "{device}"\nline = "{line}"\ncredit = "{credit}"'
    name, counter = known
    changes = []
    if counter.credit != credit:
        changes.append(f'credit = "{credit}"')
    if inverted:
        changes.append(f"invert = {str(not counter.invert).lower()}")
    return "\n".join([f"[counters.{name}]", *changes]) if changes else ""
