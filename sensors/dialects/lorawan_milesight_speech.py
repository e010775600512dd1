"""What a Milesight VS133 would send to tell one fact: port and payload. No dialect itself.

What the format cannot carry: when a window began, more than 65,535 people in one or 255 in view, a line that is not 1
to 4, a battery that is no whole percentage. A region cannot be told alone, so only the people in view are.
"""

from flowmon.facts import Count, DeviceStatus, Fact, ZoneCount
from sensors.dialects.lorawan import whole

_PORT = 85
_LINES = {"1": 0, "2": 3, "3": 6, "4": 9}


def payload_of(fact: Fact) -> tuple[int, bytes]:
    """(port, payload) of an uplink that tells `fact`. Raises ValueError for one that such a device cannot tell."""
    match fact:
        case Count(kind="cumulative") if fact.line in _LINES and fact.counter == fact.source:
            return _PORT, _register(fact, _LINES[fact.line])
        case Count(kind="window") if fact.line in _LINES and fact.counter == fact.source:
            return _PORT, _period(fact, _LINES[fact.line])
        case ZoneCount() if fact.zone == fact.source and not fact.historical:
            return _PORT, b"\x04\xc9" + whole(fact.people, 1) + b"\0\0\0"
        case DeviceStatus(health="online", reason="") if not fact.historical:
            return _PORT, _state(fact)
        case _:
            raise ValueError(f"a Milesight counter over LoRaWAN cannot tell {fact!r:.200}")


def _register(fact: Count, line: int) -> bytes:
    into, out = (whole(people, 4, "little") for people in (fact.forward, fact.backward))
    if fact.historical:
        return _frame(fact, 3 + line, into) + _frame(fact, 4 + line, out)
    return bytes((3 + line, 0xD2)) + into + bytes((4 + line, 0xD2)) + out


def _period(fact: Count, line: int) -> bytes:
    both = whole(fact.forward, 2, "little") + whole(fact.backward, 2, "little")
    return _frame(fact, 5 + line, both) if fact.historical else bytes((5 + line, 0xCC)) + both


def _frame(fact: Count, kind: int, data: bytes) -> bytes:
    return b"\x20\xce" + whole(int(fact.at), 4, "little") + bytes((kind,)) + data


def _state(fact: DeviceStatus) -> bytes:
    said = b"\xff\x0b\xff"
    if fact.firmware:
        parts = fact.firmware.split(".")
        if len(parts) != 4 or not all(part.isdecimal() and int(part) < 256 for part in parts):
            raise ValueError(f"a firmware of VS133 is four numbers, not {fact.firmware!r}")
        said += b"\xff\x1f" + bytes(map(int, parts))
    return said if fact.battery is None else said + b"\x01\x75" + whole(round(fact.battery * 100), 1)
