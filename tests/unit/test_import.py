"""`flowmon import`: exports as counters write them, with the damage they have. Written from the formats."""

import json
from pathlib import Path

import pytest

from flowmon.__main__ import main
from flowmon.facts import Count
from flowmon.journal.files import read_recording
from sensors.imports.layout import form_of
from sensors.imports.table import CannotImport, encoding_of

VENUE = """
id = "small"
name = "Small"
timezone = "Europe/Paris"
[floors.ground]
outline = [[0, 0], [10, 0], [10, 10], [0, 10]]
[zones.hall]
floor = "ground"
capacity = 100
outline = [[0, 0], [10, 0], [10, 10], [0, 10]]
[portals.gate]
between = ["outside", "hall"]
[counters.ctr-gate]
portal = "gate"
towards = "hall"
credit = "window"
"""
XOVIS = """from-time,to-time,Forward counter,Backward counter
31/01/2026 - 19:28,31/01/2026 - 19:29,3,0
31/01/2026 - 19:29,31/01/2026 - 19:30,2,1
31/01/2026 - 19:30,31/01/20
31/01/2026 - 19:29,31/01/2026 - 19:30,2,1
31/01/2026 - 19:31,31/01/2026 - 19:32,0,4
31/01/2026 - 19:31,31/01/2026 - 19:32,9,4
31/01/2026 - 19:32,31/01/2026 - 19:33,1,x
31/01/2026 - 23:59,01/02/2026 - 00:00,5,0
01/02/2026 - 00:00,01/02/2026 - 00:01,0,7
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "venue.toml").write_text(VENUE, encoding="utf-8")
    return tmp_path


def do_import(folder: Path, export: str | bytes, *more: str) -> int:
    file = folder / "week.csv"
    file.write_bytes(export if isinstance(export, bytes) else export.encode())
    return main(
        ["import", str(file), "--venue", str(folder / "venue.toml"), "--device", "ctr-gate",
         "--out", str(folder / "week.jsonl"), *more]
    )  # fmt: skip


def facts(folder: Path) -> list[Count]:
    _, entries = read_recording(folder / "week.jsonl")
    return [fact for _, record in entries for fact in record if isinstance(fact, Count)]


def report(folder: Path, capsys: pytest.CaptureFixture[str], export: str | bytes, *more: str) -> dict[str, object]:
    assert do_import(folder, export, "--json", *more) == 0
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


def test_a_week_with_a_row_cut_off_and_minutes_told_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = report(folder, capsys, XOVIS)
    assert (told["read"], told["credited"]) == (9, 5)
    assert told["skipped"] == [
        {"row": 4, "reason": "2 columns where 4 are named: cut off"},
        {"row": 8, "reason": "Backward counter: 'x' is not a number of people"},
    ]
    assert told["repeated"] == [{"row": 5, "reason": "told before in row 3"}]
    assert told["conflicting"] == [{"row": 7, "reason": "told before in row 6 with other counts"}]
    assert told["days"] == [
        {"day": "2026-01-31", "forward": 10, "backward": 5, "windows": 4},
        {"day": "2026-02-01", "forward": 0, "backward": 7, "windows": 1},
    ]
    assert facts(folder)[0] == Count(
        at=1769884140.0, source="ctr-gate", counter="ctr-gate", kind="window", start=1769884080.0, end=1769884140.0,
        forward=3, historical=True,
    )  # fmt: skip
    assert [fact.at for fact in facts(folder)] == sorted(fact.at for fact in facts(folder))


def test_the_report_for_people_says_the_rows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert do_import(folder, XOVIS) == 0
    told = capsys.readouterr().out
    assert "row 4: 2 columns where 4 are named: cut off" in told
    assert "2026-01-31  in      10  out       5" in told


def test_the_hour_that_happens_twice_is_two_hours(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hours = [(2, 58), (2, 59), (2, 0), (2, 1)]
    lines = [f"25/10/2026 - {h:02}:{m:02},25/10/2026 - {h + (m == 59):02}:{(m + 1) % 60:02},1,0" for h, m in hours]
    told = report(folder, capsys, "from-time,to-time,Forward counter,Backward counter\n" + "\n".join(lines) + "\n")
    assert told["credited"] == 4
    assert told["window_s"] == 60.0


def test_an_hour_that_never_was_is_not_credited(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["29/03/2026 - 01:59,29/03/2026 - 02:00,1,0", "29/03/2026 - 02:10,29/03/2026 - 02:11,1,0",
            "29/03/2026 - 03:00,29/03/2026 - 03:01,1,0"]  # fmt: skip
    told = report(folder, capsys, "from-time,to-time,Forward counter,Backward counter\n" + "\n".join(rows) + "\n")
    assert (told["credited"], told["gap"]) == (2, 1)
    first, second = facts(folder)
    assert first.end == second.start


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_semicolons_other_names_and_encodings(folder: Path, capsys: pytest.CaptureFixture[str], encoding: str) -> None:
    export = (
        "Zähler;Von;Bis;In;Out\nTür;2026-05-02 10:00;2026-05-02 10:15;4;3\nTür;2026-05-02 10:15;2026-05-02 10:30;1;0\n"
    )
    told = report(folder, capsys, export.encode(encoding))
    assert (told["credited"], told["window_s"], told["delimiter"], told["form"]) == (2, 900.0, ";", "iso")


def test_a_mapping_says_which_columns_and_turns_the_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "door.toml").write_text(
        'name = "door"\nformat = "csv"\nzone = "UTC"\n[family]\nname = "Door"\ntransports = ["HTTP"]\nsource = "here"\n'
        '[match]\nwhere = ["Rein"]\n[[facts]]\ntype = "count"\nkind = "window"\nwindow_s = 60.0\ninvert = true\n'
        'start = { path = "Wann", time = "%d.%m.%y %H:%M" }\nforward = "Rein"\nbackward = "Raus"\n',
        encoding="utf-8",
    )
    export = "Wann|Rein|Raus\n02.05.26 10:00|4|3\n02.05.26 10:01|0|1\n"
    told = report(folder, capsys, export, "--mapping", str(folder / "door.toml"))
    assert told["credited"] == 2
    assert (facts(folder)[0].start, facts(folder)[0].forward, facts(folder)[0].backward) == (1777716000.0, 3, 4)


@pytest.mark.parametrize(
    ("export", "words"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "--mapping"),
        ("from-time,to-time,Forward counter,Backward counter\n", "no row below"),
        ("from,to,in,out\n03/04/2026 10:00,03/04/2026 10:01,1,1\n", "day/month or month/day"),
        ("from,to,in,out\nyesterday,today,1,1\n", "in no form known here"),
        (b"\x00\x01\x02", "no line names the columns"),
    ],
)
def test_what_cannot_be_imported_says_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str], export: str | bytes, words: str
) -> None:
    assert do_import(folder, export) == 1
    assert words in capsys.readouterr().err
    assert not (folder / "week.jsonl").exists()


def test_a_counter_that_is_not_in_the_venue_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert do_import(folder, XOVIS, "--line", "7") == 2
    assert "ctr-gate line 1" in capsys.readouterr().err


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(CannotImport, match="name a CSV file"):
        encoding_of(folder / "nothing.csv")


def test_days_beyond_the_twelfth_tell_the_form() -> None:
    assert form_of(["02/05/2026 10:00", "13/05/2026 10:00"]) == "%d/%m/%Y %H:%M"
    assert form_of(["05/02/2026 10:00", "05/13/2026 10:00"]) == "%m/%d/%Y %H:%M"
