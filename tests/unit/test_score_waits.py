"""`flowmon score waits`: columns of all kinds, nothing of the future, clear reports, figures that add up."""

import argparse
import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowmon import scoring
from flowmon.__main__ import main
from flowmon.errors import FlowmonError
from flowmon.scoring import lines, waits
from tests.tools.waiting_lines import Party, call_centre, days, ride, ticket_desk

Rows = list[list[Any]]


def score(*args: str) -> int:
    return int(main(["score", "waits", *args]))


def write(path: Path, header: list[str], rows: Rows) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def scored(path: Path, *args: str) -> dict[str, Any]:
    out = path.with_suffix(".json")
    assert score(str(path), *args, "--json", str(out), "--markdown", str(path.with_suffix(".md"))) == 0
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def clock(at: float) -> str:
    return datetime.fromtimestamp(round(at), UTC).strftime("%-H:%M:%S")


def bank(path: Path, parties: list[Party]) -> Path:
    """Date and times of day, 0:00:00 for what never happened."""
    rows: Rows = []
    for party in parties:
        left = party.abandoned == party.abandoned
        queued = left or round(party.served) > round(party.joined)
        date = datetime.fromtimestamp(party.joined, UTC).strftime("%y%m%d")
        start, end = ("0:00:00", "0:00:00") if left else (clock(party.served), clock(party.done))
        out = clock(party.abandoned if left else party.served) if queued else "0:00:00"
        rows.append([date, party.kind, clock(party.joined) if queued else "0:00:00", out, start, end, f"A{party.desk}"])
    return write(path, ["date", "priority", "q_start", "q_exit", "ser_start", "ser_exit", "server"], rows)


@pytest.fixture(scope="module")
def calls() -> list[Party]:
    return days(2, call_centre(), 5)


BANK = ("--joined", "date+q_start", "--served", "date+ser_start", "--abandoned", "date+q_exit", "--desk", "server")


def test_calls_with_leavers_and_times_of_day_beat_every_baseline(tmp_path: Path, calls: list[Party]) -> None:
    found = scored(bank(tmp_path / "bank.csv", calls), *BANK, "--done", "date+ser_exit", "--warmup", "2d")
    data, methods = found["data"], found["methods"]
    assert data["straight"] > data["waited_and_served"] > 1_000
    assert data["left"] > 100
    assert set(methods) == {"running_mean", "half_hour_climatology", "les", "hol", "roll15", "ql", "model"}
    model = methods["model"]
    assert model["n"] == data["scored"] == methods["ql"]["n"]
    assert model["wait_mae_s"] < 0.97 * methods["ql"]["wait_mae_s"]
    assert model["wait_mae_s"] < 0.85 * methods["les"]["wait_mae_s"]
    assert 0.74 < model["cov80"] < 0.86
    assert model["width80_s"] < methods["les"]["width80_s"]
    assert model["sign_kept"] > 0.9
    assert model["ratio_ql"] == pytest.approx(model["wait_mae_s"] / methods["ql"]["wait_mae_s"], abs=1e-4)
    assert "beats" in found["report"]["comparisons"][0]
    text = (tmp_path / "bank.md").read_text()
    assert "| model |" in text
    assert "inside 80 % band" in text


def test_kinds_of_customers_help_where_some_are_served_first(tmp_path: Path, calls: list[Party]) -> None:
    path = bank(tmp_path / "bank.csv", calls)
    without = scored(path, *BANK, "--warmup", "2d")["methods"]["model"]["wait_mae_s"]
    with_kind = scored(path, *BANK, "--warmup", "2d", "--kind", "priority")["methods"]["model"]["wait_mae_s"]
    assert with_kind < 0.97 * without


def test_nothing_of_the_future_is_used(tmp_path: Path) -> None:
    """What is said up to a time does not change when everything after it does."""
    parties = days(4, ticket_desk(0.9), 4)
    cut = parties[0].joined + 3 * 86_400.0
    early = [party for party in parties if party.joined < cut]
    late = [party for party in parties if party.joined >= cut]
    rows: Rows = [[f"{p.joined:.2f}", f"{p.served:.2f}", p.desk, p.servers] for p in early]
    other: Rows = [[f"{p.joined:.2f}", f"{p.served + 500.0:.2f}", 9, 1] for p in late]
    columns = ("--joined", "in", "--served", "out", "--desk", "desk", "--servers", "open", "--warmup", "1d")
    header = ["in", "out", "desk", "open"]
    one = scored(write(tmp_path / "one.csv", header, rows), *columns)
    both = lines_said(write(tmp_path / "two.csv", header, rows + other), columns)
    assert one["methods"]["model"]["n"] > 500
    alone = lines_said(tmp_path / "one.csv", columns)
    assert both[: len(alone)] == alone


def lines_said(path: Path, columns: tuple[str, ...]) -> list[tuple[float, ...]]:
    """What the model said to each scored row."""
    parser = argparse.ArgumentParser()
    waits.arguments(parser)
    args = parser.parse_args([str(path), *columns])
    found = lines.read(args)
    told = waits.replay(found.rows, (86_400.0, 0))
    return list(told.said["model"])


def test_signs_and_actual_waits_follow_the_protocol(tmp_path: Path) -> None:
    rows: Rows = [
        [
            datetime.fromtimestamp(row.at, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "" if row.posted is None else int(row.posted),
            "" if row.actual is None else int(row.actual),
        ]
        for row in ride(7, 60)
    ]
    rows.append(["2026-07-01 10:00:00", "-999", ""])
    path = write(tmp_path / "ride.csv", ["datetime", "SPOSTMIN", "SACTMIN"], rows)
    found = scored(path, "--joined", "datetime", "--posted", "SPOSTMIN", "--actual", "SACTMIN")
    methods = found["methods"]
    assert set(methods) >= {"posted", "posted_ratio", "last_actual", "model"}
    actual = found["data"]["actual"]
    assert 0 < methods["model"]["n"] <= actual - 300
    assert methods["model"]["wait_mae_s"] < 0.8 * methods["posted"]["wait_mae_s"]
    assert methods["posted_ratio"]["wait_mae_s"] < methods["posted"]["wait_mae_s"]
    assert methods["model"]["wait_mae_s"] < methods["last_actual"]["wait_mae_s"]
    assert methods["model"]["recent_n"] < methods["model"]["n"]
    assert found["data"]["dropped"] == {"neither a posted nor an actual wait": 1}


def test_waits_as_numbers_in_minutes_and_seconds_are_the_same(tmp_path: Path) -> None:
    parties = days(6, ticket_desk(0.85), 3)
    stamp = [datetime.fromtimestamp(party.joined, UTC).isoformat(timespec="seconds") for party in parties]
    minutes: Rows = [[at, f"{party.wait / 60.0:.5f}"] for at, party in zip(stamp, parties, strict=True)]
    seconds: Rows = [[at, f"{party.wait:.3f}"] for at, party in zip(stamp, parties, strict=True)]
    columns = ("--joined", "at", "--warmup", "200", "--served")
    one = scored(write(tmp_path / "m.csv", ["at", "wait_min"], minutes), *columns, "wait_min")
    two = scored(write(tmp_path / "s.csv", ["at", "wait"], seconds), *columns, "wait")
    assert one["methods"]["model"]["n"] > 300
    assert one["methods"]["model"]["wait_mae_s"] == pytest.approx(two["methods"]["model"]["wait_mae_s"], rel=0.01)


def test_a_messy_file_ends_in_a_report(tmp_path: Path) -> None:
    rows: Rows = [
        ["2026-03-02 10:00:00", "2026-03-02 10:05:00", ""],
        ["2026-03-02 23:59:00", "2026-03-03 00:04:00", ""],
        ["2026-03-02 10:01:00", "2026-03-02 09:00:00", ""],
        ["never", "2026-03-02 10:09:00", ""],
        ["2026-03-02 10:02:00", "", "2026-03-02 10:03:00"],
        ["2026-03-02 10:03:00", "", ""],
        ["2026-03-02 10:04:00", "2026-03-05 10:04:00", ""],
        ["\x00", "”", "?"],
    ]
    path = write(tmp_path / "messy.csv", ["in", "out", "gone"], rows)
    found = scored(path, "--joined", "in", "--served", "out", "--abandoned", "gone")
    dropped = found["data"]["dropped"]
    assert dropped["served before joining, or half a day later"] == 2
    assert dropped["neither served nor left"] == 1
    assert found["data"]["waited_and_served"] == 2
    assert found["data"]["left"] == 1
    assert found["methods"]["model"]["wait_mae_s"] is None
    assert any("nothing was scored" in note for note in found["data"]["notes"])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--joined", "in", "--served", "nowhere"), "no column 'nowhere'"),
        (("--joined", "in"), "--served COL"),
        (("--joined", "in", "--served", "out", "--where", "x"), "COL=VALUE"),
        (("--joined", "in", "--served", "out", "--where", "desk=7"), "none of 1 rows can be used"),
        (("--joined", "in", "--served", "out", "--warmup", "soon"), "duration|seconds"),
        (("--joined", "in", "--actual", "desk"), "none of 1 rows can be used"),
        (("--joined", "in", "--served", "out", "--timezone", "Mars/Base"), "no time zone"),
    ],
)
def test_what_cannot_be_scored_says_why(tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    path = write(tmp_path / "f.csv", ["in", "out", "desk"], [["2026-03-02 10:00", "2026-03-02 10:05", "a"]])
    parser_args = [str(path), *args]
    with pytest.raises(FlowmonError, match=message):
        run(parser_args)


def run(rest: list[str]) -> int:
    return scoring.run(argparse.Namespace(what="waits", rest=rest))


def test_times_of_day_take_the_date_of_joining_and_go_on_after_midnight(tmp_path: Path) -> None:
    rows: Rows = [
        ["2026-03-02 23:58:00", "23:59:30"],
        ["2026-03-02 23:59:00", "00:03:00"],
        ["2026-03-03 00:01:00", "0:04:00"],
    ]
    path = write(tmp_path / "d.csv", ["at", "begun"], rows)
    parser = argparse.ArgumentParser()
    lines.arguments(parser)
    found = lines.read(parser.parse_args([str(path), "--joined", "at", "--served", "begun"]))
    assert [row.served - row.joined for row in found.rows if row.served is not None] == [90.0, 240.0, 180.0]


def test_a_straight_customer_is_scored_only_when_asked(tmp_path: Path) -> None:
    parties = days(8, ticket_desk(0.6), 4)
    rows: Rows = [[f"{p.joined:.2f}", f"{p.served:.2f}", p.desk, p.servers] for p in parties]
    path = write(tmp_path / "z.csv", ["in", "out", "desk", "open"], rows)
    columns = ("--joined", "in", "--served", "out", "--desk", "desk", "--servers", "open", "--warmup", "1d")
    waited = scored(path, *columns)["methods"]["model"]["n"]
    everybody = scored(path, *columns, "--include-zero")["methods"]["model"]["n"]
    assert everybody > 1.5 * waited
