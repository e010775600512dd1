"""`flowmon score beacons`: tables in, figures out, and what messy tables end in."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowmon.__main__ import main

COLUMNS = ["--time", "time", "--beacon", "beacon", "--receiver", "receiver", "--rssi", "rssi", "--zone", "zone"]
ZONES = ("foyer", "hall", "cafe")


def lines(runs: int = 2, seconds: int = 240, start: float = 1_790_000_000.0) -> list[str]:
    """Three rooms in a row with a receiver each, walked to and fro: 12 dB a wall, 4 dB of noise."""
    dice = np.random.default_rng(7)
    rows = []
    for run in range(runs):
        for second in range(seconds):
            place = (0, 1, 2, 1)[second // 30 % 4]
            for receiver in range(3):
                level = -62.0 - 12.0 * abs(place - receiver) + 4.0 * dice.standard_normal()
                if dice.random() > 0.3 and level > -90:
                    at = start + run * 10_000 + second + 0.1 * receiver
                    rows.append(f"{at:.2f},b1,rx-{receiver},{level:.0f},{ZONES[place]},r{run}")
    return rows


def written(path: Path, rows: list[str], header: str = "time,beacon,receiver,rssi,zone,run") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def scored(path: Path, *more: str) -> dict[str, Any]:
    out = path.with_suffix(".json")
    assert main(["score", "beacons", str(path), *COLUMNS, *more, "--json", str(out)]) == 0
    found: dict[str, Any] = json.loads(out.read_bytes())
    return found


def test_every_method_is_scored_and_the_model_is_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = scored(written(tmp_path / "a.csv", lines()), "--run", "run")
    methods = found["methods"]
    assert list(methods) == [
        "strongest", "ema_strongest", "ema_hysteresis", "naive_bayes", "model", "model_lag", "told",
    ]  # fmt: skip
    assert methods["model_lag"]["accuracy"] > 0.97
    assert methods["model_lag"]["accuracy"] > methods["strongest"]["accuracy"]
    assert methods["model_lag"]["switches"] <= 1.3 * methods["model_lag"]["true_switches"]
    assert {row["n"] for row in methods.values()} == {found["data"]["windows"]}
    assert {row["true_switches"] for row in methods.values()} == {14}
    assert 3.0 <= methods["model_lag"]["median_delay_s"] <= 6.0
    assert "leave one run out" in found["data"]["calibrated_on"]
    assert "| model_lag |" in capsys.readouterr().out


def test_figures_of_a_hand_made_table(tmp_path: Path) -> None:
    rows = [f"{n},b,{'x' if n < 30 else 'y'},-60,{'a' if n < 30 else 'c'},cal" for n in range(60)]
    rows += [f"{n},b,{'x' if n < 104 else 'y'},-60,{'a' if n < 102 else 'c'},test" for n in range(100, 110)]
    found = scored(written(tmp_path / "a.csv", rows), "--calibrate-on", "run=cal")
    row = found["methods"]["strongest"]
    assert row["accuracy"] == pytest.approx(0.8)
    assert row["macro_f1"] == pytest.approx((4 / 6 + 12 / 14) / 2, abs=1e-6)
    assert (row["switches"], row["true_switches"], row["median_delay_s"], row["n"]) == (1, 1, 2.0, 10)
    assert found["data"]["times"] == "seconds from some zero"


def test_the_unit_of_plain_numbers_changes_nothing_else(tmp_path: Path) -> None:
    rows = [row.split(",", 1) for row in lines(start=100.0)]
    plain = written(tmp_path / "s.csv", [f"{float(at):.3f},{rest}" for at, rest in rows])
    fine = written(tmp_path / "ms.csv", [f"{float(at) * 1000:.0f},{rest}" for at, rest in rows])
    one, other = scored(plain, "--run", "run"), scored(fine, "--run", "run", "--time-unit", "ms")
    assert one["methods"] == other["methods"]


def test_calibration_is_never_scored(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", lines())
    half = scored(path, "--calibrate-on", "run=r0")
    assert half["data"]["windows"] < scored(path, "--run", "run")["data"]["windows"] / 1.9
    first = scored(path, "--calibrate-on", "first 40%")
    assert "first 40 %" in first["data"]["calibrated_on"]
    assert scored(path)["data"]["calibrated_on"].startswith("the first 30 %")


def test_a_graph_of_lines_or_of_a_venue_is_used(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", lines())
    graph = written(tmp_path / "g.txt", ["hall,cafe", "cafe,outside"], header="foyer,hall")
    assert scored(path, "--run", "run", "--graph", str(graph))["methods"]["model_lag"]["accuracy"] > 0.97


def test_messy_rows_are_dropped_with_a_reason(tmp_path: Path) -> None:
    rows = lines()
    rows += [rows[5], "never,b1,rx-0,-60,foyer,r0", "1790000003,b1,rx-0,n/a,foyer,r0", "1790000003,,rx-0,-60,foyer,r0"]
    rows += ["1790000003,b1,rx-0,127,foyer,r0", "1790000003", "1790000004.5,b1,rx-9,-60,,r1"]
    found = scored(written(tmp_path / "a.csv", rows), "--run", "run")
    assert found["data"]["dropped"] == {
        "no time": 1,
        "no level of -127 to -1 dBm": 2,
        "no beacon or receiver": 2,
        "told twice": 1,
    }
    assert any("rx-9" in note for note in found["data"]["notes"])


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        ([], ["--run", "run"], "no row could be used"),
        (["1790000000,b,x,-60,a,r0", "1790000001,b,x,-60,a,r1"], ["--run", "run"], "fewer than two zones"),
        (lines(runs=1), ["--run", "run"], "one run only"),
        (lines(), ["--run", "track"], "no column 'track'"),
        (lines(), ["--calibrate-on", "run=none"], "0 rows"),
        (lines(), ["--calibrate-on", "all"], "write COL=VALUE"),
        (lines(), ["--calibrate-on", "first 99%"], "1 to 90 %"),
        (lines(), ["--run", "run", "--graph", "nowhere.txt"], "cannot be read"),
        (lines(), ["--run", "run", "--graph", "g.txt"], "is no pair"),
        (lines(), ["--run", "run", "--graph", "other.txt"], "joins none"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_scored_ends_in_a_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rows: list[str],
    more: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("g.txt").write_text("foyer\n")
    Path("other.txt").write_text("kitchen,garden\n")
    path = written(tmp_path / "a.csv", rows)
    assert main(["score", "beacons", str(path), *COLUMNS, *more]) == 1
    assert said in capsys.readouterr().err


def test_any_bytes_end_in_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for data in (
        b"",
        b"\x00\xff" * 50,
        b"time,beacon,receiver,rssi,zone\n\xff,,,,\n",
        b"PK\x03\x04zip",
        b"\x1f\x8bbad",
    ):
        path = tmp_path / "a.csv"
        path.write_bytes(data)
        assert main(["score", "beacons", str(path), *COLUMNS]) == 1
        assert capsys.readouterr().err.startswith("flowmon: ")


def test_a_hall_with_twelve_receivers(tmp_path: Path) -> None:
    """Real walks, where the data lies beside the checkout: open hall, four zones that no wall divides."""
    archive = Path(__file__).parents[3] / "shared/data/datasets/ble_position_annotated/tracks_fingerprints_config.zip"
    if not archive.exists():
        pytest.skip(f"needs {archive.name} beside the checkout")
    import zipfile  # noqa: PLC0415

    rows = []
    with zipfile.ZipFile(archive) as files:
        for name in sorted(name for name in files.namelist() if name.endswith(".mbd")):
            for line in files.read(name).decode().splitlines():
                at, receiver, beacon, rssi, x, y, *_ = line.split(",")
                zone = f"{'east' if float(x) > 10.2 else 'west'}-{'north' if float(y) > 8.9 else 'south'}"
                rows.append(f"{at},{beacon},{receiver},{rssi},{zone},{Path(name).stem}")
    found = scored(written(tmp_path / "hall.csv", rows), "--run", "run")["methods"]
    assert found["model_lag"]["accuracy"] >= 0.86
    assert found["model_lag"]["accuracy"] > found["ema_strongest"]["accuracy"] + 0.05
    assert found["model_lag"]["switches"] <= 1.3 * found["model_lag"]["true_switches"]
