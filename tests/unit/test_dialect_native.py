"""Our own dialect: what it says, and each way of saying it wrong."""

import json

import pytest

from flowmon.errors import Undecodable
from flowmon.facts import Booked, Count, DeviceStatus, Fact, Interaction, QueueReading, Served, Sighting, ZoneCount
from sensors.dialects import native
from sensors.dialects.port import Message

SEEN = 1_777_730_401.0
AT = 1_777_730_400.0


def decode(what: str, body: object, *, device: str = "ctr-01", topic: str = "") -> list[Fact]:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return native.decode(Message(topic=topic or f"flowmon/v1/small/{device}/{what}", payload=payload, seen=SEEN), "")


def refusal(what: str, body: object) -> str:
    with pytest.raises(Undecodable) as refused:
        decode(what, body)
    return refused.value.reason


def test_a_count_takes_its_source_and_counter_from_the_topic() -> None:
    assert decode("count", {"at": AT, "seq": 7, "kind": "event", "forward": 1}) == [
        Count(at=AT, seen=SEEN, source="ctr-01", seq=7, counter="ctr-01", kind="event", forward=1)
    ]


def test_the_payload_cannot_speak_for_another_device() -> None:
    [fact] = decode("count", {"at": AT, "kind": "event", "source": "ctr-99", "seen": 5.0, "type": "tick"})
    assert fact.source == "ctr-01"
    assert fact.seen == SEEN


def test_an_array_is_several_facts() -> None:
    facts = decode("count", [{"at": AT + n, "kind": "event", "seq": n} for n in range(3)])
    assert [fact.seq for fact in facts] == [0, 1, 2]
    assert decode("count", []) == []


@pytest.mark.parametrize(
    ("what", "body", "fact"),
    [
        ("zone", {"at": AT, "zone": "hall", "people": 3}, ZoneCount(at=AT, source="ctr-01", zone="hall", people=3)),
        (
            "queue",
            {"at": AT, "queue": "tickets", "length": 4, "wait_s": 61.5},
            QueueReading(at=AT, source="ctr-01", queue="tickets", length=4, wait_s=61.5),
        ),
        (
            "sighting",
            {"at": AT, "beacon": "b1", "rssi_dbm": -71},
            Sighting(at=AT, source="ctr-01", beacon="b1", receiver="ctr-01", rssi_dbm=-71.0),
        ),
        ("served", {"at": AT, "queue": "tickets"}, Served(at=AT, source="ctr-01", queue="tickets")),
        (
            "booked",
            {"at": AT, "people": 30, "start": AT, "end": AT + 1800},
            Booked(at=AT, source="ctr-01", people=30, start=AT, end=AT + 1800),
        ),
        (
            "interaction",
            {"at": AT, "zone": "hall", "item": "label-7"},
            Interaction(at=AT, source="ctr-01", zone="hall", item="label-7"),
        ),
    ],
)
def test_every_kind_of_fact(what: str, body: object, fact: Fact) -> None:
    [decoded] = decode(what, body)
    assert type(decoded) is type(fact)
    assert native.encode([decoded], venue="small", device="ctr-01") == native.encode(
        [fact], venue="small", device="ctr-01"
    )


def test_a_last_will_has_no_time_of_its_own() -> None:
    assert decode("status", native.LAST_WILL) == [DeviceStatus(at=SEEN, seen=SEEN, source="ctr-01", health="offline")]


@pytest.mark.parametrize("at", [AT, AT * 1e3, AT * 1e6])
def test_seconds_milliseconds_and_microseconds(at: float) -> None:
    [fact] = decode("count", {"at": at, "kind": "event"})
    assert fact.at == pytest.approx(AT)


@pytest.mark.parametrize("at", [946_685_671.0, 4_070_908_800.0, 0])
def test_a_wrong_clock_is_for_the_intake_to_judge(at: float) -> None:
    [fact] = decode("count", {"at": at, "kind": "event"})
    assert fact.at == at


@pytest.mark.parametrize(
    ("what", "body", "words"),
    [
        ("count", {"kind": "event"}, "`at`"),
        ("count", {"at": "1777730400", "kind": "event"}, "at is not a number"),
        ("count", {"at": -5, "kind": "event"}, "at is not a time"),
        ("count", {"at": 1e30, "kind": "event"}, "at is not a time"),
        ("count", {"at": AT, "kind": "event", "forward": "1"}, "Expected `int`, got `str`"),
        ("count", {"at": AT, "kind": "event", "forward": 1.5}, "`int`"),
        ("count", {"at": AT, "kind": "event", "forward": -1}, "forward is not a whole number"),
        ("count", {"at": AT, "kind": "event", "forward": 2**60}, "2^53"),
        ("count", {"at": AT, "kind": "often"}, "kind"),
        ("count", {"at": AT, "kind": "window", "forward": 1}, "begin before it ends"),
        ("count", {"at": AT, "kind": "window", "start": AT, "end": AT, "forward": 1}, "begin before it ends"),
        ("count", {"at": AT, "kind": "event", "complete": 2}, "complete"),
        ("count", {"at": AT, "kind": "event", "line": "x" * 101}, "line is longer"),
        ("count", {"at": AT, "kind": "event", "line": "a\nb"}, "line is longer than 100 or has control"),
        ("count", 7, "not a JSON object"),
        ("count", [[]], "not a JSON object"),
        ("count", b"", "not JSON"),
        ("count", b"$GPRMC,081836,A,3751.65,S", "not JSON"),
        ("count", b"\xff\xfe\x00", "not JSON"),
        ("count", b"[" * 200_000, "nested"),
        ("count", b'{"at": NaN}', "not JSON"),
        ("sighting", {"at": AT, "beacon": "b", "rssi_dbm": 400}, "rssi_dbm"),
        ("weather", {"at": AT}, "unknown last level"),
    ],
)
def test_bad_input_is_refused_with_a_reason(what: str, body: object, words: str) -> None:
    assert words in refusal(what, body)


def test_a_byte_order_mark_and_unknown_fields_are_tolerated() -> None:
    payload = b'\xef\xbb\xbf{"at": 1777730400, "kind": "event", "colour": "red"}'
    assert decode("count", payload) == decode("count", {"at": AT, "kind": "event"})


def test_on_a_foreign_topic_the_route_names_the_device() -> None:
    message = Message(topic="door/board/count", payload=b'{"at": 1777730400, "kind": "event"}', seen=SEEN)
    [fact] = native.decode(message, "board-7")
    assert fact.source == "board-7"
    with pytest.raises(Undecodable, match="device"):
        native.decode(message, "")


def test_status_alone_is_retained() -> None:
    facts: list[Fact] = [
        DeviceStatus(at=AT, source="d", health="online"),
        Count(at=AT, source="d", counter="d", kind="event"),
    ]
    outgoing = native.encode(facts, venue="small", device="d")
    assert [(topic.rpartition("/")[2], retain) for topic, _, retain in outgoing] == [("status", True), ("count", False)]


def test_encoding_what_no_device_can_say_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="speak for"):
        native.encode([Count(at=AT, source="a", counter="a", kind="event")], venue="small", device="b")
