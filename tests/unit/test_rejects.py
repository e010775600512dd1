"""`flowmon rejects` on the data folder of `flowmon run`: listed, shown, read again once, and never made up."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from flowmon.__main__ import main
from flowmon.clock import Clock
from flowmon.errors import JournalError
from flowmon.facts import Count, Fact, QueueReading
from flowmon.findings import Rejected
from flowmon.journal.files import FileJournal, read_folder
from flowmon.venue.model import Counter, Floor, Portal, Queue, Receiver, Route, Venue, Zone
from sensors.dialects.port import Message
from sensors.rejects import Rejects
from streams import rejectfile
from streams.rejectlist import general, hexdump, rows
from streams.rejects import write
from streams.rejectstore import MOST, FolderStore, Kept, load, mark_of, name_of
from streams.retry import Retry
from tests.typical import SEEN, TYPICAL

XOVIS = TYPICAL["xovis"][0].payload
MAC = "80:1F:12:00:00:01"
SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
ROUTED = Venue(
    id="small",
    name="Small",
    timezone="Europe/Paris",
    floors={"0": Floor(outline=SQUARE)},
    zones={"hall": Zone(floor="0", capacity=100, outline=SQUARE)},
    portals={"gate": Portal(between=("outside", "hall"))},
    counters={"door": Counter(portal="gate", towards="hall", device=MAC)},
    receivers={"ble-hall": Receiver(zone="hall", at=(5.0, 5.0))},
    queues={"tickets": Queue(zone="hall", desks=2, device="q-1")},
    routes=[
        Route(topic="xovis/+/logics", dialect="xovis"),
        Route(topic="gw/#", dialect="minew", device="ble-hall"),
        Route(topic="free/minew", dialect="minew"),
    ],
)
ROUTE = '[[routes]]\ntopic = "xovis/+/logics"\ndialect = "xovis"\n'


def reject(
    topic: str, payload: bytes, reason: str = "topic of no route: 'x'", at: float = SEEN, **more: Any
) -> Rejected:
    kept = Rejects([ROUTED]).keep(
        "small", Message(topic=topic, payload=payload, seen=at, **more), None, reason, simulated=False
    )
    assert kept is not None
    return kept


def kept(told: Rejected) -> Kept:
    return Kept("small", name_of(told), told)


def retry(told: Rejected, now: float = SEEN + 10) -> Any:
    return Retry([ROUTED], now).again(kept(told))


# what is decoded again


def test_what_a_route_now_names_is_read() -> None:
    outcome = retry(reject("xovis/door/logics", XOVIS))
    [fact] = outcome.facts
    assert isinstance(fact, Count)
    assert (outcome.venue, outcome.reason) == ("small", "")
    assert (fact.source, fact.forward, fact.seen, fact.historical) == (MAC, 3, SEEN, False)


def test_what_is_older_than_an_hour_is_historical() -> None:
    told = reject("xovis/door/logics", XOVIS)
    assert [fact.historical for fact in retry(told, SEEN + 3600).facts] == [False]
    assert [fact.historical for fact in retry(told, SEEN + 3601).facts] == [True]


def test_a_masked_device_is_not_made_up() -> None:
    body = b'[{"timestamp":"2026-05-02T14:01:00Z","type":"Gateway","mac":"AC233F000001"}]'
    told = reject("elsewhere/minew", body)
    assert b"AC233F" not in base64.b64decode(told.raw)
    again = structs.replace(told, topic="free/minew")
    assert "masked" in retry(again).reason
    nameless = XOVIS.replace(b'"serial_number":"80:1F:12:00:00:01",', b"")
    told = reject("xovis/80:1F:12:00:00:02/logics", nameless)
    assert told.topic == "xovis/***/logics"
    assert retry(told).facts == []


def test_a_counter_that_no_venue_file_knew_is_read_all_the_same() -> None:
    told = reject("xovis/door/logics", XOVIS.replace(MAC.encode(), b"80:1F:12:00:00:02"))
    assert [fact.source for fact in retry(told).facts] == ["80:1F:12:00:00:02"]


def test_a_masked_value_is_told_as_a_possible_cause() -> None:
    told = reject("xovis/door/logics", b'{"password":"x","a')
    assert "masked" in retry(told).reason
    assert "masked" not in retry(reject("xovis/door/logics", b"{")).reason


def test_a_part_of_a_message_is_not_read() -> None:
    told = reject("xovis/door/logics", XOVIS + b" " * 5000)
    assert "only its first 4096 bytes" in retry(told).reason


def test_a_queue_gets_its_own_name() -> None:
    body = b'{"at":1777730460,"queue":"q-1","length":4}'
    [fact] = retry(reject("flowmon/v1/small/q-1/queue", body)).facts
    assert isinstance(fact, QueueReading)
    assert fact.queue == "tickets"


def test_sightings_stay_lost() -> None:
    body = b'[{"at":1777730460,"beacon":"b-7","rssi_dbm":-70}]'
    outcome = retry(reject("flowmon/v1/small/ble-hall/sighting", body))
    assert (outcome.facts, outcome.sightings, outcome.reason) == ([], 1, "")


def test_what_fails_says_why() -> None:
    assert retry(reject("nowhere", b"x")).reason.startswith("topic of no route")
    journal = Rejected(at=0.0, source="journal", reason="not a record", topic="flowmon.facts/7")
    assert "not from a device" in retry(journal).reason
    assert "base64" in retry(Rejected(at=1.0, source="gateway", reason="x", topic="gw/a", raw="§")).reason


# the file and the list


def test_rejects_are_read_with_those_of_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "small.jsonl"
    told = [reject(f"t/{n}", b"x") for n in range(3)]
    rejectfile.append(path, told[:1])
    rejectfile.append(path, told[1:], most=1)  # which moves the first one away
    with path.open("ab") as file:
        file.write(b'{"type":"tick","at":1}\n{"type":"rejec')
    assert list(rejectfile.read(path)) == told
    assert list(rejectfile.read(tmp_path / "none.jsonl")) == []
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(JournalError, match="cannot read"):
        list(rejectfile.read(tmp_path / "folder.jsonl"))


async def test_no_more_than_the_newest_are_looked_at(tmp_path: Path) -> None:
    few = Rejected(at=1.0, source="gateway", reason="x")
    rejectfile.append(tmp_path / "rejects" / "small.jsonl", [few] * (MOST + 5))
    found, left_out = await load(FolderStore(tmp_path, Clock()))
    assert (len(found), left_out) == (MOST, 5)


def test_reasons_are_gathered_without_what_differs() -> None:
    told = [
        kept(reject(f"t/{n}", b"x", reason, at=SEEN + n))
        for n, reason in enumerate(["no room: 'a'", "not JSON: byte 7", "no room: 'b'"])
    ]
    assert [len(group) for group in rows(told)] == [2, 1]
    assert general("no room: 'a'") == "no room: …"


def test_bytes_are_shown_as_hex_and_text() -> None:
    assert hexdump(bytes(range(0x3E, 0x50)))[1] == "00000010  4e 4f                                            NO"


# the verb


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with four rejects and a running journal's file."""
    told = [
        reject("xovis/door/logics", XOVIS, at=SEEN),
        reject("xovis/door/logics", XOVIS.replace(b'"value":3', b'"value":4'), at=SEEN + 60),
        reject("xovis/\x1b[31mdoor/logics", b'{"password":"geheim"', "not JSON: byte 7", at=SEEN + 1),
        reject("other/door", b"x", at=SEEN + 2),
    ]
    rejectfile.append(tmp_path / "data" / "rejects" / "museum.jsonl", told)
    text = (Path(__file__).parents[2] / "deploy" / "venues" / "museum.toml").read_text()
    (tmp_path / "venue.toml").write_text(text + "\n" + ROUTE)
    return tmp_path


def run(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["rejects", *words, "--data", str(folder / "data")])
    out, err = capsys.readouterr()
    return code, out, err


def test_they_are_listed_by_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(folder, capsys, "--json")
    first, second = json.loads(out)
    assert code == 0
    assert (first["n"], first["count"], first["newest"], first["reason"]) == (1, 3, SEEN + 60, "topic of no route: …")
    assert (second["count"], second["venue"]) == (1, "museum")
    _, out, _ = run(folder, capsys)
    assert "topic of no route" in out
    assert "\x1b[31m" not in out
    _, out, _ = run(folder, capsys, "--reason", "json", "--json")
    assert [row["count"] for row in json.loads(out)] == [1]
    _, out, _ = run(folder, capsys, "--venue", "other")
    assert out == "no rejects\n"


def test_one_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(folder, capsys, "show", "2")
    assert code == 0
    assert "reason   not JSON: byte 7" in out
    assert '{"password":"***' in out
    assert "geheim" not in out
    assert "\x1b" not in out
    name = out.split()[1]
    assert json.loads(run(folder, capsys, "show", name, "--json")[1])["name"] == name
    assert "no reject 9" in run(folder, capsys, "show", "9")[2]
    assert run(folder, capsys, "show")[0] == 2
    assert run(folder, capsys, "retry", "1")[0] == 2


def test_they_are_read_again_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = ("retry", "--venue-file", str(folder / "venue.toml"))
    code, out, _ = run(folder, capsys, *again, "--dry-run", "--json")
    assert json.loads(out)["written"] is False
    assert not (folder / "data" / "journal").exists()

    code, out, _ = run(folder, capsys, *again, "--json")
    assert code == 1
    told = json.loads(out)
    assert (told["read"], told["facts"], told["historical"], told["written"]) == (2, 2, 2, True)
    assert sum(told["failing"].values()) == 2
    entries = list(read_folder(folder / "data" / "journal", "museum"))
    facts: list[Fact] = [fact for entry in entries for fact in entry.record]
    assert [fact.forward for fact in facts if isinstance(fact, Count)] == [3, 4]
    assert all(fact.historical for fact in facts)

    _, out, _ = run(folder, capsys, *again)
    assert "0 of 2 read now" in out
    assert "1 still fail: topic of no route" in out
    assert len(list(read_folder(folder / "data" / "journal", "museum"))) == len(entries)


def test_a_running_engine_is_not_written_beside(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(_retry_beside(folder, capsys))


async def _retry_beside(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = FileJournal(folder / "data" / "journal", [ROUTED], clock=Clock())
    try:
        words = ["rejects", "retry", "--venue-file", str(folder / "venue.toml"), "--data", str(folder / "data")]
        assert await asyncio.to_thread(main, words) == 2
        assert "stop it" in capsys.readouterr().err
    finally:
        await journal.close()


def test_no_data_folder_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(tmp_path, capsys)
    assert code == 2
    assert "--data" in err


async def test_a_mark_takes_a_reject_off_the_list_and_facts_come_first(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    store = FolderStore(tmp_path, Clock())
    told = [reject("xovis/door/logics", XOVIS), reject("nowhere", b"x")]
    rejectfile.append(tmp_path / "rejects" / "small.jsonl", told)
    outcomes = [Retry([ROUTED], SEEN).again(one) for one in (await load(store))[0]]
    await store.open([ROUTED])
    await write(store, outcomes, SEEN)
    await store.close()
    assert [one.reject.topic for one in (await load(store))[0]] == ["nowhere"]
    assert mark_of(kept(told[0]), SEEN).cause == name_of(told[0])
