"""Mapping files: what they read, what they refuse, and what is said of one that cannot be used."""

import asyncio
import contextlib
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowmon.__main__ import main
from flowmon.clock import Clock
from flowmon.errors import FlowmonError, Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, QueueReading, Sighting, ZoneCount
from flowmon.venue.model import Route
from sensors.dialects import DIALECTS, find
from sensors.dialects.port import Message
from sensors.gateway import Gateway
from sensors.mapping.beside import dialects_of
from sensors.mapping.dialect import Mapped
from sensors.mapping.read import MappingInvalid, load, parse
from sensors.mapping.samples import run
from sensors.mapping.shipped import shipped
from sensors.routes import Routes
from tests.fakes import FakeInbox, MemoryJournal, until
from tests.small import venue
from tests.unit.junk import junk

SEEN = 1_777_730_461.0
HEAD = 'name = "door"\nformat = "{format}"\n{top}\n[family]\nname = "Door"\ntransports = ["HTTP"]\nsource = "here"\n'


def mapping(body: str, *, form: str = "json", top: str = "") -> Mapped:
    mapped, problems = parse((HEAD.format(format=form, top=top) + body).encode())
    assert not problems, problems
    assert mapped is not None
    return mapped


def decode(mapped: Mapped, payload: object, topic: str = "x", device: str = "d", **more: str) -> list[Fact]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return mapped.decode(Message(topic=topic, payload=data, seen=SEEN, headers=more), device)


ROWS = """
[match]
where = ["lines"]
[[facts]]
type = "count"
kind = "window"
each = "lines[?type=='door']"
start = { path = "from", time = "ms" }
end = { path = "to", time = "ms" }
line = "id"
forward = { path = "n.in", digits = true }
backward = "n.out"
complete = { path = "samples", over = "expected" }
invert = true
"""


def test_rows_with_conditions_shares_and_a_turned_line() -> None:
    row = {"type": "door", "id": 2, "from": 1777730400000, "to": 1777730460000, "n": {"in": "3", "out": 1}}
    body = {"lines": [row | {"samples": 30, "expected": 60}, {"type": "zone"}], "simulated": True}
    assert decode(mapping(ROWS), body) == [
        Count(
            at=1777730460.0, source="d", seen=SEEN, counter="d", kind="window", line="2", start=1777730400.0,
            end=1777730460.0, forward=1, backward=3, complete=0.5, simulated=True,
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": 3}, "n is not a JSON object"),
        ({"n": {"in": "3", "out": -1}}, "out is not a whole number"),
        ({"to": 1777730400000}, "begin before it ends"),
        ({"expected": 0}, "no share"),
        ({"from": "yesterday"}, "from is not a number"),
        ({"id": ""}, "id is not a name"),
    ],
)
def test_a_row_that_cannot_be_read_refuses_the_message(change: dict[str, object], words: str) -> None:
    row = {"type": "door", "id": 2, "from": 1777730400000, "to": 1777730460000, "n": {"in": "3", "out": 1},
           "samples": 1, "expected": 1}  # fmt: skip
    with pytest.raises(Undecodable, match=words):
        decode(mapping(ROWS), {"lines": [row | change]})
    with pytest.raises(Undecodable, match="another kind"):
        decode(mapping(ROWS), {"rows": []})


XML = """
device = ["@DeviceId", { route = true }]
[match]
where = ["ReportData"]
[[facts]]
type = "count"
kind = "window"
each = "//Object[@kind='door']/Count"
start = { path = "@UnixStartTime", time = "s" }
window_s = 60.0
forward = "@Enters"
backward = "Out"
"""


def xml_mapping() -> Mapped:
    top, _, body = XML.partition("[match]")
    return mapping("[match]" + body, form="xml", top='root = "Metrics"\n' + top)


def test_xml_by_local_names() -> None:
    body = (
        b'<m:Metrics xmlns:m="urn:x" DeviceId="b-7"><ReportData><Object kind="lamp"><Count/></Object>'
        b'<Object kind="door"><Count UnixStartTime="1777730400" Enters="4"><Out> 2 </Out></Count></Object>'
        b"</ReportData></m:Metrics>"
    )
    [fact] = decode(xml_mapping(), body)
    assert isinstance(fact, Count)
    assert (fact.source, fact.forward, fact.backward, fact.end) == ("b-7", 4, 2, 1777730460.0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "b">]><Metrics>&a;</Metrics>', "document type"),
        (b"<Metrics>" + b"<a>" * 400, "not XML"),
        (b"<Metrics>" + b"<a>" * 400 + b"</a>" * 400 + b"</Metrics>", "too deep"),
        (b"<Other/>", "another kind"),
        (b"", "not XML"),
    ],
)
def test_xml_that_is_not_ours_or_a_bomb(body: bytes, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        decode(xml_mapping(), body)


def test_a_form_with_the_device_in_a_header_and_a_time_of_day_that_happened_twice() -> None:
    body = """
[match]
where = ["n"]
[[facts]]
type = "zone_count"
zone = { text = "{room} {device}", spelt = "slug" }
people = "n"
at = { path = "when", time = "%d.%m.%Y %H:%M", zone = "Europe/Paris", fold = "nearest" }
"""
    mapped = mapping(body, form="form", top='device = [{ header = "X-Serial" }]')
    [fact] = decode(mapped, b"room=Salle+711&n=12&when=25.10.2026+02%3A30", **{"x-serial": "Door 7"})
    assert fact == ZoneCount(at=1792888200.0, source="Door 7", seen=SEEN, zone="salle-711-door-7", people=12)
    with pytest.raises(Undecodable, match="does not exist"):
        decode(mapped, b"room=a&n=1&when=29.03.2026+02%3A30", **{"x-serial": "d"})
    with pytest.raises(Undecodable, match="names no device"):
        decode(mapped, b"room=a&n=1&when=25.10.2026+02%3A30")


def test_csv_lines_and_numbers_with_a_comma() -> None:
    body = """
[csv]
decimal = ","
[match]
where = [{ topic = 0, equals = "queues" }]
[[facts]]
type = "queue_reading"
queue = "name"
wait_s = { path = "wait", unit = "min" }
length = "len"
"""
    mapped = mapping(body, form="csv")
    facts = decode(mapped, b"name;wait;len\ntickets;1,5;7\ncloaks;;2\n", "queues/all")
    assert facts == [
        QueueReading(at=SEEN, source="d", seen=SEEN, queue="tickets", length=7, wait_s=90.0),
        QueueReading(at=SEEN, source="d", seen=SEEN, queue="cloaks", length=2),
    ]
    for bad in (b"name;wait;len\ntickets;1\n", b'"', b"", b"\xff"):
        with pytest.raises(Undecodable, match="not "):
            decode(mapped, bad, "queues/all")


def test_a_text_with_a_pattern() -> None:
    body = """
[[facts]]
type = "device_status"
health = { path = "state", map = { up = "online", down = "fault" } }
reason = "why"
"""
    mapped = mapping(body, form="text", top=r"pattern = '(?P<state>up|down) ?(?P<why>.{0,40})'")
    assert decode(mapped, b"down lens covered") == [
        DeviceStatus(at=SEEN, source="d", seen=SEEN, health="fault", reason="lens covered")
    ]
    with pytest.raises(Undecodable, match="another form"):
        decode(mapped, b"sideways")


def test_beacons_by_their_parts() -> None:
    body = """
[match]
where = ["IBEACON"]
[[facts]]
type = "sighting"
where = [{ path = "IBEACON.STATE", differs = "OFF" }]
uuid = "IBEACON.UID"
major = { path = "IBEACON.MAJOR", base = 16 }
minor = { path = "IBEACON.MINOR", base = 16 }
rssi_dbm = "IBEACON.RSSI"
"""
    told = {"UID": "e2c56db5dffb48d2b060d0f5a71096e0", "MAJOR": "0001", "MINOR": "00ff", "RSSI": "-56", "STATE": "ON"}
    [fact] = decode(mapping(body), {"IBEACON": told})
    assert isinstance(fact, Sighting)
    assert (fact.beacon[-6:], fact.rssi_dbm, fact.receiver) == ("-1-255", -56.0, "d")
    assert decode(mapping(body), {"IBEACON": told | {"STATE": "OFF"}}) == []


BROKEN = """
name = "My Door"
format = "json"
zone = "Paris"
[family]
name = "Door"
transports = ["HTTP"]
source = "here"
[[facts]]
type = "count"
forwards = "in"
[[facts]]
type = "zone_count"
"""


def test_every_problem_is_told_with_its_place() -> None:
    mapped, problems = parse(BROKEN.encode(), "door.toml")
    assert mapped is None
    assert [(p.path, p.hint) for p in problems] == [("facts[0].forwards", "did you mean forward?")]
    _, problems = parse(BROKEN.replace("forwards", "line").encode(), "door.toml")
    paths = [problem.path for problem in problems]
    assert paths == ["name", "zone", "match", "facts[0]", "facts[0].kind", "facts[1].zone", "facts[1].people"]
    assert all(problem.hint and problem.file == "door.toml" for problem in problems)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ('"a ||"', "no JMESPath"),
        ('"[[[[[@,@],@],@],@],@]"', "too much work"),
        ('{ path = "a", topic = 1 }', "2 places"),
        ("{ }", "0 places"),
        ('{ path = "a", regex = "(a+)+" }', "too long"),
        ('{ path = "a", regex = "(" }', "no regular expression"),
        ('{ path = "a", map = 3 }', "map is no table"),
        ('{ pth = "a" }', "unknown key"),
        ("[1]", "neither a selector nor a table"),
    ],
)
def test_picks_that_cannot_be_used(field: str, words: str) -> None:
    body = f'[match]\nwhere = ["a"]\n[[facts]]\ntype = "zone_count"\nzone = "z"\npeople = {field}\n'
    _, problems = parse((HEAD.format(format="json", top="") + body).encode())
    assert words in " ".join(problem.message for problem in problems)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ('{ path = "t", time = "%d/%m" }', "no zone"),
        ('{ path = "t", time = "hours" }', "no form of time"),
        ('{ path = "t", time = "%H:%M", zone = "Mars" }', "no time zone"),
        ('{ path = "t", time = "%Q", zone = "UTC" }', "no pattern of strptime"),
    ],
)
def test_times_that_cannot_be_used(at: str, words: str) -> None:
    body = f'[match]\nwhere = ["a"]\n[[facts]]\ntype = "zone_count"\nzone = "z"\npeople = "n"\nat = {at}\n'
    _, problems = parse((HEAD.format(format="json", top="") + body).encode())
    assert words in " ".join(problem.message for problem in problems)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_file_is_a_mapping_or_problems(data: bytes) -> None:
    mapped, problems = parse(data)
    assert (mapped is None) == bool(problems)


def test_an_endless_key_and_a_large_file_are_refused_at_once() -> None:
    began = time.perf_counter()
    for data, words in ((b"a." * 100_000 + b"a = 1", "64 parts"), (b"#" * 300_000, "too large")):
        assert words in parse(data)[1][0].message
    assert time.perf_counter() - began < 2.0


WORDS = "DetectedPersonsZone occupancy Human timestamp serial connected count_in count_out device_id lines from to n in"
PAYLOADS = junk(WORDS) | st.sampled_from([b"<Metrics/>", b"a=b", b"x;y\n1;2\n", b"1", b"online"])


@given(st.sampled_from([*shipped().values(), mapping(ROWS), xml_mapping()]), PAYLOADS, st.text(max_size=20))
@settings(deadline=None)
def test_any_bytes_are_facts_or_undecodable(mapped: Mapped, payload: bytes, topic: str) -> None:
    with contextlib.suppress(Undecodable):
        assert all(fact.source for fact in decode(mapped, payload, topic))


@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_mappings_do_what_their_samples_say(name: str) -> None:
    outcomes = run(shipped()[name], Path())
    assert len(outcomes) >= 3
    assert [outcome.difference for outcome in outcomes if not outcome.passed] == []


def test_map_test_passes_fails_and_misses_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "test", "steinel"]) == 0
    file = tmp_path / "door.toml"
    file.write_text(HEAD.format(format="json", top="") + ROWS, encoding="utf-8")
    assert main(["map", "test", str(file)]) == 1
    assert "add [[samples]]" in capsys.readouterr().out
    sample = '[[samples]]\nsays = "nobody"\nfile = "nobody.json"\ndevice = "d"\n'
    sample += 'facts = [{ type = "zone_count", zone = "z", people = 1 }]\n'
    file.write_text(HEAD.format(format="json", top="") + ROWS + sample, encoding="utf-8")
    assert main(["map", "test", str(file)]) == 1
    assert "nobody.json cannot be read" in capsys.readouterr().out
    (tmp_path / "nobody.json").write_text('{"lines": []}', encoding="utf-8")
    assert main(["map", "test", str(file), "--json"]) == 1
    [report] = json.loads(capsys.readouterr().out)
    assert report["samples"][0]["difference"] == [
        f'- {{"type":"zone_count","at":{SEEN},"source":"d","seen":{SEEN},"zone":"z","people":1}}'
    ]


@pytest.mark.parametrize("page", ["README.md", "sensors/dialects/README.md"])
def test_the_example_of_the_documentation_does_what_it_says(page: str) -> None:
    text = Path(__file__).parents[2].joinpath(page).read_text(encoding="utf-8")
    examples = [part.partition("```")[0] for part in text.split("```toml\n")[1:] if "[[facts]]" in part]
    assert examples
    for example in examples:
        mapped, problems = parse(example.encode())
        assert not problems
        assert mapped is not None
        assert [outcome for outcome in run(mapped, Path()) if not outcome.passed] == []


def test_a_difference_names_the_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "hpd.toml"
    text = Path(__file__).parents[2].joinpath("sensors/mappings/steinel.toml").read_text(encoding="utf-8")
    file.write_text(text.replace("people = 2 }", "people = 3 }"), encoding="utf-8")
    assert main(["map", "test", str(file)]) == 1
    told = capsys.readouterr().out
    assert "- facts[1].people = 3" in told
    assert "+ facts[1].people = 2" in told


def test_a_route_names_a_mapping_beside_its_venue_file(tmp_path: Path) -> None:
    (tmp_path / "door.toml").write_text(HEAD.format(format="json", top="") + ROWS, encoding="utf-8")
    small = venue(routes=[Route(topic="door/+", dialect="door.toml")])
    routes = Routes([small], dialects_of([small], [tmp_path / "venue.toml"]))
    origin = routes.origin("door/7")
    assert (origin.dialect, origin.device) == ("door.toml", "7")
    assert isinstance(routes.dialects[origin.dialect], Mapped)
    with pytest.raises(FlowmonError, match="or name a mapping file"):
        Routes([small])
    with pytest.raises(MappingInvalid, match="cannot be read"):
        dialects_of([small], [tmp_path / "elsewhere" / "venue.toml"])


async def test_what_a_mapping_reads_is_in_the_journal_before_it_is_acknowledged(tmp_path: Path) -> None:
    (tmp_path / "door.toml").write_text(HEAD.format(format="json", top="") + ROWS, encoding="utf-8")
    small = venue(routes=[Route(topic="door/+", dialect="door.toml")])
    inbox, journal = FakeInbox(), MemoryJournal()
    gateway = Gateway(
        inbox,
        Routes([small], dialects_of([small], [tmp_path / "venue.toml"])),
        {"small": small},
        journal,
        journal.append_sightings,
        journal.append_rejects,
        Clock(),
    )
    row = {"type": "door", "id": 1, "from": 1777730400000, "to": 1777730460000, "n": {"in": 3, "out": 1}}
    body = json.dumps({"lines": [row | {"samples": 1, "expected": 1}]}).encode()
    running = asyncio.create_task(gateway.run())
    inbox.put(
        *(Message(topic="door/7", payload=data, seen=SEEN, qos=1, mid=n + 1) for n, data in enumerate((body, b"{}")))
    )
    await until(lambda: len(inbox.acked) == 2)
    gateway.stop()
    await asyncio.wait_for(running, 10)
    [entry] = journal.entries["small"]
    assert [(fact.source, fact.at) for fact in entry.record] == [("7", 1777730460.0)]
    assert gateway.counts.rejects == {"a message of another kind": 1}


def test_find_takes_a_name_or_a_file(tmp_path: Path) -> None:
    assert find("steinel") is DIALECTS["steinel"]
    with pytest.raises(FlowmonError, match="no dialect 'nobody'"):
        find("nobody")
    with pytest.raises(MappingInvalid):
        find(str(tmp_path / "nothing.toml"))
    with pytest.raises(MappingInvalid):
        load(tmp_path / "nothing.toml")


def test_a_costly_search_is_bounded() -> None:
    body = (
        '[match]\nwhere = ["a"]\n[[facts]]\ntype = "zone_count"\nzone = { path = "a", regex = "x*x*y" }\npeople = "n"\n'
    )
    began = time.perf_counter()
    with pytest.raises(Undecodable):
        decode(mapping(body), {"a": "x" * 200, "n": 1})
    assert time.perf_counter() - began < 1.0
