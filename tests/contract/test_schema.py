"""The generated files are up to date, are what they claim to be, and describe what flowmon really writes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from flowmon import schema, wire
from flowmon.__main__ import main
from flowmon.facts import Count
from flowmon.feed.entries import Floors, entry
from flowmon.feed.hub import Hub
from flowmon.feed.messages import KEYED_CHANNELS, LOG_CHANNELS
from flowmon.feed.orders import Identity
from flowmon.feed.session import About, Session
from flowmon.findings import Published
from flowmon.journal.kafka_findings import headers
from flowmon.schema import frames
from flowmon.schema.asyncapi import cloud_event
from flowmon.schema.jsonschema import NATIVE, documents
from flowmon.venue.parse import load
from sensors.dialects.native import WHATS
from tests.contract import golden

MUSEUM = Path(__file__).parents[2] / "deploy/venues/museum.toml"
CHANNELS = (*KEYED_CHANNELS, *LOG_CHANNELS)
DOCUMENTS = documents()


def validator(file: str, definition: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$defs": DOCUMENTS[file]["$defs"], "$ref": f"#/$defs/{definition}"})


@pytest.mark.parametrize("name", sorted(schema.files()))
def test_checked_in_files_are_what_the_contract_generates(name: str) -> None:
    text = schema.checked_in(name).read_text(encoding="utf-8")
    assert text == schema.files()[name], "run `flowmon schema` and commit what it writes"


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_schemas_are_valid_2020_12(name: str) -> None:
    assert DOCUMENTS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(DOCUMENTS[name])


@pytest.mark.parametrize(("name", "union"), [("facts", "Fact"), ("findings", "Finding"), ("commands", "Command")])
def test_what_is_encoded_validates(name: str, union: str) -> None:
    whole = validator(f"{name}.schema.json", union)
    for value in golden.VALUES[name]:
        data = json.loads(wire.encode(value))
        if name == "commands":
            data["t"] = "cmd"
        whole.validate(data)
        validator(f"{name}.schema.json", type(value).__name__).validate(data)


def test_records_validate_and_an_empty_one_does_not() -> None:
    record = validator("facts.schema.json", "Record")
    record.validate(json.loads(wire.encode(golden.VALUES["facts"])))
    assert not record.is_valid([])
    assert not record.is_valid([{"type": "count", "at": "noon", "source": "c", "counter": "c", "kind": "event"}])
    assert not record.is_valid([{"type": "no such fact", "at": 1.0, "source": "c"}])


@pytest.mark.parametrize("what", NATIVE)
def test_native_payloads_are_facts_without_what_topic_and_gateway_know(what: str) -> None:
    payload = validator("native.schema.json", what)
    values = [value for value in golden.VALUES["facts"] if type(value).__name__ == NATIVE[what]]
    assert values
    for value in values:
        data = json.loads(wire.encode(value))
        for field in ("type", "source", "seen"):
            data.pop(field, None)
        payload.validate(data)
        payload.validate([data, data])
    assert not payload.is_valid(3)


def test_the_native_dialect_speaks_what_is_documented() -> None:
    assert {what: kind.__name__ for what, kind in WHATS.items()} == NATIVE


def test_findings_carry_the_headers_that_are_documented() -> None:
    names = [name for name, _ in headers("museum", 7, 0, golden.VALUES["findings"][0])]
    assert sorted(names) == sorted(cloud_event()["required"])


def test_a_native_count_may_leave_its_counter_out() -> None:
    validator("native.schema.json", "count").validate({"at": 1.0, "kind": "event", "forward": 1})
    validator("native.schema.json", "status").validate({"health": "offline"})


def test_the_feed_shows_what_the_schema_says() -> None:
    floors = Floors(load(MUSEUM))
    shown = set()
    for finding in golden.VALUES["findings"]:
        made = entry(finding, "museum", floors)
        if made is None or made.channel not in frames.CHANNELS:
            continue
        shown.add(made.channel)
        kind = frames.CHANNELS[made.channel].__name__
        validator("feed.schema.json", kind).validate(json.loads(wire.encode(made.fields)))
        known = DOCUMENTS["feed.schema.json"]["$defs"][kind]["properties"]
        assert not made.fields.keys() - known.keys(), f"describe the new fields in flowmon/schema/frames.py: {kind}"
    assert shown == {*KEYED_CHANNELS, "alerts"} == set(frames.CHANNELS)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    whole = json.loads(schema.files()["asyncapi.json"])
    files: dict[str, Any] = {"": whole, **DOCUMENTS}
    references = list(_references(whole))
    assert len(references) > 50
    for reference in references:
        file, _, pointer = reference.partition("#/")
        target = files[file]
        for part in pointer.split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]


def _references(node: object) -> Any:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def test_check_tells_which_file_is_out_of_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--to", str(tmp_path)]) == 0
    assert main(["schema", "--check", "--to", str(tmp_path)]) == 0
    (tmp_path / "types.d.ts").write_text("// by hand", encoding="utf-8")
    (tmp_path / "facts.schema.json").unlink()
    capsys.readouterr()
    assert main(["schema", "--check", "--to", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "types.d.ts" in said
    assert "facts.schema.json" in said
    assert "findings.schema.json" not in said


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    assert main(["schema", "--to", str(blocked / "below")]) == 1
    assert "--to" in capsys.readouterr().err


def test_types_name_every_field_of_a_fact() -> None:
    text = schema.files()["types.d.ts"]
    body = text.split("export interface Count {")[1].split("}")[0]
    assert [line.split(":")[0].strip(" ?") for line in body.strip().splitlines()] == ["type", *Count.__struct_fields__]


def test_the_contract_needs_no_client_library() -> None:
    code = (
        "import sys, flowmon.schema; print([m for m in ('aiokafka','paho','websockets','faust') if m in sys.modules])"
    )
    python = shutil.which(sys.executable) or sys.executable
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd=MUSEUM.parents[2])
    assert done.stdout.strip() == "[]"


def test_what_a_session_says_validates() -> None:
    """A client that says hello, subscribes to everything and gives orders, on a feed full of findings."""
    venue = load(MUSEUM)
    hub = Hub(venue, "k7Qp")
    session = Session("c-1", {venue.id: hub}, venue.id, lambda _: Identity("admin", "dupont"), 0.0, About())
    said = [
        b'{"t":"hello","v":1,"app":{"name":"floor","ver":"0.1.0"},"lang":"fr"}',
        *(b'{"t":"sub","id":%d,"ch":"%b"}' % (n, channel.encode()) for n, channel in enumerate(CHANNELS)),
        b'{"t":"unsub","id":20,"ch":"forecast"}',
        b'{"t":"cmd","id":21,"do":"no such order","idem":"b1"}',
        b'{"t":"ok","seq":{"zones":1},"seen_ms":12.5}',
    ]
    frame = jsonschema.Draft202012Validator(DOCUMENTS["feed.schema.json"])
    told: list[bytes] = []
    findings = golden.VALUES["findings"]
    for step, data in enumerate(said):
        if not data.startswith(b'{"t":"cmd"'):
            frame.validate(json.loads(data))
        session.receive(data.decode(), float(step), step * 1000)
        hub.publish([Published(venue.id, step, n, finding) for n, finding in enumerate(findings)], step * 1000)
        while more := session.drain(float(step), step * 1000):
            told += more
    assert session.closing is None
    for line in told:
        frame.validate(json.loads(line))
    assert {json.loads(line)["t"] for line in told} == {"welcome", "snap", "delta", "ev", "res", "hb"}
