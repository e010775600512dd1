"""`flowmon calibrate`: a walk to a table, and the table back into the venue."""

import gzip
import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from flowmon import wire
from flowmon.__main__ import main
from flowmon.facts import Sighting
from flowmon.monitor.radiomap import radio_map
from flowmon.venue.calibration import applied
from flowmon.venue.parse import load, read
from tests import tiny_museum

PARIS = ZoneInfo("Europe/Paris")
TEN = datetime(2026, 3, 17, 10, 0, tzinfo=PARIS).timestamp()
WALK = "lobby 10:00-10:02, hall 10:02-10:04, east 10:04-10:06, west 10:06-10:08"
LEVELS = {"lobby": (-84, -93), "hall": (-72, -80), "east": (-60, -82), "west": (-82, -60)}


def sightings(beacon: str = "walker", still: str = "") -> list[Sighting]:
    """What both receivers hear of who walks, or of who stands in one room all the time."""
    dice = np.random.default_rng(5)
    found = []
    for number, zone in enumerate(LEVELS):
        for second in range(120):
            for n, receiver in enumerate(("r-east", "r-west")):
                at = TEN + 120 * number + second + 0.1 * n
                level = LEVELS[still or zone][n] + 3.0 * float(dice.standard_normal())
                if level > -94:
                    found.append(
                        Sighting(at=at, seen=at, source=receiver, beacon=beacon, receiver=receiver, rssi_dbm=level)
                    )
    return found


def files(folder: Path, heard: list[Sighting]) -> tuple[Path, Path]:
    venue, lines = folder / "tiny.toml", folder / "walk.jsonl"
    venue.write_bytes(tiny_museum.TOML)
    lines.write_bytes(b"".join(wire.encode(sighting) + b"\n" for sighting in heard))
    return venue, lines


def test_a_walk_becomes_a_table_that_the_venue_uses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    venue, lines = files(tmp_path, sightings())
    assert main(["calibrate", str(venue), str(lines), "--walk", WALK]) == 0
    shown = capsys.readouterr().out
    assert "| east | 120 |" in shown
    table = json.loads((tmp_path / "tiny.calibration.json").read_bytes())
    assert table["date"] == "2026-03-17"
    assert table["seconds"] == {"lobby": 120.0, "hall": 120.0, "east": 120.0, "west": 120.0}
    row = next(r for r in table["heard"] if (r["zone"], r["receiver"]) == ("hall", "r-east"))
    assert row["median_dbm"] == pytest.approx(-72, abs=1.0)
    assert row["spread_db"] == pytest.approx(3.0, abs=1.0)
    assert row["silent"] < 0.02
    venue.write_bytes(tiny_museum.TOML + b'\n[radio]\ncalibration = "tiny.calibration.json"\n')
    assert len(load(venue).radio.heard) == 8
    assert radio_map(load(venue)).calibrated


def test_a_room_out_of_reach_is_left_to_the_plan_and_one_with_a_receiver_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venue, lines = files(tmp_path, [s for s in sightings() if s.at >= TEN + 120])
    assert main(["calibrate", str(venue), str(lines), "--walk", WALK]) == 0
    assert "out of reach of every receiver: lobby" in capsys.readouterr().out
    assert b"lobby" not in (tmp_path / "tiny.calibration.json").read_bytes()
    venue, lines = files(tmp_path, [s for s in sightings() if s.at < TEN + 360])
    assert main(["calibrate", str(venue), str(lines), "--walk", WALK]) == 1
    assert "less than 30 s in west (0 s)" in capsys.readouterr().err


def test_rooms_that_sound_alike_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heard = [s for s in sightings(still="east") if s.at < TEN + 480]
    venue, lines = files(tmp_path, heard)
    assert main(["calibrate", str(venue), str(lines), "--walk", WALK]) == 0
    shown = capsys.readouterr().out
    assert "Hard to tell apart" in shown
    assert "is taken for" in shown


def test_gzip_records_and_csv_are_read_alike(tmp_path: Path) -> None:
    heard = sightings()
    venue, lines = files(tmp_path, heard)
    packed = tmp_path / "walk.gz"
    header = b'{"flowmon":"recording","version":1}\n'
    packed.write_bytes(gzip.compress(header + wire.encode(heard) + b"\n"))
    csv = tmp_path / "walk.csv"
    rows = [f"{s.at:.3f},{s.beacon},{s.receiver},{s.rssi_dbm!r}" for s in heard]
    csv.write_text("\n".join(["time,beacon,receiver,rssi", *rows]))
    tables = []
    for source in (lines, packed, csv):
        out = tmp_path / f"{source.name}.json"
        assert main(["calibrate", str(venue), str(source), "--walk", WALK, "--out", str(out)]) == 0
        tables.append(out.read_bytes())
    assert tables[0] == tables[1] == tables[2]


def test_the_beacon_that_follows_the_walk_is_found_among_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venue, lines = files(tmp_path, sightings() + sightings("guard", still="hall"))
    assert main(["calibrate", str(venue), str(lines), "--walk", WALK]) == 0
    alone = tmp_path / "alone"
    alone.mkdir()
    one, single = files(alone, sightings())
    assert main(["calibrate", str(one), str(single), "--walk", WALK]) == 0
    assert (alone / "tiny.calibration.json").read_bytes() == (tmp_path / "tiny.calibration.json").read_bytes()
    venue, lines = files(tmp_path, sightings() + sightings("twin"))
    capsys.readouterr()
    assert main(["calibrate", str(venue), str(lines), "--walk", WALK]) == 1
    assert "give --beacon" in capsys.readouterr().err
    assert main(["calibrate", str(venue), str(lines), "--walk", WALK, "--beacon", "twin"]) == 0


@pytest.mark.parametrize(
    ("walk", "said"),
    [
        ("", "the walk is empty"),
        ("attic 10:00-10:02", "there is no zone 'attic'"),
        ("east", "is no stretch"),
        ("east 10:00-10:00", "lasts 0 s"),
        ("east 10:02-10:00", "lasts -120 s"),
        ("east 25:00-26:00", "is no time"),
        ("east 10:00-10:04, west 10:02-10:06", "overlap"),
        ("east 18:00-18:02", "no receiver of the venue file heard a beacon"),
        ("east 10:07:40-10:10", "less than 30 s"),
    ],
)
def test_a_walk_that_was_none_is_refused_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], walk: str, said: str
) -> None:
    venue, lines = files(tmp_path, sightings())
    assert main(["calibrate", str(venue), str(lines), "--walk", walk]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "tiny.calibration.json").exists()


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[1,2]\n", b"\x1f\x8bbroken", b'{"type":"tick","at":1,"source":"x"}\n', b"\xff\xfe\x00"]
)
def test_files_without_sightings_end_in_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    venue, lines = files(tmp_path, [])
    lines.write_bytes(data)
    assert main(["calibrate", str(venue), str(lines), "--walk", WALK]) == 1
    assert capsys.readouterr().err.startswith("flowmon: ")


def test_a_table_that_does_not_fit_is_a_problem_of_the_venue_file(tmp_path: Path) -> None:
    venue = tmp_path / "tiny.toml"
    venue.write_bytes(tiny_museum.TOML + b'\n[radio]\ncalibration = "table.json"\n')
    found, problems = read(venue)
    assert found is None
    assert (problems[0].path, problems[0].file) == ("radio.calibration", str(venue))
    good = {
        "flowmon": "calibration", "version": 1, "venue": "tiny", "fingerprint": "x", "date": "2026-01-01",
        "heard": [{"zone": "east", "receiver": "r-east", "median_dbm": -60, "spread_db": 5, "silent": 0.1},
                  {"zone": "attic", "receiver": "r-east", "median_dbm": -60, "spread_db": 5, "silent": 0.1}],
    }  # fmt: skip
    (tmp_path / "table.json").write_text(json.dumps(good))
    found, problems = read(venue)
    assert found is not None
    assert [row.zone for row in found.radio.heard] == ["east"]
    assert {problem.severity for problem in problems} == {"warning"}
    assert "r-west" in problems[0].message
    bad = [{**good, "version": 2}, {**good, "venue": "other"}, {**good, "flowmon": "recording"}]
    bad += [{**good, "heard": [{**good["heard"][0], "silent": 2.0}]}]  # type: ignore[index]
    for table in (*(json.dumps(b).encode() for b in bad), b"[" * 10_000, b"\xff", b""):
        applied_to, problems = applied(tiny_museum.venue(), table)
        assert applied_to is None
        assert problems[0].severity == "error"
