"""Times as payloads write them, to seconds UTC. Compiled from a format, a zone and what to do with doubtful hours."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from flowmon.errors import Undecodable
from sensors.dialects import bodies
from sensors.mapping.selectors import BadSelector

#: (value, gateway's clock, what it is) -> seconds UTC; raises Undecodable.
ReadTime = Callable[[object, float, str], float]
_SCALES = {"s": 1.0, "ms": 1e3, "us": 1e6}
_WRITTEN_MAX = 60


def reader(form: str, zone: str, fold: str) -> ReadTime:
    """A reader of times. Raises BadSelector for a form or a zone that is none.

    form: "auto", "rfc3339", "unix", "s", "ms", "us" or a strptime pattern. zone: for times without an offset.
    fold: "refuse", "first", "second" or "nearest" (to the gateway's clock), where a local time happens twice.
    """
    where = zone_of(zone) if zone else None
    if form in _SCALES:
        scale = _SCALES[form]
        return lambda value, _, what: _positive(bodies.number(value, what) / scale, what)
    match form:
        case "unix":
            return lambda value, _, what: bodies.seconds(value, what)
        case "rfc3339" | "auto" | "":
            return lambda value, seen, what: _iso(value, seen, what, where, fold, numbers=form != "rfc3339")
    if "%" not in form:
        hint = 'use auto, rfc3339, unix, s, ms, us or a pattern like "%d/%m/%Y %H:%M"'
        raise BadSelector(f"{form!r:.40} is no form of time", hint)
    if where is None and "%z" not in form:
        raise BadSelector("has no offset and no zone", 'add zone = "Europe/Paris", the zone of the device\'s clock')
    _try(form)
    return lambda value, seen, what: _written(value, seen, what, form, where, fold)


def zone_of(name: str) -> tzinfo:
    """A zone by its IANA name. Raises BadSelector."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadSelector(f"{name!r:.40} is no time zone", 'write an IANA name, like "Europe/Paris"') from None


def _try(form: str) -> None:
    try:
        datetime.strptime(datetime(2026, 11, 24, tzinfo=UTC).strftime(form), form)  # noqa: DTZ007 -- a trial
    except (ValueError, OverflowError) as error:
        raise BadSelector(f"is no pattern of strptime: {error}", 'write one like "%d/%m/%Y %H:%M"') from None


def _positive(time: float, what: str) -> float:
    if not 0 <= time < 1e11:
        raise Undecodable(f"{what} is not a time since 1970: {time!r}")
    return time


def _iso(value: object, seen: float, what: str, zone: tzinfo | None, fold: str, *, numbers: bool) -> float:
    if not isinstance(value, str) and numbers:
        return bodies.seconds(value, what)
    if zone is not None and isinstance(value, str) and len(value) <= _WRITTEN_MAX:
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise Undecodable(f"{what} is not a time like ISO 8601 has: {value!r}") from None
        return _instant(moment, seen, what, zone, fold)
    if not isinstance(value, str):
        raise Undecodable(f"{what} is not a time in text")
    return bodies.instant(value, what)


def _written(value: object, seen: float, what: str, form: str, zone: tzinfo | None, fold: str) -> float:
    if not isinstance(value, str) or len(value) > _WRITTEN_MAX:
        raise Undecodable(f"{what} is not a time in text of at most {_WRITTEN_MAX} characters")
    try:
        moment = datetime.strptime(value.strip(), form)  # noqa: DTZ007 -- the zone follows
    except (ValueError, OverflowError):
        raise Undecodable(f"{what} is not a time written like {form}: {value!r}") from None
    return _instant(moment, seen, what, zone, fold)


def _instant(moment: datetime, seen: float, what: str, zone: tzinfo | None, fold: str) -> float:
    try:
        if moment.tzinfo is not None or zone is None:
            return _positive(moment.timestamp(), what)
        first, second = candidates(moment, zone)
    except (OverflowError, ValueError, OSError):
        raise Undecodable(f"{what} is out of range") from None
    if first > second:
        raise Undecodable(f"{what} does not exist in its zone: clocks went forward over it: {moment.isoformat()}")
    if first == second or fold == "first":
        return _positive(first, what)
    if fold == "refuse":
        raise Undecodable(f"{what} happened twice, clocks went back: say fold = nearest, first or second")
    if fold == "nearest":
        return _positive(min((first, second), key=lambda time: abs(time - seen)), what)
    return _positive(second, what)


def candidates(moment: datetime, zone: tzinfo) -> tuple[float, float]:
    """What a local time can mean, seconds UTC: equal normally, rising where it happens twice, falling where never.

    >>> candidates(datetime(2026, 10, 25, 2, 30), ZoneInfo("Europe/Paris"))
    (1792888200.0, 1792891800.0)
    """
    local = moment.replace(tzinfo=zone)
    return local.replace(fold=0).timestamp(), local.replace(fold=1).timestamp()
