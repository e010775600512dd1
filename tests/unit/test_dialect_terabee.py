"""Terabee L-XL over HTTP: registers with clocks that may be rubbish. Written from the format."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact
from sensors.dialects import DIALECTS
from sensors.dialects.port import Message
from tests.unit.junk import junk

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "terabee"
terabee = DIALECTS["terabee"]
SEEN = 1_777_730_461.0


def decode(payload: object, device: str = "") -> list[Fact]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return terabee.decode(Message(topic="terabee", payload=data, seen=SEEN), device)


def told(**fields: object) -> dict[str, object]:
    return {"count_in": 23, "count_out": 12, "timestamp": "1777730400", "device_id": "FA21415EAEB7"} | fields


def test_the_published_push_has_a_clock_of_1975_and_a_password() -> None:
    path = SAMPLES / "xl_00_terabee_people_counting_xl_http_payload.json"
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    [fact] = decode(path.read_bytes())
    assert fact == Count(
        at=165776767.0, seen=SEEN, source="FA21415EAEB7", counter="FA21415EAEB7", kind="cumulative", forward=23,
        backward=12,
    )  # fmt: skip
    assert "password" not in repr(fact)


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        ("1777730400", 1_777_730_400.0),
        (1777730400000, 1_777_730_400.0),
        ("soon", SEEN),
        ("", SEEN),
        (None, SEEN),
        (-1, SEEN),
    ],
)
def test_times(timestamp: object, at: float) -> None:
    assert decode(told(timestamp=timestamp))[0].at == at


def test_the_route_names_a_device_that_does_not() -> None:
    fields = told(count_in="24")
    del fields["device_id"]
    [fact] = decode(fields, "door-1")
    assert isinstance(fact, Count)
    assert (fact.source, fact.forward) == ("door-1", 24)
    with pytest.raises(Undecodable, match="name the device on its route"):
        decode(fields)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (told(count_in=None), "no count_in"),
        (told(count_out=None), "count_out is not a number"),
        (told(count_out=-1), "count_out is not a whole number"),
        (told(device_id=[]), "device_id is not a name"),
        ([told()], "body is not a JSON object"),
        (b"", "not JSON"),
    ],
)
def test_bad_input_is_refused_with_a_reason(payload: object, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        decode(payload)


def test_an_m_tells_its_registers_with_the_clock_of_2000() -> None:
    body = {"uid": "pcm807d3a86224b", "time": "946685671", "type": "counters", "value": {"in": 34, "out": 17}}
    source = "pcm807d3a86224b"
    assert decode(body) == [
        Count(at=946685671.0, seen=SEEN, source=source, counter=source, kind="cumulative", forward=34, backward=17)
    ]
    assert decode(body | {"type": "status"}) == []


def test_no_such_counter_counts_windows() -> None:
    with pytest.raises(ValueError, match="no such device"):
        terabee.encode([Count(at=0.0, source="s", counter="s", kind="window")], venue="small", device="s")


@given(junk("count_in count_out timestamp device_id"), st.text(max_size=20))
def test_any_bytes_are_facts_or_undecodable(payload: bytes, topic: str) -> None:
    with contextlib.suppress(Undecodable):
        facts = terabee.decode(Message(topic=topic, payload=payload, seen=SEEN), "")
        assert all(fact.source for fact in facts)
