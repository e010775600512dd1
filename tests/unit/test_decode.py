"""`flowmon decode` as an operator uses it: files in, JSON lines out, sentences on standard error."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.__main__ import main
from flowmon.errors import FlowmonError
from sensors import decode, samplefile, scrub
from sensors.dialects import DIALECTS
from sensors.dialects.port import Message
from tests.typical import SEEN, TYPICAL

XOVIS = TYPICAL["xovis"][0].payload


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[Any], str]:
    code = main(["decode", "--seen", str(SEEN), *map(str, words)])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    (tmp_path / "xovis.json").write_bytes(XOVIS)
    return tmp_path / "xovis.json"


def test_one_reader_gives_plain_facts_and_its_name_is_said(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, [fact], err = run(capsys, kept)
    assert code == 0
    assert (fact["type"], fact["kind"], fact["forward"], fact["seen"]) == ("count", "window", 3, SEEN)
    assert "read by xovis (1 facts)" in err
    assert run(capsys, "--dialect", "xovis", kept)[1] == [fact]


def test_the_long_form_names_file_and_dialect(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, [line], _ = run(capsys, "--json", kept)
    assert (line["file"], line["dialect"], line["fact"]["type"]) == (str(kept), "xovis", "count")


def test_two_readers_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = {name: module for name, module in DIALECTS.items() if name in {"xovis", "xovis-live"}}
    readings = decode.read_all(Message(topic="", payload=XOVIS, seen=SEEN), dialects=both | {"again": Twin()})
    lines, understood = decode.report("f", XOVIS, readings, long=False)
    assert understood
    assert [(line["dialect"], line["fact"].forward) for line in lines] == [("xovis", 3), ("again", 3)]


class Twin:
    """A second dialect that reads what xovis reads."""

    FAMILY = DIALECTS["xovis"].FAMILY
    decode = staticmethod(DIALECTS["xovis"].decode)
    encode = staticmethod(DIALECTS["xovis"].encode)


def test_two_names_of_a_module_are_one_dialect() -> None:
    names = [reading.dialect for reading in decode.read_all(Message(topic="t", payload=b"{}", seen=SEEN))]
    assert "openmqttgateway" in names
    assert "theengs" not in names


@pytest.mark.parametrize("dialect", sorted(decode.TOPICS))
def test_a_dialect_that_reads_by_topic_asks_for_it(dialect: str) -> None:
    message = TYPICAL[dialect][0]
    without = decode.read(dialect, DIALECTS[dialect], Message(topic="", payload=message.payload, seen=SEEN), "x")
    assert without.reason == f"needs --topic like {decode.TOPICS[dialect]}"
    assert decode.read(dialect, DIALECTS[dialect], message, "x").facts


def test_a_missing_device_is_named_after_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = json.loads(XOVIS)
    del body["logics_data"]["sensor_info"]
    path = tmp_path / "Door 3.json"
    path.write_text(json.dumps(body))
    code, facts, err = run(capsys, path)
    assert (code, {fact["source"] for fact in facts}) == (0, {"door-3"})
    assert "the file's name stands for it" in err
    code, facts, err = run(capsys, "--device", "door", path)
    assert (code, {fact["source"] for fact in facts}) == (0, {"door"})
    assert "stands for it" not in err


def test_another_reading_of_the_same_bytes_is_tried_only_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "vs125.json"
    path.write_bytes(TYPICAL["milesight"][0].payload)
    code, facts, _ = run(capsys, path)
    assert (code, "dialect" in facts[0]) == (0, False)
    assert run(capsys, "--dialect", "milesight-registers", path)[0] == 0


def test_topic_header_and_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"3")))
    code, [fact], err = run(capsys, "--topic", "frigate/hall/person", "--header", "Content-Type=text/plain", "-")
    assert (code, fact["zone"], fact["people"]) == (0, "hall", 3)
    assert "read by frigate" in err


def test_what_is_not_kept_on_purpose_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "moko.json"
    path.write_bytes(TYPICAL["moko"][0].payload.replace(b"0201061aff4c0002", b"02010607ff4c0010"))
    code, lines, _ = run(capsys, "--dialect", "moko", path)
    assert (code, [line["type"] for line in lines]) == (0, ["unwanted"])
    (tmp_path / "test.json").write_text('{"connection_test":"x"}')
    code, lines, err = run(capsys, tmp_path / "test.json")
    assert (code, lines) == (0, [])
    assert "says nothing" in err


def test_one_bad_file_of_two_is_told_and_fails(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.json"
    broken.write_bytes(XOVIS.replace(b'","', b'" "', 1))
    code, lines, err = run(capsys, kept, broken)
    assert code == 1
    assert [line["type"] for line in lines] == ["count", "rejected"]
    assert lines[1]["file"] == str(broken)
    assert "a comma is missing there" in lines[1]["reason"]
    assert "no dialect" in err


def test_what_cannot_be_tried(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (
        ([tmp_path / "none"], "cannot be read"),
        (["--dialect", "xovvis", kept], "no dialect 'xovvis'"),
        (["--header", "x", kept], "is not NAME=VALUE"),
        (["--seen", "-1", kept], "is no time"),
    ):
        code, lines, err = run(capsys, *words)
        assert (code, lines) == (2, [])
        assert told in err


def test_beacon_ids_are_shown_and_addresses_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "e"
    path.write_text('{"rssi":-70}')
    _, [fact], err = run(capsys, "--topic", "espresense/devices/known:aabbccddeeff/foyer", path)
    assert fact["beacon"] == "known:***"
    assert "keyed tokens" in err
    _, [fact], _ = run(capsys, "--topic", TYPICAL["espresense"][0].topic, path)
    assert fact["beacon"] == "iBeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0-1-263"


@given(st.binary(max_size=100), st.sampled_from(["", "frigate/a/person"]))
def test_any_bytes_are_reported(payload: bytes, topic: str) -> None:
    readings = decode.read_all(Message(topic=topic, payload=payload, seen=SEEN))
    decode.report("f", payload, readings, long=True)


# what the file holds


@pytest.mark.parametrize(
    ("data", "payload", "written"),
    [
        (b"03D2 4800\n0000\n", b"\x03\xd2\x48\x00\x00\x00", True),
        (b"12", b"12", False),  # a bare count
        (b"123456789012345", b"123456789012345", False),
        (b"0000000000000001", b"\0\0\0\0\0\0\0\x01", True),
        (b"ab1", b"ab1", False),
        (b"", b"", False),
        (b"\xbb\x00\x01", b"\xbb\x00\x01", False),
        (b"gkHe", b"gkHe", False),  # base64 is not guessed
    ],
)
def test_hex_is_bytes_written_down(data: bytes, payload: bytes, written: bool) -> None:
    assert samplefile.unhexed(data) == (payload, written)


def test_a_hex_file_is_hex_or_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.hex"
    path.write_text("12\n")
    assert samplefile.read(str(path)) == (b"\x12", True)
    path.write_text("12 3")
    with pytest.raises(FlowmonError, match="not pairs of hex digits"):
        samplefile.read(str(path))
    path.with_suffix(".bin").write_bytes(b"{" * 1_000_001)
    with pytest.raises(FlowmonError, match="larger than 1 MB"):
        samplefile.read(str(path.with_suffix(".bin")))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"a":1\n "b":2}', "line 2, column 2, before '\"b\":2}': a comma is missing"),
        (b'\xef\xbb\xbf{"a":1}', ""),
        (b'{"a":1}{"a":2}', "several JSON values follow one another"),
        (b'{"a":1,}', "a comma too many"),
        (b'{"a":[1,2', "ends too early"),
        (b'{"a":1, // x\n"b":2}', "double quotes"),
        (b'{"a":x}', "at 'x}'"),
        ('{"a":1}'.encode("utf-16"), "UTF-16"),
        (b'{"a":"\xe9"}', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"<a>", ""),
        (b'{"a":1}', ""),
    ],
)
def test_broken_json_is_explained(text: bytes, told: str) -> None:
    said = samplefile.json_trouble(text)
    assert told in said if told else not said


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda data: b"{" + data))
def test_any_bytes_may_stand_in_a_file(data: bytes) -> None:
    payload, written = samplefile.unhexed(data)
    assert written or payload == data
    samplefile.json_trouble(data)


def test_only_addresses_are_masked() -> None:
    assert scrub.address("AA-BB-CC-00-11-22") == "***"
    assert scrub.address("irk:00112233445566778899aabbccddeeff") == "irk:00112233445566778899aabbccddeeff"
