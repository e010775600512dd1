"""`flowmon record | info | cut | replay` as a person uses them, with a monitor of the real core."""

import argparse
import json
import os
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from flowmon.__main__ import main
from flowmon.facts import Count, Fact, Record, Tick
from flowmon.journal.files import FileJournal, header_of, read_recording, write_recording
from flowmon.monitor.core import Monitor
from flowmon.recording import replay as verb
from flowmon.recording.fold import replay
from flowmon.venue.model import Counter, Floor, Hours, Portal, Venue, Zone

ROOT = Path(__file__).parents[2]
NOON = 1_777_716_000.0  # 2026-05-02 12:00 in Paris

VENUE = Venue(
    id="museum",
    name="Museum",
    timezone="Europe/Paris",
    floors={"0": Floor(outline=[(0, 0), (10, 0), (10, 10), (0, 10)])},
    zones={"foyer": Zone(floor="0", capacity=20, outline=[(0, 0), (10, 0), (10, 10), (0, 10)])},
    portals={"door": Portal(between=("outside", "foyer"))},
    counters={"ctr": Counter(portal="door", towards="foyer")},
    hours=[Hours(opens="09:00", closes="18:00")],
)


def records(minutes: int = 10) -> list[Record]:
    """A tick a second, and every ten seconds somebody enters."""
    made: list[Record] = []
    for second in range(minutes * 60):
        at = NOON + second
        made.append([Tick(at=at, seen=at, source="ticker", seq=int(at))])
        if second % 10 == 0:
            made.append([Count(at=at, seen=at, source="ctr", seq=second, counter="ctr", kind="event", forward=1)])
    return made


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "day.jsonl"
    write_recording(path, header_of(VENUE, simulated=True, first_offset=100, seed=7), records())
    return path


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def flowmon(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a verb; exit code, standard output, standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_info_says_what_is_inside(flowmon: Run, recording: Path) -> None:
    code, out, _ = flowmon("info", recording, "--json")
    (found,) = json.loads(out)
    assert code == 0
    assert found["venue"] == "museum"
    assert (found["records"], found["facts"], found["offsets"]) == (660, 660, [100, 759])
    assert found["types"] == {"tick": 600, "count": 60}
    assert found["sources"] == {"ticker": 600, "ctr": 60}
    assert (found["start"], found["duration_s"]) == (NOON, 599.0)
    assert found["simulated"] is True
    assert found["metadata"] == {"seed": 7}
    code, out, _ = flowmon("info", recording)
    assert "2026-05-02T12:00:00+02:00" in out


@pytest.mark.parametrize(
    ("flags", "first", "last"),
    [
        (["--start", "12:05"], 300, 599),
        (["--start", "12:05", "--until", "12:06"], 300, 359),
        (["--start", "+2m", "--duration", "30s"], 120, 149),
        (["--until", "2026-05-02T10:01:00Z"], 0, 59),
        (["--start", "2026-05-02T12:09:59"], 599, 599),
    ],
)
def test_a_cut_keeps_the_offsets(
    flowmon: Run, recording: Path, tmp_path: Path, flags: list[str], first: int, last: int
) -> None:
    piece = tmp_path / "piece.jsonl.gz"
    assert flowmon("cut", recording, *flags, "--out", piece)[0] == 0
    whole = dict(read_recording(recording)[1])
    header, found = read_recording(piece)
    kept = list(found)
    assert [kept[0][1][0].at, kept[-1][1][-1].at] == [NOON + first, NOON + last]
    assert header.first_offset == kept[0][0]
    assert all(whole[offset] == record for offset, record in kept)
    assert header.more == {"seed": 7}


def test_replay_sums_up_and_repeats_to_the_byte(flowmon: Run, recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "findings.jsonl.gz"
    code, text, _ = flowmon("replay", recording, "--loop", 3, "--out", out, "--json")
    found = json.loads(text)
    assert code == 0
    assert (found["passes"], found["records"], found["same"]) == (3, 1980, True)
    assert found["types"]["zone_state"] > 0
    assert flowmon("replay", recording, "--assert", out)[0] == 0
    straight = list(replay(Monitor(VENUE), "museum", read_recording(recording)[1]))
    assert found["findings"] == 3 * len(straight)


def test_replay_of_pieces_is_the_replay_of_the_whole(flowmon: Run, recording: Path, tmp_path: Path) -> None:
    flowmon("cut", recording, "--until", "12:04", "--out", tmp_path / "a.jsonl")
    flowmon("cut", recording, "--start", "12:04", "--out", tmp_path / "b.jsonl.gz")
    _, whole, _ = flowmon("replay", recording, "--json")
    _, parts, _ = flowmon("replay", tmp_path / "b.jsonl.gz", tmp_path / "a.jsonl", "--json")
    assert json.loads(whole)["sha256"] == json.loads(parts)["sha256"]
    code, _, err = flowmon("replay", tmp_path / "a.jsonl", recording)
    assert code == 1
    assert "leave one of them out" in err


def test_a_difference_is_shown_and_has_its_own_exit_code(flowmon: Run, recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "findings.jsonl"
    flowmon("replay", recording, "--out", out)
    lines = out.read_text().splitlines(keepends=True)
    for changed in (
        [*lines[:5], lines[5].replace('"index":', '"index":9'), *lines[6:]],
        lines[:-1],
        [*lines, lines[-1]],
    ):
        out.write_text("".join(changed))
        code, _, err = flowmon("replay", recording, "--assert", out)
        assert code == 3
        assert "expected" in err
        assert "found" in err


def test_a_later_start_has_the_state_of_what_came_before(flowmon: Run, recording: Path, tmp_path: Path) -> None:
    flowmon("replay", recording, "--out", tmp_path / "all.jsonl")
    flowmon("replay", recording, "--start", "12:05", "--out", tmp_path / "late.jsonl")
    late = (tmp_path / "late.jsonl").read_text()
    assert late
    assert (tmp_path / "all.jsonl").read_text().endswith(late)


def test_types_of_facts_can_be_left_out(flowmon: Run, recording: Path) -> None:
    _, only, _ = flowmon("replay", recording, "--only", "tick", "--json")
    _, without, _ = flowmon("replay", recording, "--exclude", "count", "--json")
    assert json.loads(only)["facts"] == 600
    assert json.loads(only)["sha256"] == json.loads(without)["sha256"]


def test_a_rate_takes_its_time_and_gaps_are_shortened(flowmon: Run, tmp_path: Path) -> None:
    path = tmp_path / "gap.jsonl"
    times = [0.0, 1.0, 10_000.0, 10_001.0]
    write_recording(path, header_of(VENUE), [[Tick(at=NOON + t, source="ticker", seq=int(t))] for t in times])
    began = time.monotonic()
    assert flowmon("replay", path, "--rate", 10, "--max-gap", "2s")[0] == 0
    assert 0.4 <= time.monotonic() - began < 5.0


def test_an_unmarked_system_gets_the_plan_and_nothing_else(
    flowmon: Run, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWMON_KAFKA", "127.0.0.1:1")
    code, out, err = flowmon("replay", recording, "--to", "kafka", "--rate", 60)
    assert code == 4
    assert "127.0.0.1:1, not marked simulated" in out
    assert "taking 10 s" in out
    assert "nothing was sent" in err
    monkeypatch.setenv("FLOWMON_SIMULATED", "1")
    assert flowmon("replay", recording, "--to", "kafka", "--dry-run")[0] == 0


def test_usage_errors_have_their_own_exit_code(flowmon: Run, recording: Path, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("hello\n")
    for words, message in (
        (["replay", tmp_path / "absent.jsonl"], "No such file"),
        (["replay", tmp_path / "other.txt"], "line 1: "),
        (["replay", recording, "--rate", "fast"], "no rate"),
        (["replay", recording, "--start", "noonish"], "write it like 13:50"),
        (["replay", recording, "--only", "tack"], "invalid choice"),
        (["replay", recording, "--loop", "0"], "at least once"),
        (["replay", recording, "--assert", tmp_path / "absent"], "no file"),
        (["replay", recording, "--to", "kafka", "--out", tmp_path / "x"], "--to null"),
        (["cut", recording, "--until", "12:01", "--duration", "5m", "--out", tmp_path / "x"], "not both"),
        (["cut", recording, "--until", "12:01", "--out", recording], "another name"),
        (["info", tmp_path / "other.txt"], "line 1: "),
        (["record", "--data", tmp_path, "--out", tmp_path / "x"], "choose with --venue"),
    ):
        code, _, err = flowmon(*words)
        assert (code, message in err) == (2, True), (words, err)


def test_a_damaged_recording_is_named_by_its_line(flowmon: Run, recording: Path) -> None:
    lines = recording.read_bytes().splitlines(keepends=True)
    recording.write_bytes(b"".join([*lines[:7], b"[{]\n", *lines[8:]]))
    code, _, err = flowmon("replay", recording)
    assert code == 1
    assert "line 8" in err


async def test_record_saves_a_part_of_a_journal_that_is_being_written(flowmon: Run, tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal", [VENUE])
    for record in records(minutes=2):
        await journal.append("museum", record)
    whole, part = tmp_path / "whole.jsonl", tmp_path / "part.jsonl"
    assert flowmon("record", "--data", tmp_path, "--out", whole)[0] == 0
    start = ["--start", "2026-05-02T12:01", "--duration", "10s"]
    assert flowmon("record", "--data", tmp_path, "--venue", "museum", *start, "--out", part)[0] == 0
    await journal.close()
    assert [record for _, record in read_recording(whole)[1]] == records(minutes=2)
    header, found = read_recording(part)
    assert header.plan == VENUE
    assert [record[0].at for _, record in found if isinstance(record[0], Tick)] == [NOON + 60 + s for s in range(10)]


class Broker:
    """Stands in for simulator.publish.Publisher; remembers what devices said."""

    told: list[Fact]

    def __init__(self, venue: Venue, url: str, *, username: str, password: str, client: str) -> None:
        Broker.told = []

    def publish(self, facts: list[Fact]) -> None:
        Broker.told += facts

    def drain(self) -> None:
        pass

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_devices_say_it_again_marked_simulated_and_later_in_each_pass(
    recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWMON_SIMULATED", "1")
    parser = argparse.ArgumentParser()
    verb.arguments(parser)
    words = [str(recording), "--to", "mqtt", "--rate", "max", "--loop", "2"]
    parser.set_defaults(mqtt_publisher=f"{Broker.__module__}:Broker")
    assert verb.run(parser.parse_args(words)) == 0
    told = Broker.told
    assert len(told) == 120
    assert all(isinstance(fact, Count) and fact.simulated for fact in told)
    assert [fact.at for fact in told] == sorted({fact.at for fact in told})
    parser.set_defaults(mqtt_publisher="")
    assert verb.run(parser.parse_args(words)) == 4
    assert "no MQTT publisher" in capsys.readouterr().err


def test_a_feed_over_a_recording_says_replay(recording: Path) -> None:
    feed = subprocess.Popen(
        [sys.executable, "-m", "flowmon", "replay", recording, "--to", "feed", "--rate", "max", "--port", "0"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FLOWMON_FEED_HOST": "127.0.0.1"},
    )
    try:
        assert feed.stderr is not None
        ready, _, _ = select.select([feed.stderr], [], [], 30)
        assert ready
        address = feed.stderr.readline().split()[2]
        assert feed.stderr.readline().startswith("the recording has ended")
        with urllib.request.urlopen(f"{address}api/state", timeout=10) as answer:
            state = json.load(answer)
        assert state["mode"] == "replay"
        assert state["simulated"] is True
        assert state["zones"]["foyer"]["occ"] >= 50
    finally:
        feed.terminate()
        feed.wait(10)
    assert feed.returncode == 0
