"""`flowmon explain`: on a simulated morning every number is the sum of its parts, and is the one that was told then."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flowmon.__main__ import main
from flowmon.explain.fold import fold, reasons
from flowmon.explain.report import adds_up, described, text, total
from flowmon.facts import DeviceStatus, Record, Recounted
from flowmon.findings import Correction, ZoneState
from flowmon.journal.files import FileJournal, header_of, write_recording
from flowmon.journal.port import Entry
from flowmon.monitor.core import Monitor
from flowmon.recording.fold import replay
from flowmon.recording.times import zone_of
from simulator.record import records
from simulator.simulation import Simulation
from streams.snapshots import Checkpoint, save
from tests import tiny_museum

VENUE = tiny_museum.venue()
FIRST_OFFSET = 500
RECOUNT_S, FAULT_S = 4_000, 5_000  # after the beginning

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def morning() -> list[Entry]:
    """A simulated morning: somebody counts the hall, and later a counter says that it is out of order."""
    simulation = Simulation(VENUE, tiny_museum.day(visitors=250), 5)
    begin = simulation.day.start
    told: list[Record] = list(records(simulation))
    at = begin + RECOUNT_S
    counted = Recounted(
        at=at, seen=at, source="user:ines", zone="hall", people=9, by="ines", note="twice", command="c1"
    )
    at = begin + FAULT_S
    ill = DeviceStatus(at=at, seen=at, source="c-arch", health="fault", simulated=True)
    for fact in (counted, ill):
        place = next(i for i, record in enumerate(told) if record[-1].seen > fact.seen)
        told.insert(place, [fact])
    return [Entry("tiny", FIRST_OFFSET + number, record) for number, record in enumerate(told)]


@pytest.fixture(scope="module")
def recording(morning: list[Entry], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explain") / "morning.jsonl.gz"
    header = header_of(VENUE, simulated=True, first_offset=FIRST_OFFSET)
    write_recording(path, header, [entry.record for entry in morning])
    return path


@pytest.fixture
def flowmon(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: object) -> tuple[int, str, str]:
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def begin(morning: list[Entry]) -> float:
    return morning[0].record[-1].seen


def test_every_number_is_the_sum_of_its_parts_and_the_one_told_then(morning: list[Entry]) -> None:
    told: dict[str, ZoneState] = {}  # the closed number each zone had last
    straight = Monitor(VENUE)
    records_left = iter(morning)
    held = next(records_left, None)
    for after in (700, 3_000, RECOUNT_S + 5, 6_400, 9_001, 20_000):
        until = begin(morning) + after
        while held is not None and held.record[-1].seen <= until:
            for one in replay(straight, "tiny", [(held.offset, held.record)]):
                if isinstance(one.finding, ZoneState) and not one.finding.provisional:
                    told[one.finding.zone] = one.finding
            held = next(records_left, None)
        monitor = Monitor(VENUE)
        trail = fold(monitor, "hall", morning, until)
        for zone in VENUE.zones:
            found = reasons(monitor, VENUE, zone, trail)
            assert adds_up(found), (zone, after, total(found), found.state, found.why)
            assert found.why.at == found.state.at
            assert told[zone].occupancy == pytest.approx(found.state.occupancy, abs=0.02)


def test_doors_say_what_they_counted_since_the_base(morning: list[Entry]) -> None:
    start, monitor = begin(morning), Monitor(VENUE)
    found = reasons(monitor, VENUE, "hall", fold(monitor, "hall", morning, start + 9_000))
    for door in found.why.doors:
        if door.counter != "c-arch":  # which is out of order: taken at its usual rate
            assert door.entered == pytest.approx(door.counted_in * door.gain_in, rel=0.05, abs=0.5)
            assert door.left == pytest.approx(door.counted_out * door.gain_out, rel=0.05, abs=0.5)
    assert sum(door.counted_in for door in found.why.doors) > 20


def test_a_recount_is_the_base_with_its_offset_and_its_author(
    morning: list[Entry], recording: Path, flowmon: Run
) -> None:
    offset = next(e.offset for e in morning if isinstance(e.record[0], Recounted))
    at = begin(morning) + RECOUNT_S + 120
    code, out, _ = flowmon("explain", "Hall", "--at", f"{at:.0f}", "--recording", recording, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["base"]["by"], found["base"]["at"], found["truth_offset"]) == ("recount", at - 120, offset)
    first = found["corrections"][0]
    assert (first["offset"], first["reason"], first["by"], first["note"]) == (offset, "recount", "ines", "twice")
    assert found["adds_up"] is True
    assert found["simulated"] is True
    assert found["doors"]


def test_an_unwell_counter_is_named_with_since_when(morning: list[Entry], recording: Path, flowmon: Run) -> None:
    at = begin(morning) + FAULT_S + 5
    code, out, _ = flowmon("explain", "east", "--at", at, "--recording", recording)
    assert code == 0
    assert "c-arch fault since" in out
    assert "SIMULATED" in out
    assert "NOT the number" not in out


def test_corrections_of_before_the_base_are_not_listed(morning: list[Entry]) -> None:
    monitor = Monitor(VENUE)
    trail = fold(monitor, "hall", morning, begin(morning) + 20_000)
    base_at = reasons(monitor, VENUE, "hall", trail).why.base_at
    assert base_at is not None
    assert all(jump.correction.at >= base_at for jump in trail.jumps)
    assert all(isinstance(jump.correction, Correction) for jump in trail.jumps)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["hal"], "did you mean hall?"),
        (["nowhere-at-all"], "there are: lobby, hall"),
        (["hall", "--at", "03:00"], "begins"),
        (["hall", "--at", "23:00"], "ends"),
        (["hall", "--at", "soon"], "is no time"),
        (["hall", "--at", "nan"], "is no time"),
    ],
)
def test_what_cannot_be_explained_says_why(recording: Path, flowmon: Run, words: list[str], told: str) -> None:
    code, out, err = flowmon("explain", *words, "--recording", recording)
    assert (code, out) == (2, "")
    assert told in err


def test_nothing_is_known_before_the_first_tick(morning: list[Entry]) -> None:
    with pytest.raises(Exception, match="no record up to then has a tick"):
        reasons(Monitor(VENUE), VENUE, "hall", fold(Monitor(VENUE), "hall", morning[:0], float("inf")))


def test_a_number_that_does_not_add_up_is_called_so(morning: list[Entry]) -> None:
    monitor = Monitor(VENUE)
    found = reasons(monitor, VENUE, "hall", fold(monitor, "hall", morning, begin(morning) + 3_000))
    found.why.evidence["beacons"] = found.why.evidence.get("beacons", 0.0) + 1.0
    assert not adds_up(found)
    assert described(found, VENUE, simulated=True)["adds_up"] is False
    assert "this is NOT the number that was told" in text(found, VENUE, zone_of("Europe/Paris"), simulated=True)


@pytest.fixture
def data(morning: list[Entry], tmp_path: Path) -> Path:
    """The folder of a `flowmon run` over the first hour, with its checkpoint after half of it."""
    part = [entry.record for entry in morning if entry.record[-1].seen <= begin(morning) + 3_600]

    async def write() -> None:
        journal = FileJournal(tmp_path / "journal", [VENUE], simulated=True)
        await asyncio.gather(*(journal.append("tiny", record) for record in part))
        await journal.close()

    asyncio.run(write())
    monitor, half = Monitor(VENUE), len(part) // 2
    for record in part[: half + 1]:
        monitor.apply_record(record)
    (tmp_path / "checkpoints").mkdir()
    save(tmp_path / "checkpoints" / "tiny.bin", Checkpoint(half, monitor.snapshot()))
    return tmp_path


def test_a_running_museum_is_explained_from_its_checkpoint_alike(data: Path, flowmon: Run) -> None:
    code, short, note = flowmon("explain", "lobby", "--data", data, "--json")
    assert code == 0
    assert "from the checkpoint of offset" in note
    code, whole, note = flowmon("explain", "lobby", "--data", data, "--json", "--from-start")
    assert (code, note) == (0, "")
    known, all_of_it = json.loads(short), json.loads(whole)
    looked_up = {"truth_offset", "corrections", "corrections_dropped"}
    assert {k: v for k, v in known.items() if k not in looked_up} == {
        k: v for k, v in all_of_it.items() if k not in looked_up
    }
    # Earlier than the checkpoint: it cannot be used.
    code, _, note = flowmon("explain", "lobby", "--data", data, "--at", "+20m")
    assert (code, note) == (0, "")


def test_a_checkpoint_of_another_version_is_not_used(data: Path, flowmon: Run) -> None:
    save(data / "checkpoints" / "tiny.bin", Checkpoint(5, b"\x80"))
    code, out, note = flowmon("explain", "hall", "--data", data)
    assert code == 0
    assert "rebuild from the journal" in note
    assert "adds up to" in out


def test_an_empty_folder_is_no_journal(tmp_path: Path, flowmon: Run) -> None:
    code, _, err = flowmon("explain", "hall", "--data", tmp_path)
    assert code == 2
    assert "choose with --venue" in err
