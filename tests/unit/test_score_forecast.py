"""`flowmon score forecast` on small files of our own, tidy and messy: figures or a clear message, never a traceback."""

import csv
import gzip
import json
import math
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowmon.__main__ import main
from flowmon.scoring import WHAT, bootstrap, measures
from flowmon.scoring.table import TableInvalid
from flowmon.scoring.times import Clock, TimesInvalid, duration

START = datetime(2026, 1, 5)  # noqa: DTZ001 a local time, as files have them


def people(hour: int) -> int:
    """A building's day, deterministic."""
    dice = np.random.default_rng(hour)
    open_now = 9 <= hour % 24 < 20
    today = 1.0 + 0.3 * math.sin(hour // 24 * 2.3)
    return int(dice.poisson(50 * today * math.sin((hour % 24 - 8) / 13 * math.pi))) if open_now else 0


def rows(days: int = 50, stamp: Callable[[datetime], str] = str) -> list[list[str]]:
    return [[stamp(START + timedelta(hours=hour)), str(people(hour))] for hour in range(24 * days)]


def write(path: Path, body: Iterable[Iterable[str]], header: str = "when,people", separator: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(header.replace(",", separator) + "\n")
        csv.writer(file, delimiter=separator).writerows(body)
    return path


def score(path: Path, *more: str, time: str = "when", value: str = "people", step: str = "1h") -> dict[str, Any]:
    """Runs the command as a person does; the JSON it wrote."""
    out, text = path.parent / "score.json", path.parent / "score.md"
    words = ["score", "forecast", str(path), "--time", time, "--value", value, "--step", step]
    words += ["--horizons", "60min", "--json", str(out), "--markdown", str(text), *more]
    assert main(words) == 0
    assert text.read_text(encoding="utf-8").startswith("# Forecasts scored")
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert found["data"]["rows"] == found["data"]["used"] + sum(found["data"]["dropped"].values())
    return found


@pytest.fixture(scope="module")
def tidy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return score(write(tmp_path_factory.mktemp("tidy") / "hall.csv", rows()), "--min-value", "5")


def test_every_method_has_the_same_keys_and_rows(tidy: dict[str, Any]) -> None:
    assert tidy["command"] == "forecast"
    assert set(tidy["methods"]) == {"persistence", "weekly_naive", "climatology", "clim_dev", "model"}
    keys = {f"{key}_60min" for key in ["n", "wape", "mae", "bias", "skill", "cov90", "width", "worst500", "winkler"]}
    for figures in tidy["methods"].values():
        assert keys <= set(figures)
    assert len({figures["n_60min"] for figures in tidy["methods"].values()}) == 1
    assert tidy["methods"]["clim_dev"]["skill_60min"] == 0.0
    assert 0.0 < tidy["methods"]["model"]["wape_60min"] < tidy["methods"]["persistence"]["wape_60min"]


def test_the_baselines_are_what_they_are_called(tidy: dict[str, Any]) -> None:
    """Recomputed here from their definitions."""
    values = [people(hour) for hour in range(24 * 50)]
    scored = [hour for hour in range(24 * 28, 24 * 50) if values[hour] >= 5]
    assert tidy["methods"]["model"]["n_60min"] == len(scored)
    total = sum(values[hour] for hour in scored)
    naive = sum(abs(values[hour] - values[hour - 168]) for hour in scored) / total
    last = sum(abs(values[hour] - values[hour - 1]) for hour in scored) / total
    assert tidy["methods"]["weekly_naive"]["wape_60min"] == pytest.approx(naive, abs=1e-6)
    assert tidy["methods"]["persistence"]["wape_60min"] == pytest.approx(last, abs=1e-6)


def test_beats_is_claimed_only_beyond_chance(tidy: dict[str, Any]) -> None:
    for row in tidy["report"]["comparisons"]:
        assert row["lo"] <= row["ratio"] <= row["hi"]
        assert row["beats"] == (row["hi"] < 1.0)
    assert next(row for row in tidy["report"]["comparisons"] if row["baseline"] == "weekly_naive")["beats"]
    dice = np.random.default_rng(4)
    same = bootstrap.ratio(dice.exponential(1.0, 400), dice.exponential(1.0, 400), [n // 10 for n in range(400)])
    assert not same.beats
    assert not same.loses
    assert bootstrap.ratio(np.ones(3), np.ones(3), [1, 2, 3]).lo is None  # too few days to say


def test_twice_the_same(tidy: dict[str, Any], tmp_path: Path) -> None:
    again = score(write(tmp_path / "hall.csv", rows()), "--min-value", "5")
    assert again["methods"] == tidy["methods"]
    assert again["report"]["comparisons"] == tidy["report"]["comparisons"]


FORMS: dict[str, Callable[[Path], Path]] = {
    "semicolons": lambda path: write(path, rows(), separator=";"),
    "tabs": lambda path: write(path, rows(), separator="\t"),
    "bom": lambda path: _recoded(write(path, rows()), "utf-8-sig"),
    "utf-16": lambda path: _recoded(write(path, rows()), "utf-16"),
    "cp1252": lambda path: _recoded(write(path, rows(), header="when,people,Café"), "cp1252"),
    "gzip": lambda path: _zipped(write(path, rows())),
    "crlf": lambda path: _recoded(write(path, rows()), "utf-8", "\r\n"),
    "day first": lambda path: write(path, rows(stamp=lambda at: f"{at:%d/%m/%Y %H:%M}")),
    "month first": lambda path: write(path, rows(stamp=lambda at: f"{at:%m/%d/%Y %I:%M %p}")),
    "epoch": lambda path: write(path, rows(stamp=lambda at: str(int(at.replace(tzinfo=UTC).timestamp())))),
    "milliseconds": lambda path: write(path, rows(stamp=lambda at: f"{at.replace(tzinfo=UTC).timestamp() * 1e3:.0f}")),
    "zulu": lambda path: write(path, rows(stamp=lambda at: at.isoformat() + "Z")),
    "offset": lambda path: write(path, rows(stamp=lambda at: at.isoformat() + "+00:00")),
    "shuffled": lambda path: write(path, random.Random(1).sample(rows(), 24 * 50)),
    "thousands": lambda path: write(path, [[when, f" {int(n):,} "] for when, n in rows()]),
    "blank lines": lambda path: write(path, [line for row in rows() for line in (row, [])]),
}


def _recoded(path: Path, encoding: str, newline: str = "\n") -> Path:
    text = path.read_text(encoding="utf-8")
    path.write_bytes(text.replace("\r\n", "\n").replace("\n", newline).encode(encoding))
    return path


def _zipped(path: Path) -> Path:
    out = path.with_suffix(".csv.gz")
    out.write_bytes(gzip.compress(path.read_bytes()))
    return out


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_the_file_changes_nothing(form: str, tidy: dict[str, Any], tmp_path: Path) -> None:
    found = score(FORMS[form](tmp_path / "hall.csv"), "--min-value", "5")
    assert found["methods"] == tidy["methods"]
    assert found["data"]["dropped"] == {}


def test_columns_are_joined_and_rows_chosen(tidy: dict[str, Any], tmp_path: Path) -> None:
    body = []
    for hour in range(24 * 50):
        at = START + timedelta(hours=hour)
        body += [[name, f"{at:%Y-%m-%d}", str(at.hour), str(n)] for name, n in (("hall", people(hour)), ("shop", 1))]
    path = write(tmp_path / "both.csv", body, header="Place,Date,Hour,N")
    found = score(path, "--by", "place", "--only", "hall", "--min-value", "5", time="Date+Hour", value="N")
    assert found["methods"] == tidy["methods"]
    assert found["data"]["dropped"] == {"place is not hall": 24 * 50}


def test_what_cannot_be_read_is_told_with_examples(tmp_path: Path) -> None:
    body = rows()
    body[100][1], body[101][1], body[102][1], body[103][1] = "closed", "", "-4", "inf"
    body[200][0], body[201][0], body[202][0] = "yesterday", "0001-01-01 00:00", "9999-12-31 23:00"
    body[300] = ["lonely"]
    body[400] = body[399]
    found = score(write(tmp_path / "messy.csv", body))
    assert found["data"]["dropped"] == {
        "no readable time": 4,
        "not a number": 2,
        "no value": 1,
        "below zero or over 10⁹": 1,
    }
    assert found["data"]["examples"]["not a number"] == ["line 102: 'closed'", "line 105: 'inf'"]
    notes = " ".join(found["data"]["notes"])
    assert "1 rows repeat the stamp" in notes
    assert "interpolated" in notes
    assert "gaps of more than 2" in notes
    assert "closed" in (tmp_path / "score.md").read_text(encoding="utf-8")


def test_several_rows_of_a_step(tmp_path: Path) -> None:
    body = [
        [f"{START + timedelta(hours=h, minutes=m)}", str(people(h) + m // 30)] for h in range(24 * 45) for m in (0, 30)
    ]
    path = write(tmp_path / "fine.csv", body)
    scores = {how: score(path, "--several", how) for how in ("mean", "sum", "first", "last")}
    mae = {how: found["methods"]["persistence"]["mae_60min"] for how, found in scores.items()}
    assert mae["sum"] == pytest.approx(2 * mae["mean"], rel=1e-6)
    assert mae["first"] == pytest.approx(mae["last"], rel=1e-6)


def test_local_hours_through_a_change_of_the_clocks(tmp_path: Path) -> None:
    """Busy at local noon in Paris, written in UTC; the clocks change on 29 March 2026."""
    paris, body = ZoneInfo("Europe/Paris"), []
    for hour in range(24 * 60):
        at = datetime(2026, 2, 10, tzinfo=UTC) + timedelta(hours=hour)
        body.append([at.isoformat(), "80" if at.astimezone(paris).hour == 12 else "10"])
    path = write(tmp_path / "paris.csv", body)
    found = score(path, "--timezone", "Europe/Paris", "--open", "11:30-12:30", "--warmup", "21d")
    assert found["methods"]["climatology"]["mae_60min"] == 0.0
    assert found["methods"]["model"]["n_60min"] == 39


def test_naive_times_of_a_utc_column(tmp_path: Path) -> None:
    body = rows()
    named = score(
        write(tmp_path / "a.csv", body, header="time_utc,people"), "--timezone", "Asia/Tokyo", time="time_utc"
    )
    told = score(write(tmp_path / "b.csv", body), "--timezone", "Asia/Tokyo", "--utc")
    assert named["methods"] == told["methods"]
    assert named["data"]["first"] == "2026-01-05 09:00"


def failed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["score", "forecast", *words]) == 1
    return capsys.readouterr().err


def test_a_missing_column_names_those_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path / "hall.csv", rows(2)))
    common = ("--step", "1h", "--horizons", "1h")
    told = failed(capsys, path, "--time", "when", "--value", "persons", *common)
    assert "no column 'persons'" in told
    assert "'when', 'people'" in told


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "nothing in this file"),
    "blank": (b"\n\n \n", "nothing in this file"),
    "header only": (b"when,people\n", "none of 0 rows"),
    "no times": (b"when,people\nsoon,3\nlater,4\n", "no readable time"),
    "broken gzip": (b"\x1f\x8b\x08\x00rubbish", "broken gzip"),
    "spreadsheet": (b"PK\x03\x04rubbish", "save it as CSV"),
    "picture": (bytes(range(256)) * 40, "no column"),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_are_no_table(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, reason = BAD[name]
    path = tmp_path / "bad.csv"
    path.write_bytes(data)
    assert reason in failed(
        capsys, str(path), "--time", "when", "--value", "people", "--step", "1h", "--horizons", "1h"
    )


def test_other_mistakes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path / "hall.csv", rows(2)))
    columns = ("--time", "when", "--value", "people")
    assert "No such file" in failed(capsys, path + "x", *columns, "--step", "1h", "--horizons", "1h")
    assert "does not divide a day" in failed(capsys, path, *columns, "--step", "7min", "--horizons", "7min")
    assert "multiples of the step" in failed(capsys, path, *columns, "--step", "1h", "--horizons", "90min")
    assert "is no time zone" in failed(
        capsys, path, *columns, "--step", "1h", "--horizons", "1h", "--timezone", "Mars/Olympus"
    )
    assert "go together" in failed(capsys, path, *columns, "--step", "1h", "--horizons", "1h", "--by", "when")
    told = failed(capsys, path, *columns, "--step", "1h", "--horizons", "1h", "--by", "people", "--only", "many")
    assert "--only may be one of 0" in told


CELL = st.one_of(
    st.sampled_from(
        ["2026-01-05 10:00", "2026-01-05T11:00Z", "6/1/2026", "1767600000", "7", "1,5", '"', "\x00", "1e400"]
    ),
    st.text(max_size=12),
)


@given(
    st.lists(st.lists(CELL, max_size=4), max_size=12), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n", "\r"])
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_ends_in_a_report_or_a_message(
    tmp_path: Path, body: list[list[str]], separator: str, newline: str
) -> None:
    path = tmp_path / "any.csv"
    lines = ["when,people".replace(",", separator), *(separator.join(row) for row in body)]
    path.write_bytes(newline.join(lines).encode("utf-8", "surrogatepass"))
    words = ["--time", "when", "--value", "people", "--step", "1h", "--horizons", "1h"]
    assert main(["score", "forecast", str(path), *words, "--markdown", str(tmp_path / "any.md")]) in {0, 1}


@given(st.binary(max_size=400))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_end_in_a_message(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(data)
    words = ["--time", "when", "--value", "people", "--step", "1h", "--horizons", "1h"]
    assert main(["score", "forecast", str(path), *words]) == 1


def test_too_short_a_file_says_why_nothing_was_scored(tmp_path: Path) -> None:
    found = score(write(tmp_path / "short.csv", rows(3)))
    assert found["methods"]["model"]["n_60min"] == 0
    assert found["methods"]["model"]["wape_60min"] is None
    assert any("nothing was scored" in note for note in found["data"]["notes"])


def test_one_row_is_enough_for_a_report(tmp_path: Path) -> None:
    assert score(write(tmp_path / "one.csv", rows()[:1]))["data"]["used"] == 1


@pytest.mark.parametrize("text", ["", "x", "0", "1y", "-5min", "0.5s"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises((TimesInvalid, Exception), match=r"duration|number of seconds"):
        duration(text)


def test_ambiguous_dates_go_with_the_order_of_rows() -> None:
    days = [(month, day) for month in (3, 4) for day in range(1, 13)]
    assert Clock([f"{month:02d}/{day:02d}/2026" for month, day in days], None).format == "month/day/year"
    assert Clock([f"{day:02d}/{month:02d}/2026" for month, day in days], None).format == "day/month/year"
    assert Clock([f"03/{day:02d}/2026 10:00" for day in range(1, 9)], None).format == "month/day/year"  # one week


def test_measures_by_hand() -> None:
    lo, hi, truth = np.zeros(4), np.full(4, 10.0), np.array([1.0, 5.0, 12.0, 10.0])
    assert measures.coverage(lo, hi, truth) == 0.75
    assert measures.winkler(lo, hi, truth) == 10.0 + 20.0 * 2.0 / 4
    assert measures.worst_rolling(lo, hi, truth, window=2) == 0.5
    assert measures.worst_rolling(lo, hi, truth) is None


def test_every_score_can_be_imported_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for what in WHAT:
        with pytest.raises(SystemExit) as ended:
            main(["score", what, "--help"])
        assert ended.value.code == 0
        assert f"flowmon score {what}" in capsys.readouterr().out


def test_a_table_error_is_one_of_ours() -> None:
    assert issubclass(TableInvalid, Exception)


REAL = Path(__file__).parents[3] / "shared" / "data" / "datasets" / "calit2" / "calit2_counts.csv"


@pytest.mark.skipif(not REAL.exists(), reason="the data sets are not beside the checkout")
def test_a_real_door_is_forecast_better_than_by_its_baselines(tmp_path: Path) -> None:
    """Half-hour counts of a campus building's door (UCI CalIt2): more than 20 % below clim+dev, band within a point."""
    out = tmp_path / "score.json"
    words = ["--time", "ts", "--value", "in_count", "--step", "30min", "--horizons", "30min", "--open", "07:00-20:00"]
    assert main(["score", "forecast", str(REAL), *words, "--json", str(out), "--markdown", str(tmp_path / "x.md")]) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    assert all(row["beats"] for row in found["report"]["comparisons"])
    assert found["methods"]["model"]["skill_30min"] > 0.2
    assert found["methods"]["model"]["cov90_30min"] == pytest.approx(0.9, abs=0.011)
    assert found["methods"]["model"]["worst500_30min"] > 0.84
