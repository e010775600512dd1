"""Topics to venue, dialect and device."""

import pytest

from flowmon.errors import FlowmonError, Undecodable
from flowmon.venue.model import Receiver, Route
from sensors.dialects.port import Message
from sensors.routes import Origin, Posted, Routes, matches
from tests.small import venue

ROUTED = venue(
    routes=[
        Route(topic="xovis/+/logics", dialect="xovis"),
        Route(topic="doors/#", dialect="xovis", device="door-1"),
    ]
)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/", True),
        ("a/+/c", "a/b/c", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "b", False),
        ("#", "a/b", True),
        ("#", "$SYS/uptime", False),
        ("+/uptime", "$SYS/uptime", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("$share/flowmon/a/+", "a/b", True),
        ("+", "a", True),
        ("+/+", "/a", True),
        ("a/B", "a/b", False),
    ],
)
def test_filters_match_as_mqtt_says(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


@pytest.mark.parametrize(
    ("topic", "origin"),
    [
        ("flowmon/v1/small/ctr-01/count", Origin("small", "native")),
        ("espresense/devices/iBeacon:a-1-2/ble-hall", Origin("small", "espresense")),
        ("espresense/rooms/ble-room/status", Origin("small", "espresense")),
        ("xovis/80:1F:12:D3:27:CA/logics", Origin("small", "xovis", "80:1F:12:D3:27:CA")),
        ("doors/north/logics", Origin("small", "xovis", "door-1")),
    ],
)
def test_known_topics(topic: str, origin: Origin) -> None:
    assert Routes([ROUTED]).origin(topic) == origin


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        ("flowmon/v1/other/ctr-01/count", "no venue here: 'other'"),
        ("espresense/devices/iBeacon:a-1-2/kitchen", "no receiver.*'kitchen'"),
        ("espresense", "no receiver"),
        ("homeassistant/status", "no route"),
        ("", "no route"),
        ("flowmon/v2/small/x/count", "no route"),
    ],
)
def test_unknown_topics_are_refused(topic: str, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        Routes([ROUTED]).origin(topic)


def test_what_is_subscribed_follows_from_the_venue() -> None:
    assert Routes([venue(receivers={})]).filters == ["flowmon/v1/small/#"]
    assert "espresense/devices/#" in Routes([ROUTED]).filters
    assert "xovis/+/logics" in Routes([ROUTED]).filters


def test_two_venues_on_one_broker_are_told_apart_by_device() -> None:
    route = [Route(topic="xovis/+/logics", dialect="xovis")]
    counter = ROUTED.counters["ctr-gate"]
    one = venue(routes=route, receivers={})
    two = venue(id="annex", routes=route, receivers={}, counters={"80:1F": counter})
    assert Routes([one, two]).origin("xovis/80:1F/logics").venue == "annex"
    assert Routes([one, two]).origin("xovis/99:99/logics").venue == "small"


def test_a_room_in_two_venues_cannot_be_told_apart() -> None:
    with pytest.raises(FlowmonError, match="rename one"):
        Routes([venue(), venue(id="annex")])
    other = venue(id="annex", receivers={"r": Receiver(zone="hall", at=(0.0, 0.0), device="annex-hall")})
    assert Routes([venue(), other]).origin("espresense/rooms/annex-hall/status").venue == "annex"


def test_an_unknown_dialect_is_named() -> None:
    with pytest.raises(FlowmonError, match="klingon"):
        Routes([venue(routes=[Route(topic="a/#", dialect="klingon")])])


POSTED = venue(
    routes=[
        Route(path="hik", dialect="hikvision", auth="digest"),
        Route(path="xovis/+/logics", dialect="xovis", auth="basic"),
        Route(path="door", dialect="xovis", auth="none", device="door-1"),
        Route(topic="mqtt/+", dialect="xovis"),
    ]
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("hik", Posted("hik", "digest", Origin("small", "hikvision"))),
        ("xovis/80:1F/logics", Posted("xovis/+/logics", "basic", Origin("small", "xovis", "80:1F"))),
        ("door", Posted("door", "none", Origin("small", "xovis", "door-1"))),
        *[(path, None) for path in ("", "hik/", "/hik", "Hik", "hik/x", "xovis//logics", "xovis/+/logics", "mqtt/a")],
        ("flowmon/v1/small/ctr-gate/count", None),
    ],
)
def test_what_a_path_leads_to(path: str, found: Posted | None) -> None:
    assert Routes([POSTED]).posted(path) == found


def test_paths_are_not_subscribed_and_topics_are_not_posted_to() -> None:
    routes = Routes([POSTED])
    assert not {"hik", "door", "xovis/+/logics"} & set(routes.filters)
    assert [post.path for post in routes.posts] == ["hik", "xovis/+/logics", "door"]
    assert routes.of(Message("hik", b"", 0.0, pushed=True)) == Origin("small", "hikvision")
    for topic, pushed in [("hik", False), ("mqtt/a", True), ("espresense/rooms/ble-room/status", True)]:
        with pytest.raises(Undecodable, match="of no route"):
            routes.of(Message(topic, b"", 0.0, pushed=pushed))


def test_a_path_in_two_venues() -> None:
    family = [Route(path="xovis/+", dialect="xovis", auth="none")]
    counter = POSTED.counters["ctr-gate"]
    one = venue(routes=family, receivers={})
    two = venue(id="annex", routes=family, receivers={}, counters={"80:1F": counter})
    found = Routes([one, two]).posted("xovis/80:1F")
    assert found is not None
    assert found.origin.venue == "annex"
    door = [Route(path="door", dialect="xovis", auth="none")]
    with pytest.raises(FlowmonError, match="with the venue in front"):
        Routes([venue(routes=door, receivers={}), venue(id="annex", routes=door, receivers={})])
