"""The buffer between two threads: bounded, in order, and honest about what found no room."""

from sensors.buffer import MOST_BYTES, Buffer
from sensors.dialects.port import Message


def message(mid: int, *, qos: int = 1, payload: bytes = b"") -> Message:
    return Message(topic="t", payload=payload, seen=0.0, mid=mid, qos=qos)


def test_it_wakes_once_for_many_and_keeps_their_order() -> None:
    buffer = Buffer(10)
    assert [buffer.put(message(n)) for n in range(4)] == [True, False, False, False]
    assert [m.mid for m in buffer.take(3)] == [0, 1, 2]
    assert buffer.put(message(4))
    assert [m.mid for m in buffer.take(9)] == [3, 4]
    assert buffer.take(9) == []


def test_what_finds_no_room_is_shed_or_counted() -> None:
    buffer = Buffer(2)
    for n in range(2):
        buffer.put(message(n))
    assert not buffer.put(message(2, qos=0))
    assert (buffer.shed, buffer.lost) == (False, 1)
    assert not buffer.put(message(3))
    assert buffer.shed
    assert [m.mid for m in buffer.take(9)] == [0, 1]


def test_large_payloads_fill_it_too() -> None:
    buffer = Buffer(10_000)
    half = bytes(MOST_BYTES // 2 + 1)
    for n in range(3):
        buffer.put(message(n, payload=half))
    assert buffer.shed
    assert len(buffer.take(9)) == 2
    buffer.put(message(9))
    assert len(buffer.take(9)) == 1


def test_only_what_comes_again_is_forgotten() -> None:
    buffer = Buffer(10)
    for n, qos in enumerate([1, 0, 1]):
        buffer.put(message(n, qos=qos))
    buffer.forget_acknowledgeable()
    assert [m.mid for m in buffer.take(9)] == [1]
