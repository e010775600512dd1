"""`flowmon score recording`: a simulated day beside its truth, counts by hand, and what messy counts end in."""

import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flowmon.__main__ import main
from flowmon.journal.files import header_of, new_file, write_recording
from flowmon.scoring.counted import Counted, read
from flowmon.scoring.recording import Compared, figures
from simulator.__main__ import main as simulate
from simulator.truth import Occupied
from simulator.truth import read as read_truth
from tests import tiny_museum


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording (rec.jsonl) of a few hours of the tiny museum and its truth (truth.jsonl)."""
    folder = tmp_path_factory.mktemp("day")
    venue, scenario = folder / "tiny.toml", folder / "day.toml"
    venue.write_bytes(tiny_museum.TOML)
    scenario.write_bytes(b"visitors = 80")
    out = ["--out", str(folder / "rec.jsonl"), "--truth", str(folder / "truth.jsonl")]
    words = ["record", "--venue", str(venue), "--scenario", str(scenario), "--seed", "3", "--json", *out]
    assert simulate(words) == 0
    return folder


def scored(day: Path, truth: Path, *more: str) -> dict[str, Any]:
    out = truth.with_suffix(".json")
    words = ["score", "recording", str(day / "rec.jsonl"), "--truth", str(truth), *more, "--json", str(out)]
    assert main(words) == 0
    found: dict[str, Any] = json.loads(out.read_bytes())
    return found


def true_at(day: Path, at: float) -> dict[str, int]:
    people = dict.fromkeys(tiny_museum.venue().zones, 0)
    for line in read_truth(day / "truth.jsonl")[1]:
        if isinstance(line, Occupied) and line.at <= at:
            people[line.zone] = line.people
    return people


def noon(day: Path) -> float:
    header, _ = read_truth(day / "truth.jsonl")
    return (header.start + header.end) / 2 // 60 * 60


def written(path: Path, *rows: str, header: str = "time,zone,people") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_truth_file_is_looked_at_each_minute(day: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = scored(day, day / "truth.jsonl")
    model, raw = found["methods"]["model"], found["methods"]["raw"]
    zones = len(tiny_museum.venue().zones)
    assert model["zone_n"] == zones * model["venue_n"] > 500
    assert 0 < model["zone_mae"] < 5
    assert 0.5 < model["zone_cov90"] <= 1
    assert model["raw_ratio"] == pytest.approx(model["zone_mae"] / raw["zone_mae"], abs=1e-4)
    assert set(found["report"]["zones"]) == {"venue", *tiny_museum.venue().zones}
    assert found["data"]["simulated"] is True
    text = capsys.readouterr().out
    assert "| lobby |" in text
    assert "(simulated)" in text


def test_the_truth_of_a_minute_is_that_of_the_simulator(day: Path) -> None:
    venue, at = tiny_museum.venue(), noon(day)
    counts = read(day / "truth.jsonl", ("time", "zone", "people"), venue, None).counts
    here = {count.zone: count.people for count in counts if count.at == at}
    true = true_at(day, at)
    assert here == true | {"venue": sum(true.values())}
    minutes = sorted({count.at for count in counts})
    assert all(minute % 60 == 0 for minute in minutes)
    assert min(later - earlier for earlier, later in pairwise(minutes)) == 60


def test_counts_by_hand_find_their_zones_and_their_sum_is_the_venue(day: Path, tmp_path: Path) -> None:
    at = noon(day)
    rows = [f"{at:.0f},{zone.upper()},{people}" for zone, people in true_at(day, at).items()]
    path = written(tmp_path / "hand.csv", *rows, header="when,room,n")
    found = scored(day, path, "--time", "when", "--zone", "room", "--people", "n")
    assert (found["methods"]["model"]["zone_n"], found["methods"]["model"]["venue_n"]) == (len(rows), 1)
    whole = scored(day, day / "truth.jsonl")
    assert set(found["report"]["zones"]) == set(whole["report"]["zones"])


def test_local_times_are_those_of_the_venue(day: Path, tmp_path: Path) -> None:
    at = noon(day)
    epoch = scored(day, written(tmp_path / "epoch.csv", f"{at:.0f},lobby,3"))
    local = datetime.fromtimestamp(at, ZoneInfo("Europe/Paris")).strftime("%Y-%m-%d %H:%M")
    assert scored(day, written(tmp_path / "local.csv", f"{local},lobby,3"))["methods"] == epoch["methods"]


def test_rows_that_cannot_be_used_are_told_and_the_rest_is_scored(day: Path, tmp_path: Path) -> None:
    at = noon(day)
    rows = (
        f"{at},lobby,3", f"{at},lobby,4", f"{at},roof,3", "soon,lobby,3", f"{at},hall,many", f"{at},hall,-1",
        f"{at},hall,", f"{at - 9e6},hall,2", f"{at + 9e6},hall,2", "\x00", "9" * 400 + ",hall,1",
    )  # fmt: skip
    found = scored(day, written(tmp_path / "messy.csv", *rows))
    assert found["data"]["used"] == 1
    assert found["data"]["dropped"]["outside of the recording"] == 2
    assert found["data"]["dropped"]["no zone of this venue"] == 1
    assert found["data"]["dropped"]["this zone was counted at that time already"] == 1
    assert sum(found["data"]["dropped"].values()) == found["data"]["rows"] - 1 == 9  # a row of nothing is none
    assert found["data"]["examples"]["outside of the recording"][0].startswith("line 9: 'hall ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("time,zone,people\n1,roof,3\n", "zones of tiny are venue, lobby"),
        ("when,zone,people\n1,hall,3\n", "no column 'time'"),
        ("time,zone,people\n1700000000,hall,3\n", "no count lies within"),
        ("", "nothing in this file"),
        ('{"flowmon": "recording", "version": 1}\n', "not a truth file"),
        ('{"flowmon": "truth", "version": 1}\n{"type": "occupied", "at": "x"}\n[]\n\xff\n', "none of 3 rows"),
    ],
)
def test_truth_of_no_use_ends_in_a_clear_error(
    day: Path, tmp_path: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "truth.txt"
    path.write_text(text)
    assert main(["score", "recording", str(day / "rec.jsonl"), "--truth", str(path)]) != 0
    assert says in capsys.readouterr().err


def test_a_recording_without_its_venue_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with new_file(tmp_path / "bare.jsonl") as file:
        file.write(b'{"flowmon":"recording","version":1,"venue":"tiny"}\n')
    truth = written(tmp_path / "hand.csv", "1700000000,hall,3")
    assert main(["score", "recording", str(tmp_path / "bare.jsonl"), "--truth", str(truth)]) != 0
    assert "does not carry its venue file" in capsys.readouterr().err


def test_an_empty_recording_has_no_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_recording(tmp_path / "empty.jsonl", header_of(tiny_museum.venue()), [])
    truth = written(tmp_path / "hand.csv", "1700000000,hall,3")
    assert main(["score", "recording", str(tmp_path / "empty.jsonl"), "--truth", str(truth)]) != 0
    assert "no count lies within" in capsys.readouterr().err


def test_figures_are_what_one_counts_by_hand() -> None:
    nan = float("nan")
    rows = [
        Compared(Counted(1.0, "hall", 10), "a", 8, 7, 11, 4, 5),
        Compared(Counted(2.0, "hall", 20), "a", 21, 20.5, 23, 20, 20),
        Compared(Counted(2.0, "east", 5), "a", nan, nan, nan, 5, 5),
        Compared(Counted(2.0, "venue", 40), "a", 38, 30, 44, 30, 36),
        Compared(Counted(9.0, "venue", 10), "b", 12, 11, 14, 10, 10),
    ]
    found = figures(rows)
    model = found["model"]
    assert (model["zone_mae"], model["zone_wape"], model["zone_bias"]) == (1.5, 0.1, -0.5)
    assert (model["zone_cov90"], model["zone_width"], model["zone_n"]) == (0.5, 3.25, 2)
    assert model["zone_known"] == pytest.approx(2 / 3)
    assert (found["raw"]["zone_mae"], found["clipped"]["zone_mae"]) == (3.0, 2.5)
    assert (model["raw_ratio"], model["venue_raw_ratio"]) == (0.5, 0.4)
    assert model["venue_mae_pct_peak"] == pytest.approx((2 / 40 + 2 / 10) / 2)
    assert (model["venue_cov90"], model["venue_mae"]) == (0.5, 2.0)
