"""Recordings and truth files, and the command line that writes them."""

import json
from pathlib import Path

import msgspec
import pytest

from flowmon.errors import FlowmonError
from flowmon.facts import DeviceStatus, Presence, Sighting, Tick
from flowmon.journal.files import read_recording
from simulator import truth
from simulator.__main__ import main
from simulator.record import RECORD_MAX, records
from simulator.simulation import Simulation
from tests import tiny_museum


def test_records_are_batches_of_twenty_milliseconds_with_a_tick_each_second() -> None:
    simulation = Simulation(tiny_museum.venue(), tiny_museum.day(visitors=60), 1)
    sighted: list[Sighting] = []
    written = list(records(simulation, sighted=sighted.append))
    ticks = [record[0] for record in written if isinstance(record[0], Tick)]
    assert [tick.seq for tick in ticks] == list(range(int(simulation.day.start), int(simulation.day.end) + 1))
    for record in written:
        assert 0 < len(record) <= RECORD_MAX
        assert record[-1].seen - record[0].seen <= 0.021
        assert len(record) == 1 or not any(isinstance(fact, Tick) for fact in record)
        assert all(fact.simulated for fact in record)
        assert not any(isinstance(fact, Sighting) for fact in record)
    seen = [record[0].seen for record in written]
    assert seen == sorted(seen)
    assert sighted
    presences = [fact for record in written for fact in record if isinstance(fact, Presence)]
    assert {p.beacon for p in presences} <= {s.beacon for s in sighted}
    assert any(p.zone == "west" for p in presences)


def test_record_writes_the_same_bytes_twice_and_they_read_back(tmp_path: Path) -> None:
    venue, day = tmp_path / "tiny.toml", tmp_path / "day.toml"
    venue.write_bytes(tiny_museum.TOML)
    day.write_bytes(b"visitors = 40")
    for name in ("a", "b"):
        out, real = str(tmp_path / f"{name}.jsonl"), str(tmp_path / f"{name}.truth")
        arguments = ["--venue", str(venue), "--scenario", str(day), "--seed", "7", "--json"]
        extra = ["--sightings", str(tmp_path / f"{name}.radio")]
        assert main(["record", *arguments, "--out", out, "--truth", real, *extra]) == 0
    for suffix in ("jsonl", "truth", "radio"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    header, entries = read_recording(tmp_path / "a.jsonl")
    assert header.simulated
    assert (header.more["scenario"], header.more["seed"]) == ("day", 7)
    assert header.more["start"] < header.more["end"]
    assert any(isinstance(fact, DeviceStatus) for _, record in entries for fact in record)
    first, truths = truth.read(tmp_path / "a.truth")
    assert (first.venue, first.simulated, first.fingerprint) == ("tiny", True, header.fingerprint)
    assert len(truths) > 40
    line = (tmp_path / "a.radio").read_bytes().splitlines()[1]
    assert msgspec.json.decode(line, type=Sighting).beacon.startswith("tok-")


def test_the_command_line_explains_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    venue = tmp_path / "tiny.toml"
    venue.write_bytes(tiny_museum.TOML)
    common = ["--venue", str(venue)]
    assert main(["record", *common, "--scenario", "monday", "--out", str(tmp_path / "x")]) == 1
    assert "no scenario 'monday'" in capsys.readouterr().err
    assert main(["record", *common, "--out", str(tmp_path / "absent" / "x")]) == 1
    assert "cannot write" in capsys.readouterr().err
    assert main(["play", *common, "--from", "19:00", "--mqtt", "mqtt://127.0.0.1:1"]) == 1
    assert "--from must be before --until" in capsys.readouterr().err
    with pytest.raises(SystemExit) as usage:
        main(["play", *common, "--rate", "-1"])
    assert usage.value.code == 2


def test_the_command_line_lists_scenarios(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    venue = tmp_path / "tiny.toml"
    venue.write_bytes(tiny_museum.TOML)
    assert main(["list", "--venue", str(venue), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows} >= {"normal-day", "coach-party", "dead-counter", "free-sunday", "knock"}
    assert all(row["visitors"] > 0 and row["title"] for row in rows)


def test_a_file_that_is_no_truth_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.truth"
    path.write_bytes(b'{"flowmon":"recording"}\n')
    with pytest.raises(FlowmonError, match="is no truth file"):
        truth.read(path)
