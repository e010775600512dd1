"""OpenDataCam: people among cars, in a recording's JSON and its CSV. Written from the format."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact
from sensors.dialects import opendatacam
from sensors.dialects.port import Message
from tests.unit.junk import junk

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "opendatacam"
SEEN = 1_777_730_461.0
AREA = "94afa4f8-1d24"
HEADER = '"Timestamp","Counter area","ObjectClass","UniqueID","CountingDirection"'
ROW = '"2026-05-02T14:00:00.250Z","Porte","person",41,"leftright_topbottom"'


def decode(payload: object, device: str = "cam") -> list[Fact]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return opendatacam.decode(Message(topic="x", payload=data, seen=SEEN), device)


def crossing(**changes: object) -> dict[str, object]:
    told = {"timestamp": "2026-05-02T14:00:00.250Z", "area": AREA, "name": "person", "id": 41, "bearing": 155}
    return told | {"countingDirection": "leftright_topbottom"} | changes


def recording(*history: object, **changes: object) -> dict[str, object]:
    return {"_id": "5cc", "areas": {AREA: {"name": "Porte"}}, "counterHistory": list(history)} | changes


def person(line: str = "Porte", forward: int = 1, backward: int = 0, seq: int = 82) -> Count:
    return Count(
        at=1_777_730_400.25, seen=SEEN, source="cam", counter="cam", kind="event", line=line, forward=forward,
        backward=backward, seq=seq,
    )  # fmt: skip


def test_a_person_in_the_lists_of_lists() -> None:
    back = crossing(countingDirection="rightleft_bottomtop", id=42)
    told = recording([crossing(), crossing(name="car")], [], [back])
    assert decode(told) == decode([told]) == [person(), person(forward=0, backward=1, seq=85)]


def test_an_area_without_a_name_is_its_id() -> None:
    assert decode(recording([crossing()], areas={})) == [person(AREA)]


def test_the_same_from_the_csv() -> None:
    assert decode(f"{HEADER}\n{ROW}\n{ROW.replace('person', 'truck')}\n\n".encode()) == [person()]


def test_the_published_csv_has_only_cars_and_the_published_json_is_none() -> None:
    for name in ("counter_history.csv", "counter_example_as_documented.txt"):
        if not (SAMPLES / name).exists():
            pytest.skip("third-party payloads are not beside this checkout")
    assert decode((SAMPLES / "counter_history.csv").read_bytes()) == []
    # the documented example lacks a comma and a bracket, and stands in a comment
    with pytest.raises(Undecodable, match="not JSON"):
        decode((SAMPLES / "counter_example_as_documented.txt").read_bytes())


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ([], "no recording"),
        ({"counterSummary": {}}, "no counterHistory"),
        (recording([crossing(countingDirection=None)]), "no countingDirection"),
        (recording([crossing(timestamp="2026-02-30T00:00:00Z")]), "timestamp is not a time"),
        (recording([crossing(id=-1)]), "id is not a whole number"),
        (recording([crossing(area=None)]), "area is not a name"),
        (f"{HEADER}\n{ROW[:40]}".encode(), "truncated row in the CSV: row 2|not CSV"),
        (b'"Timestamp","Other"\n', "other columns"),
        (HEADER.encode() + b"\n\xff", "not UTF-8"),
        (HEADER.encode() + b"\n" + b"x" * 3_000, "longer than"),
        (b"", "not JSON"),
    ],
)
def test_bad_input_is_refused_with_a_reason(payload: object, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        decode(payload)


def test_it_must_be_named_and_never_speaks() -> None:
    with pytest.raises(Undecodable, match="name it on its route"):
        decode(recording(), "")
    with pytest.raises(ValueError, match="read only"):
        opendatacam.encode([person()], venue="small", device="cam")


@given(junk("counterHistory areas area name person id timestamp countingDirection leftright_topbottom"))
def test_any_bytes_are_facts_or_undecodable(payload: bytes) -> None:
    with contextlib.suppress(Undecodable):
        decode(payload)
