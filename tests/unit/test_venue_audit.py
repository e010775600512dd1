"""Each problem of a venue file, provoked by the least edit of the museum that ships."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from flowmon.errors import VenueInvalid
from flowmon.venue.model import Problem
from flowmon.venue.parse import parse, problems

TEXT = (Path(__file__).parents[2] / "deploy/venues/museum.toml").read_text(encoding="utf-8")


def edited(*edits: tuple[str, str]) -> list[Problem]:
    """The problems of the museum after replacing the first `old` by `new`, for each edit."""
    text = TEXT
    for old, new in edits:
        assert old in text, f"the museum has no {old!r}"
        text = text.replace(old, new, 1)
    return problems(text.encode(), "museum.toml")[1]


def table(header: str) -> str:
    """The text of one table of the museum, its header included."""
    start = TEXT.index(header)
    end = TEXT.find("\n[", start)
    return TEXT[start : end + 1]


def only(found: Sequence[Problem]) -> Problem:
    assert len(found) == 1, found
    (problem,) = found
    assert problem.hint
    assert problem.file == "museum.toml"
    return problem


def test_the_museum_has_no_problem() -> None:
    assert edited() == []


ERRORS = {
    "a venue id that is no slug": (('id = "museum"', 'id = "City Museum"'), "id", "City Museum"),
    "an empty name": (('name = "City Museum"', 'name = " "'), "name", "empty"),
    "a time zone that is none": (("Europe/Paris", "Europe/Pari"), "timezone", "Europe/Pari"),
    "a time zone that is a folder": (("Europe/Paris", "Europe"), "timezone", "no time zone"),
    "a time zone that leaves the folder": (("Europe/Paris", "../../etc/passwd"), "timezone", "no time zone"),
    "a negative venue capacity": (("capacity = 700", "capacity = -7"), "capacity", "-7 is out of range"),
    "a lateness beyond reason": (("lateness_s = 2.0", "lateness_s = 3600"), "lateness_s", "3600"),
    "an opening that is no time": (('opens = "09:00"', 'opens = "9h"'), "hours[0].opens", "9h"),
    "closing before opening": (('closes = "18:00"', 'closes = "08:00"'), "hours[0].closes", "not after"),
    "a day that is none": (("days = [0, 1, 2", "days = [7, 1, 2"), "hours[0].days", "day"),
    "hours without a day": (("days = [4]", "days = []"), "hours[1].days", "day"),
    "a day opened twice": (("days = [4]", "days = [4, 5]"), "hours[1].days", "hours[0] on day 5"),
    "a zone id that is no slug": (
        (
            "[zones.cafe]",
            '[zones.cafe]\nname="x"\nfloor="upper"\ncapacity=1\noutline=[[99,0],[99,1],[98,1]]\n[zones.b]',
        ),
        "zones.b",
        "way out",
    ),
    "a zone on no floor": (('floor = "upper"', 'floor = "uper"'), "zones.landing.floor", "'uper'"),
    "a zone for nobody": (("capacity = 50 ", "capacity = 0 "), "zones.star-room.capacity", "is 0"),
    "an outline of two points": (
        ("outline = [[18, 0], [32, 0], [32, 18], [18, 18]]", "outline = [[18, 0], [32, 0]]"),
        "zones.star-room.outline",
        "2 points",
    ),
    "an outline that crosses itself": (
        ("[[18, 0], [32, 0], [32, 18], [18, 18]]", "[[18, 0], [32, 18], [32, 0], [18, 18]]"),
        "zones.star-room.outline",
        "crosses",
    ),
    "an outline that repeats a point": (
        ("[[18, 0], [32, 0], [32, 18], [18, 18]]", "[[18, 0], [18, 0], [32, 0], [32, 18], [18, 18]]"),
        "zones.star-room.outline",
        "touches",
    ),
    "an outline in degrees or millimetres": (
        ("[[18, 0], [32, 0], [32, 18], [18, 18]]", "[[18, 0], [3200000, 0], [32, 18], [18, 18]]"),
        "zones.star-room.outline",
        "far away",
    ),
    "a portal to a zone that is none": (
        ('between = ["foyer", "cloakroom"]', 'between = ["foyer", "cloakrom"]'),
        "portals.cloakroom-door.between[1]",
        "'cloakrom'",
    ),
    "a portal to itself": (
        ('between = ["foyer", "shop"]', 'between = ["shop", "shop"]'),
        "portals.foyer-shop.between",
        "",
    ),
    "a counter at no portal": (('portal = "stairs"', 'portal = "stair"'), "counters.ctr-stairs.portal", "'stair'"),
    "a counter towards another zone": (
        ('towards = "cloakroom"', 'towards = "cafe"'),
        "counters.ctr-cloakroom.towards",
        "does not lead to 'cafe'",
    ),
    "a counter that is silent at once": (
        ('towards = "cloakroom"', 'towards = "cloakroom"\nsilent_after_s = 0'),
        "counters.ctr-cloakroom.silent_after_s",
        "0",
    ),
    "one line of one device counted twice": (
        ("80:1F:12:D1:00:02", "80:1F:12:D1:00:01"),
        "counters.ctr-exit.device",
        "ctr-entrance already",
    ),
    "a device with the id of another counter": (
        ('towards = "cloakroom"', 'towards = "cloakroom"\ndevice = "ctr-stairs"'),
        "counters.ctr-stairs.device",
        "ctr-cloakroom already",
    ),
    "a receiver in no zone": (('zone = "cafe"', 'zone = "caffe"'), "receivers.rx-cafe.zone", "'caffe'"),
    "two receivers of one device": (
        ('zone = "cafe"', 'zone = "cafe"\ndevice = "rx-shop"'),
        "receivers.rx-cafe.device",
        "rx-shop already",
    ),
    "a receiver with a counter's device": (
        ('zone = "cafe"', 'zone = "cafe"\ndevice = "ctr-stairs"'),
        "receivers.rx-cafe.device",
        "ctr-stairs already",
    ),
    "a queue in no zone": (
        ('zone = "ticket-hall"\ndesks', 'zone = "ticket-hal"\ndesks'),
        "queues.tickets.zone",
        "'ticket-hal'",
    ),
    "a queue without desks": (("desks = 4", "desks = 0"), "queues.tickets.desks", "is 0"),
    "a rule for a zone that is none": (
        ('name = "Zone near its capacity"', 'name = "Near"\nonly = ["star-rom"]'),
        "rules.zone-near.only[0]",
        "'star-rom'",
    ),
    "a rule for a device that is none": (
        ('name = "Device silent"', 'name = "Silent"\nonly = ["ctr-99"]'),
        "rules.device-silent.only[0]",
        "'ctr-99'",
    ),
    "a rule that clears above its limit": (("clear = 0.7", "clear = 0.8"), "rules.zone-near.clear", "not below"),
    "a rule that is always raised": (("above = 0.8", "above = 0"), "rules.zone-near.above", "not above zero"),
    "a rule that never changes": (("hold_s = 30", "hold_s = -1"), "rules.zone-full.hold_s", "-1"),
    "a topic filter that is none": (('topic = "xovis/#"', 'topic = "xovis/#/logics"'), "routes[0].topic", "filter"),
    "a topic filter twice": (('topic = "xovis/#"', 'topic = "espresense/devices/#"'), "routes[1].topic", "routes[0]"),
    "a route of no dialect": (
        ('dialect = "xovis"\n\n[[routes]]', 'dialect = ""\n\n[[routes]]'),
        "routes[0].dialect",
        "",
    ),
    "a route of neither topic nor path": (('topic = "xovis/#"', 'device = "x"'), "routes[0].topic", "has neither"),
    "a route of topic and path": (
        ('topic = "xovis/#"', 'topic = "xovis/#"\npath = "x"\nauth = "basic"'),
        "routes[0].topic",
        "has a topic and a path",
    ),
    "a path with its first slash": (
        ('topic = "xovis/#"', 'path = "/door"\nauth = "basic"'),
        "routes[0].path",
        "'/door' is no path",
    ),
    "a path with a query": (('topic = "xovis/#"', 'path = "d?a=b"\nauth = "basic"'), "routes[0].path", "is no path"),
    "a path that climbs": (('topic = "xovis/#"', 'path = "a/../b"\nauth = "basic"'), "routes[0].path", "is no path"),
    "a path with half a +": (('topic = "xovis/#"', 'path = "d+/x"\nauth = "basic"'), "routes[0].path", "is no path"),
    "a path that anybody posts to by mistake": (('topic = "xovis/#"', 'path = "door"'), "routes[0].auth", "is missing"),
    "a way to prove oneself to a broker": (
        ('topic = "xovis/#"', 'topic = "xovis/#"\nauth = "basic"'),
        "routes[0].auth",
        "means nothing",
    ),
    "a way to prove oneself that is none": (
        ('topic = "xovis/#"', 'path = "door"\nauth = "ntlm"'),
        "routes[0].auth",
        "",
    ),
    "a path twice": (
        ('topic = "xovis/#"', 'path = "d"\nauth = "basic"\ndialect = "axis"\n[[routes]]\npath = "d"\nauth = "basic"'),
        "routes[1].path",
        "routes[0]",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str) -> None:
    edit, path, words = ERRORS[name]
    found = [problem for problem in edited(edit) if problem.severity == "error"]
    matching = [problem for problem in found if problem.path == path]
    assert matching, found
    assert words in matching[0].message
    assert matching[0].hint
    with pytest.raises(VenueInvalid, match=r"."):
        parse(TEXT.replace(*edit, 1).encode())


WARNINGS = {
    "zones that overlap": (("[[18, 0], [32, 0]", "[[17, 0], [32, 0]"), "zones.star-room.outline", "zone antiquity"),
    "a zone out of its floor": (("[48, 18], [32, 18]]", "[49, 18], [32, 18]]"), "zones.sculpture.outline", "ground"),
    "a portal far from the wall": (("at = [12, 28]", "at = [16, 28]"), "portals.ticket-doors.at", "4.0 m"),
    "stairs off both zones": (("at = [30, 21] ", "at = [3, 3] "), "portals.stairs.at", "foyer"),
    "a receiver out of its zone": (("at = [25, 9]", "at = [40, 9]"), "receivers.rx-star-room.at", "star-room"),
    "two counters at one portal": (
        ("[counters.ctr-cloakroom]", '[counters.ctr-x]\nportal="stairs"\ntowards="foyer"\n[counters.ctr-cloakroom]'),
        "counters.ctr-stairs.portal",
        "ctr-x",
    ),
    "two queues in one zone": (
        ('zone = "ticket-hall"\ndesks', 'zone = "entrance-queue"\ndesks'),
        "queues.tickets.zone",
        "",
    ),
    "a path that anybody may post to": (
        ('topic = "xovis/#"', 'path = "xovis/+"\nauth = "none"'),
        "routes[0].auth",
        "can send counts",
    ),
    "a percentage for a fraction": (("above = 0.8", "above = 80"), "rules.zone-near.above", "80 times"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_warning(name: str) -> None:
    edit, path, words = WARNINGS[name]
    found = edited(edit)
    assert all(problem.severity == "warning" for problem in found), found
    assert any(problem.path == path and words in problem.message and problem.hint for problem in found), found
    assert parse(TEXT.replace(*edit, 1).encode()).id == "museum"


def test_a_portal_that_nobody_counts() -> None:
    problem = only(edited((table("[counters.ctr-cloakroom]"), "")))
    assert problem.path == "portals.cloakroom-door"
    assert "nobody counts" in problem.message
    assert 'portal = "cloakroom-door"' in problem.hint


def test_a_zone_without_any_portal() -> None:
    problem = only(edited((table("[counters.ctr-cloakroom]"), ""), (table("[portals.cloakroom-door]"), "")))
    assert problem.path == "zones.cloakroom"
    assert "no way out" in problem.message


def test_an_upper_floor_without_stairs() -> None:
    found = edited((table("[counters.ctr-stairs]"), ""), (table("[portals.stairs]"), ""))
    assert [problem.path for problem in found] == [
        f"zones.{zone}" for zone in ("landing", "painting", "modern", "cafe")
    ]
    assert all("no way out" in problem.message for problem in found)


def test_no_portal_leads_outside() -> None:
    found = edited(
        (table("[counters.ctr-entrance]"), ""),
        (table("[portals.entrance]"), ""),
        (table("[counters.ctr-exit]"), ""),
        (table("[portals.exit]"), ""),
    )
    assert found[0].path == "portals"
    assert {problem.path for problem in found[1:]} >= {"zones.foyer", "zones.cafe"}


def test_outside_cannot_be_a_zone() -> None:
    found = edited(("[zones.cloakroom]", "[zones.outside]"), ('"foyer", "cloakroom"', '"foyer", "outside"'))
    assert "zones.outside" in {problem.path for problem in found}


@pytest.mark.parametrize("name", ["Salle 711", "SHOP", "a--b", "-a", "été", "x" * 65, ""])
def test_ids_are_slugs(name: str) -> None:
    quoted = f'[queues."{name}"]'
    found = edited(("[queues.tickets]", quoted))
    assert len(found) == 1
    assert "cannot be an id" in found[0].message


def test_a_name_that_moves_the_cursor() -> None:
    assert only(edited(('name = "Foyer"', 'name = "Foyer\\u001b[2J"'))).path == "zones.foyer.name"


def test_all_problems_come_at_once() -> None:
    """Unknown key, dangling reference, no way out, nobody counts, capacity missing, crossing outline, duplicate."""
    found = edited(
        ('profile = "hall"', 'profil = "hall"'),
        ('towards = "landing"', 'towards = "landng"'),
        (table("[portals.cloakroom-door]"), ""),
        (table("[counters.ctr-cloakroom]"), ""),
        (table("[counters.ctr-foyer-shop]"), ""),
        ("capacity = 84 ", "#"),
        ("[[18, 0], [32, 0], [32, 18], [18, 18]]", "[[18, 0], [32, 18], [32, 0], [18, 18]]"),
        ("80:1F:12:D1:00:02", "80:1F:12:D1:00:01"),
    )
    assert {problem.path for problem in found} == {
        "zones.foyer.profil",
        "counters.ctr-stairs.towards",
        "zones.cloakroom",
        "portals.foyer-shop",
        "zones.shop.capacity",
        "zones.star-room.outline",
        "counters.ctr-exit.device",
    }


def test_what_cannot_be_read_is_not_judged_twice() -> None:
    assert [p.path for p in edited(("capacity = 50 ", 'capacity = "fifty" '))] == ["zones.star-room.capacity"]
    assert [p.path for p in edited(('between = ["foyer", "cloakroom"]', "between = 3"))] == [
        "portals.cloakroom-door.between"
    ]
    assert [p.path for p in edited(('portal = "stairs"', "portal = 3"))] == ["counters.ctr-stairs.portal"]
    assert [p.path for p in edited(("[queues.tickets]\n", "[queues]\nold = 3\n[queues.tickets]\n"))] == ["queues.old"]
    assert [p.path for p in edited(("outline = [[0, 24]", 'outline = [["0", 24]'))] == [
        "zones.entrance-queue.outline[0][0]"
    ]
