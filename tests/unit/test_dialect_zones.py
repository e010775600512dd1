"""Frigate, Steinel HPD and DataQ: sensors that tell who is there, not who passes. Written from the formats."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, ZoneCount
from sensors.dialects import DIALECTS
from sensors.dialects.port import Dialect, Message, Unwanted
from tests.unit.junk import junk

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "frigate"
SEEN = 1_777_730_461.0
dataq, frigate, steinel = DIALECTS["dataq"], DIALECTS["frigate"], DIALECTS["steinel"]
ZONES = "steinel/hpd/DetectedPersonsZone"


def decode(dialect: Dialect, topic: str, payload: object, device: str = "", *, retained: bool = False) -> list[Fact]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return dialect.decode(Message(topic=topic, payload=data, seen=SEEN, retained=retained), device)


@pytest.mark.parametrize(("payload", "people"), [(b"3", 3), (b"0", 0), (b" 12\n", 12)])
def test_frigate_tells_a_bare_number_of_people(payload: bytes, people: int) -> None:
    assert decode(frigate, "frigate/front_hall/person", payload) == [
        ZoneCount(at=SEEN, seen=SEEN, source="frigate", zone="front-hall", people=people)
    ]


def test_frigate_behind_a_prefix_of_two_levels_and_a_named_route() -> None:
    [fact] = decode(frigate, "museum/frigate/Salle 711/person", b"1", "nvr-1")
    assert fact == ZoneCount(at=SEEN, seen=SEEN, source="nvr-1", zone="salle-711", people=1)


@pytest.mark.parametrize(
    ("payload", "health"), [(b"online", "online"), (b"offline", "offline"), (b"stopped", "offline")]
)
def test_frigate_tells_whether_it_runs(payload: bytes, health: str) -> None:
    [fact] = decode(frigate, "frigate/available", payload, retained=True)
    assert isinstance(fact, DeviceStatus)
    assert (fact.source, fact.health) == ("frigate", health)


@pytest.mark.parametrize(
    "topic",
    ["frigate/hall/person/active", "frigate/hall/all", "frigate/hall/car", "frigate/events", "person", "x/person"],
)
def test_frigate_is_not_asked_for_more(topic: str) -> None:
    with pytest.raises(Unwanted):
        decode(frigate, topic, b"1")


def test_the_published_frigate_event_names_a_person_and_is_not_kept() -> None:
    path = SAMPLES / "events_update.json"
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    with pytest.raises(Unwanted) as refused:
        decode(frigate, "frigate/events", path.read_bytes())
    assert "Smith" not in str(refused.value)


def test_steinel_zones_are_numbered_and_never_added_up() -> None:
    facts = decode(steinel, ZONES, {"DetectedPersonsZone": [0, 0, 2, 1, 1, 0, 1, 0]}, "HPD Foyer")
    assert [fact.people for fact in facts if isinstance(fact, ZoneCount)] == [0, 0, 2, 1, 1, 0, 1, 0]
    assert facts[2] == ZoneCount(at=SEEN, seen=SEEN, source="HPD Foyer", zone="hpd-foyer-3", people=2)


def test_steinel_http_status_with_numbers_as_text_beside_the_zones() -> None:
    status = {
        "AppVersion": "3.2.3", "DetectedPersons": 1, "DetectedPersonsZone": [0, 1, 0, 0, 0], "Temperature": "27.745661",
    }  # fmt: skip
    assert len(decode(steinel, "steinel/hpd", status, "hpd")) == 5


@pytest.mark.parametrize("payload", [{"LuxZone": [70.0]}, {"Humidity": 67.0}, {"DetectedPersons": 3}])
def test_steinel_sister_topics_are_not_counts(payload: object) -> None:
    with pytest.raises(Unwanted):
        decode(steinel, "steinel/hpd/x", payload, "hpd")


def occupancy(classes: object, **fields: object) -> dict[str, object]:
    return {"occupancy": classes, "timestamp": 1_777_730_400_318, "serial": "B8A44F7ADD87", "name": "Front"} | fields


@pytest.mark.parametrize(("classes", "people"), [({"Human": 3, "Car": 1}, 3), ({"Car": 1}, 0), ({}, 0)])
def test_dataq_leaves_out_who_is_not_there(classes: object, people: int) -> None:
    assert decode(dataq, "dataq/occupancy/B8A44F7ADD87", occupancy(classes)) == [
        ZoneCount(at=1_777_730_400.318, seen=SEEN, source="B8A44F7ADD87", zone="b8a44f7add87", people=people)
    ]


def test_dataq_on_a_route_that_names_the_zone() -> None:
    [fact] = decode(dataq, "dataq/occupancy/B8A44F7ADD87", occupancy({"Human": 2}), "salle-711")
    assert isinstance(fact, ZoneCount)
    assert (fact.source, fact.zone, fact.people) == ("salle-711", "salle-711", 2)


@pytest.mark.parametrize(("connected", "health"), [(True, "online"), (False, "offline")])
def test_dataq_tells_whether_it_is_connected(connected: bool, health: str) -> None:
    told = {"connected": connected, "address": "192.0.2.1", "serial": "B8A44F7ADD87"}
    [fact] = decode(dataq, "dataq/connect/B8A44F7ADD87", told, retained=True)
    assert isinstance(fact, DeviceStatus)
    assert (fact.source, fact.health) == ("B8A44F7ADD87", health)


def test_dataq_tracks_of_single_people_are_not_kept() -> None:
    with pytest.raises(Unwanted):
        decode(dataq, "dataq/tracker/B8A44F7ADD87", {"id": "abc", "class": "Human", "color": "Blue", "serial": "B8"})


@pytest.mark.parametrize(
    ("dialect", "topic", "payload"),
    [(frigate, "frigate/hall/person", b"1"), (steinel, ZONES, {"DetectedPersonsZone": [1]})],
)
def test_a_retained_state_without_a_time_is_not_kept(dialect: Dialect, topic: str, payload: object) -> None:
    with pytest.raises(Unwanted, match="retained"):
        decode(dialect, topic, payload, "d", retained=True)


@pytest.mark.parametrize(
    ("dialect", "topic", "payload", "words"),
    [
        (frigate, "frigate/hall/person", b"ON", "people is not a whole number"),
        (frigate, "frigate/hall/person", b"-1", "people is not a whole number"),
        (frigate, "frigate/hall/person", b"1.5", "people is not a whole number"),
        (frigate, "frigate/hall/person", b'"1"', "people is not a whole number"),
        (frigate, "frigate/hall/person", b"", "people is not a whole number"),
        (frigate, "frigate/__/person", b"1", "no letter or digit"),
        (frigate, "/available", b"online", "names no device"),
        (frigate, "frigate/available", b"maybe", "none of online, offline, stopped"),
        (steinel, ZONES, {"DetectedPersonsZone": [1]}, "name the device on its route"),
        (steinel, ZONES, b"[1]", "body is not a JSON object"),
        (dataq, "x", occupancy({"Human": -1}), "Human is not a whole number"),
        (dataq, "x", occupancy({"Human": None}), "Human is not a number"),
        (dataq, "x", occupancy([]), "occupancy is not a JSON object"),
        (dataq, "x", occupancy({}, timestamp=None), "timestamp is not a number"),
        (dataq, "x", {"occupancy": {}, "timestamp": 1}, "name the device on its route"),
    ],
)
def test_bad_input_is_refused_with_a_reason(dialect: Dialect, topic: str, payload: object, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        decode(dialect, topic, payload)


@pytest.mark.parametrize("payload", [{"DetectedPersonsZone": [-1]}, {"DetectedPersonsZone": [255.5]}])
def test_steinel_zones_are_whole_numbers(payload: object) -> None:
    with pytest.raises(Undecodable, match="is not a whole number"):
        decode(steinel, ZONES, payload, "hpd")
    with pytest.raises(Undecodable, match="more than 64 rows"):
        decode(steinel, ZONES, {"DetectedPersonsZone": [0] * 65}, "hpd")


@pytest.mark.parametrize("dialect", [frigate, steinel, dataq])
def test_none_of_them_counts_crossings(dialect: Dialect) -> None:
    with pytest.raises(ValueError, match="no such device"):
        dialect.encode([Count(at=0.0, source="s", counter="s", kind="event")], venue="small", device="s")
    with pytest.raises(ValueError, match="no memory"):
        dialect.encode([ZoneCount(at=0, source="s", zone="s", people=1, historical=True)], venue="small", device="s")


TOPICS = st.text(max_size=20) | st.sampled_from(
    ["frigate/a/person", "a/available", "dataq/occupancy/a", ZONES, "//person"]
)


@given(
    st.sampled_from([frigate, steinel, dataq]),
    junk("DetectedPersonsZone occupancy Human timestamp serial connected")
    | st.sampled_from([b"1", b"online", b"1e999"]),
    TOPICS,
    st.sampled_from(["", "d", "é"]),
)
def test_any_bytes_are_facts_or_undecodable(dialect: Dialect, payload: bytes, topic: str, device: str) -> None:
    with contextlib.suppress(Undecodable):
        assert all(fact.source for fact in decode(dialect, topic, payload, device))
