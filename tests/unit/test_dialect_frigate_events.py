"""Frigate events: zones entered and left by one person, and nothing that says who. Written from the format."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given

from flowmon import wire
from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact
from sensors.dialects import frigate_events
from sensors.dialects.port import Message
from tests.unit.junk import junk

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "frigate"
SEEN = 1_777_730_461.0


def decode(payload: object, device: str = "", topic: str = "frigate/events") -> list[Fact]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return frigate_events.decode(Message(topic=topic, payload=data, seen=SEEN), device)


def seen(*zones: str, **changes: object) -> dict[str, object]:
    told = {"id": "1777730455.475377-mxklsc", "camera": "hall", "frame_time": 1_777_730_460.25, "label": "person"}
    return told | {"sub_label": ["John Smith", 0.79], "current_zones": list(zones), "false_positive": False} | changes


def event(before: object, after: object, kind: str = "update") -> dict[str, object]:
    return {"type": kind, "before": before, "after": after}


def ways(facts: list[Fact]) -> list[tuple[str, int, int]]:
    return [(fact.line, fact.forward, fact.backward) for fact in facts if isinstance(fact, Count)]


def test_the_published_event_enters_a_zone_and_names_nobody() -> None:
    path = SAMPLES / "events_update.json"
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    facts = decode(path.read_bytes())
    assert facts == [
        Count(
            at=1607123962.082975, seen=SEEN, source="frigate", counter="frigate", kind="event", line="yard", forward=1,
            seq=int("mxklsc", 36),
        )
    ]  # fmt: skip
    assert b"Smith" not in wire.encode(facts)
    assert b"ABC12345" not in wire.encode(facts)


def test_who_leaves_goes_backward() -> None:
    assert ways(decode(event(seen("Front Hall", "salle_711"), seen("salle_711")))) == [("front-hall", 0, 1)]
    assert ways(decode(event(seen("a", "b"), seen("b", "c")))) == [("c", 1, 0), ("a", 0, 1)]


def test_an_end_leaves_every_zone_and_a_beginning_leaves_none() -> None:
    assert ways(decode(event(seen("a"), seen("a"), "end"))) == [("a", 0, 1)]
    assert ways(decode(event(seen("a"), seen("a"), "new"))) == [("a", 1, 0)]
    assert ways(decode(event(seen("a", false_positive=True), seen("a")))) == [("a", 1, 0)]
    assert ways(decode(event(None, seen("a"), "new"))) == [("a", 1, 0)]


def test_cars_and_false_positives_say_nothing() -> None:
    assert decode(event(seen(), seen("a", label="car"))) == []
    assert decode(event(seen(), seen("a", false_positive=True))) == []


def test_the_route_may_name_it_and_someone_must() -> None:
    assert [fact.source for fact in decode(event(seen(), seen("a")), "nvr", "x/y")] == ["nvr"]
    with pytest.raises(Undecodable, match="device is not a name"):
        decode(event(seen(), seen("a")), "", "x/y")


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"type": "update"}, "no event with type"),
        ({"type": "genai", "after": {}}, "no event with type"),
        ({"type": "new", "after": {"id": "1"}}, "needs camera"),
        (event(seen(), seen("a", id="x")), "id is not"),
        (event(seen(), seen("a", frame_time="soon")), "frame_time is not a number"),
        (event(seen(), seen("--")), "no letter or digit"),
        (event(seen(), seen(current_zones=3)), "zones is not a JSON array"),
        (b"3", "event is not a JSON object"),
        (b"", "not JSON"),
    ],
)
def test_bad_input_is_refused_with_a_reason(payload: object, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        decode(payload)


def test_two_people_at_once_are_no_event() -> None:
    two = Count(at=0.0, source="s", counter="s", kind="event", line="a", forward=2, seq=1)
    with pytest.raises(ValueError, match="no such device"):
        frigate_events.encode([two], venue="small", device="s")


@given(junk("type new update end before after id camera label person current_zones frame_time false_positive"))
def test_any_bytes_are_facts_or_undecodable(payload: bytes) -> None:
    with contextlib.suppress(Undecodable):
        assert all(fact.source for fact in decode(payload))
