"""The fields of facts: which a type has, which it must have, and how the value of each is read. Pure."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from flowmon.errors import Undecodable
from flowmon.facts import (
    Booked,
    Count,
    DesksOpen,
    DeviceStatus,
    FactBase,
    Interaction,
    QueueReading,
    Served,
    Sighting,
    ZoneCount,
)
from sensors.dialects import bodies, hearing
from sensors.mapping import times
from sensors.mapping.model import Pick
from sensors.mapping.picks import Place, Read, scale, spelling
from sensors.mapping.selectors import MISSING

_COMMON = ("device", "at", "seq", "historical")


class Kind(Struct, frozen=True):
    """A type of fact: fields that must be mapped, fields that may be, and groups of which one must be."""

    make: type[FactBase]
    must: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[str, ...]:
        """All fields of it."""
        return (*self.must, *self.one_of, *self.may, *_COMMON)


KINDS: dict[str, Kind] = {
    "count": Kind(Count, may=("line", "start", "end", "complete"), one_of=("forward", "backward")),
    "zone_count": Kind(ZoneCount, must=("zone", "people")),
    "queue_reading": Kind(QueueReading, ("queue",), ("start", "end"), ("length", "wait_s", "outflow")),
    "sighting": Kind(Sighting, ("rssi_dbm",), ("receiver", "major", "minor"), ("advert", "uuid")),
    "device_status": Kind(DeviceStatus, ("health",), ("reason", "firmware", "battery")),
    "served": Kind(Served, ("queue",), ("desk", "people", "waited_s")),
    "desks_open": Kind(DesksOpen, ("queue", "desks")),
    "booked": Kind(Booked, ("people", "start", "end")),
    "interaction": Kind(Interaction, ("zone", "item")),
}
#: Left out where the payload has nothing (or null) there; every other field that is mapped must be there.
_OPTIONAL = {
    "length",
    "wait_s",
    "outflow",
    "complete",
    "seq",
    "historical",
    "reason",
    "firmware",
    "battery",
    "waited_s",
}

_NAMES = {"line", "zone", "queue", "receiver", "desk", "item", "device"}
_PEOPLE = {"forward", "backward", "people", "length", "outflow", "desks", "major", "minor", "seq"}
_TIMES = {"at", "start", "end"}
_SECONDS = {"wait_s", "waited_s"}
HEALTHS = ("online", "offline", "fault")


class Reading(Struct, frozen=True):
    """How one field is read. what: its name in reasons. zone: of times without offset. texts: numbers of this format
    are always text. comma: and have a decimal comma. whole: where the whole of a share is.
    """

    field: str
    pick: Pick
    read: Read
    what: str
    zone: str
    texts: bool = False
    comma: bool = False
    whole: Read | None = None


def reader(how: Reading) -> Callable[[Place], Any]:
    """Reads a field of a place, MISSING where an optional one is not there. Raises BadSelector; it Undecodable."""
    make, read = _conversion(how), how.read
    if how.field in _TIMES and how.pick.or_seen:
        return _or_seen(read, make)
    if how.field not in _OPTIONAL:
        return lambda place: make(_or_none(read(place)), place)

    def optional(place: Place) -> Any:
        value = read(place)
        return MISSING if value is MISSING or value is None or value == "" else make(value, place)

    return optional


def _or_none(value: Any) -> Any:
    return None if value is MISSING else value


def _or_seen(read: Read, make: Callable[[Any, Place], Any]) -> Callable[[Place], Any]:
    def when(place: Place) -> Any:
        try:
            return make(_or_none(read(place)), place)
        except Undecodable:
            return place.scene.message.seen

    return when


def _conversion(how: Reading) -> Callable[[Any, Place], Any]:
    what, pick, digits = how.what, how.pick, how.pick.digits or how.texts
    if how.field in _NAMES:
        return lambda value, _: spelling(value, pick.spelt, what)
    if how.field in _PEOPLE:
        if pick.base == 16:
            return lambda value, _: bodies.people(_hex(value, what), what)
        whole = bodies.digits if digits else bodies.people
        return lambda value, _: whole(value, what)
    if how.field in _TIMES:
        return _time(how, digits=digits)
    if how.field in _SECONDS:
        factor = scale(pick.unit)
        return lambda value, _: _not_negative(_number(value, how, digits=digits) * factor, what)
    match how.field:
        case "complete":
            return lambda value, place: _share(_number(value, how, digits=digits), how, place)
        case "historical":
            return lambda value, _: value is True or (isinstance(value, str) and value.lower() == "true")
        case "health":
            return lambda value, _: _health(value, what)
        case "rssi_dbm":
            return lambda value, _: hearing.dbm(value)
        case "battery":
            return lambda value, _: _number(value, how, digits=digits)
        case "advert":
            return lambda value, _: hearing.octets(value, what)
    return lambda value, _: _words(value, what)


def _time(how: Reading, *, digits: bool) -> Callable[[Any, Place], float]:
    time = times.reader(how.pick.time, how.pick.zone or how.zone, how.pick.fold)
    numbers = how.pick.time in {"", "auto", "unix", "s", "ms", "us"}

    def when(value: Any, place: Place) -> float:
        if digits and numbers and isinstance(value, str) and value.strip().replace(".", "", 1).isdecimal():
            value = _number(value, how, digits=True)
        return time(value, place.scene.message.seen, how.what)

    return when


def _number(value: Any, how: Reading, *, digits: bool) -> float:
    if digits and isinstance(value, str):
        text = value.strip().replace(",", ".") if how.comma else value.strip()
        try:
            value = float(text) if len(text) <= 40 and text.isascii() and "_" not in text else value
        except ValueError:
            raise Undecodable(f"{how.what} is not a number: {text!r}") from None
    return bodies.number(value, how.what)


def _hex(value: Any, what: str) -> int:
    if not isinstance(value, str) or not 0 < len(value) <= 12 or not value.isascii() or not value.isalnum():
        raise Undecodable(f"{what} is not hex digits")
    try:
        return int(value, 16)
    except ValueError:
        raise Undecodable(f"{what} is not hex digits") from None


def _not_negative(value: float, what: str) -> float:
    if value < 0:
        raise Undecodable(f"{what} is negative")
    return value


def _share(part: float, how: Reading, place: Place) -> float:
    whole = 1.0
    if how.whole is not None:
        whole = _number(_or_none(how.whole(place)), how, digits=how.pick.digits or how.texts)
    if whole <= 0 or part < 0:
        raise Undecodable(f"{how.what} is no share of a window")
    return min(1.0, part / whole)


def _health(value: Any, what: str) -> str:
    if value not in HEALTHS:
        raise Undecodable(f"{what} is not {', '.join(HEALTHS)}")
    return str(value)


def _words(value: Any, what: str) -> str:
    text = value if isinstance(value, str) else bodies.name(value, what)
    if not bodies.fits(text):
        raise Undecodable(f"{what} is not a text of at most {bodies.TEXT_MAX} printable characters")
    return text
