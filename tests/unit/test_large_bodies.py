"""Large bodies, made to be slow: every dialect answers within a bounded processor time."""

import contextlib
import json
import time

import pytest

from flowmon.errors import Undecodable
from sensors import samplefile, scrub
from sensors.dialects import DIALECTS
from sensors.dialects.port import Message
from tests.typical import DEVICE, SEEN, TYPICAL

#: Bytes; the gateway takes 1 MB. Enough to tell quadratic work, and quick.
SIZE = 400_000
#: Seconds of processor time. Linear work takes a tenth of it; quadratic work a minute.
MOST_S = 3.0

SHAPES = {
    "open brackets": b"[" * SIZE,
    "open objects": b'{"a":' * (SIZE // 5),
    "digits": b"1" * SIZE,
    "a string": b'"' + b"a" * (SIZE - 2) + b'"',
    "backslashes": b'"' + b"\\\\" * (SIZE // 2 - 1) + b'"',
    "empty arrays": b"[" + b"[]," * (SIZE // 3 - 1) + b"[]]",
    "objects in a row": b"{}" * (SIZE // 2),
    "blanks": b" " * SIZE,
    "line ends": b"\r\n" * (SIZE // 2),
    "zeros": b"\x00" * SIZE,
    "dashes": b"--\r\n" * (SIZE // 4),
    "open tags": b"<a>" * (SIZE // 3),
    "tags of an alert": b"<EventNotificationAlert>" * (SIZE // 24),
    "attributes": b"<a " + b" ".join(b'b%d="1"' % number for number in range(SIZE // 12)) + b"/>",
    "entities": b"<a>" + b"&lt;" * (SIZE // 4 - 2) + b"</a>",
    "msgpack arrays": b"\x91" * SIZE,
    "events": b"data: {}\n\n" * (SIZE // 10),
}


def took(dialect: str, message: Message) -> float:
    began = time.process_time()
    with contextlib.suppress(Undecodable):
        DIALECTS[dialect].decode(message, DEVICE)
    return time.process_time() - began


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_no_large_body_is_slow(dialect: str) -> None:
    topic = TYPICAL[dialect][0].topic
    slow = {
        name: seconds
        for name, payload in SHAPES.items()
        if (seconds := took(dialect, Message(topic=topic, payload=payload, seen=SEEN))) > MOST_S
    }
    assert not slow


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_usual_body_grown_large_is_not_slow(dialect: str) -> None:
    """Every list of it repeats its members until it is full; a text or number is written out as long."""
    for message in TYPICAL[dialect]:
        for payload in _grown(message.payload):
            large = Message(topic=message.topic, payload=payload, seen=SEEN, headers=message.headers)
            assert took(dialect, large) < MOST_S


def _grown(payload: bytes) -> list[bytes]:
    grown = [payload * (SIZE // len(payload)), payload.rstrip(b"}]") + b" " * SIZE]
    try:
        body = json.loads(payload)
    except ValueError:
        return grown
    for path in _lists(body, ()):
        copy = json.loads(payload)
        place = copy
        for step in path:
            place = place[step]
        if place:
            place *= max(1, (SIZE - len(payload)) // len(json.dumps(place)))
            grown.append(json.dumps(copy).encode())
    return grown


def _lists(value: object, path: tuple[object, ...]) -> list[tuple[object, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    here = [path] if isinstance(value, list) else []
    return here + [found for key, inner in items for found in _lists(inner, (*path, key))]


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_scrubbing_and_explaining_are_not_slow(name: str) -> None:
    began = time.process_time()
    scrub.raw(SHAPES[name])
    samplefile.json_trouble(SHAPES[name])
    assert time.process_time() - began < MOST_S
