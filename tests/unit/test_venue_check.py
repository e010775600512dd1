"""`flowmon check`: what a person and a program read, and the exit code."""

import json
from pathlib import Path

import pytest

from flowmon.__main__ import main

MUSEUM = Path(__file__).parents[2] / "deploy/venues/museum.toml"
TEXT = MUSEUM.read_text(encoding="utf-8")


def test_a_good_file_is_one_line_and_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(MUSEUM)]) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "OK: museum: 2 floors, 12 zones, 16 portals, 16 counters, 10 receivers, 2 queues, 5 rules" in said


def test_a_bad_file_is_told_with_file_path_problem_and_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(
        TEXT.replace("capacity = 50 ", "capacity = 0 ").replace("at = [25, 9]", "at = [40, 9]"), encoding="utf-8"
    )
    assert main(["check", str(bad)]) == 1
    said = capsys.readouterr().out
    assert f"{bad}: error: zones.star-room.capacity: is 0" in said
    assert "hint: give the most people allowed here, at least 1, e.g. 50 for a gallery" in said
    assert f"{bad}: warning: receivers.rx-star-room.at" in said
    assert "cannot be used: 1 error\n" in said


def test_warnings_do_not_refuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "warned.toml"
    file.write_text(TEXT.replace("at = [25, 9]", "at = [40, 9]"), encoding="utf-8")
    assert main(["check", str(file)]) == 0
    assert "(1 warning)" in capsys.readouterr().out


def test_a_missing_file_is_a_problem_and_the_others_are_still_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "no-such.toml", str(MUSEUM)]) == 1
    said = capsys.readouterr().out
    assert "no-such.toml: error: cannot be read: No such file or directory" in said
    assert "OK: museum" in said


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("zones = 3", encoding="utf-8")
    assert main(["check", "--json", str(MUSEUM), str(bad)]) == 1
    good, wrong = json.loads(capsys.readouterr().out)
    assert good == {"file": str(MUSEUM), "ok": True, "venue": "museum", "problems": []}
    assert wrong["ok"] is False
    assert {"path": "id", "message": "is missing"}.items() <= wrong["problems"][0].items()
    assert all(set(problem) == {"path", "message", "hint", "file", "severity"} for problem in wrong["problems"])


def test_two_venues_of_one_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy.toml"
    copy.write_text(TEXT, encoding="utf-8")
    assert main(["check", str(MUSEUM), str(copy)]) == 1
    assert f"{copy}: error: id: museum is the id of {MUSEUM} too" in capsys.readouterr().out


def test_a_file_cannot_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('"\\u001b[2J[red]" = 1\n[zones."[bold]\\u0007"]\nfloor = "\\u001b[31m"\n', encoding="utf-8")
    assert main(["check", str(bad)]) == 1
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "[red]" in said
