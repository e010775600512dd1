"""`flowmon score simulated`: measures on known numbers, and a small museum scored whole."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from flowmon import __main__ as cli
from flowmon.facts import Presence
from simulator import measuring
from simulator.days import days
from simulator.locating import Located
from simulator.measuring import figures, summary
from simulator.scenario import Scenario
from simulator.truth import Carried
from simulator.watching import Party, Watch, Watched, configured, night
from tests import tiny_museum

NAN = float("nan")


def watched(**more: object) -> Watched:
    """Two zones, two days of two minutes."""
    zones = {
        "truth": [[10, 0], [10, 20], [10, 10], [10, 10]],
        "value": [[8, 0], [10, 25], [10, NAN], [10, 10]],
        "lo": [[7, 0], [9, 21], [9, NAN], [9, 9]],
        "hi": [[9, 1], [11, 30], [11, NAN], [11, 11]],
        "raw": [[10, -4], [4, 10], [20, 10], [10, 10]],
        "beacons": [[1, 0], [1, 2], [1, 1], [1, 1]],
    }
    told: dict[str, object] = {
        "seed": 1,
        "day": np.array([0, 0, 1, 1]),
        "zones": {name: np.array(rows, dtype=float) for name, rows in zones.items()},
        "venue": {
            "truth": np.array([10.0, 30, 20, 20]),
            "value": np.array([8.0, 33, 20, 20]),
            "lo": np.array([7.0, 31, 15, 15]),
            "hi": np.array([11.0, 35, 25, 25]),
        },
        "affected": np.array([[False, False], [False, True], [False, False], [False, False]]),
        "last_hour": np.array([False, True, False, True]),
        "carriers": np.ones(4),
        "capacity": np.array([12.0, 28.0]),
        "parties": [],
        "located": None,
        "alerts": {"zone-full": 2},
        "methods": {},
        "facts": 0,
        "simulator_s": 1.0,
        "core_s": 1.0,
    }
    return Watched(**(told | more))  # type: ignore[arg-type]


def test_figures_of_rooms_are_what_one_counts_by_hand() -> None:
    found, blocks = figures(watched(), share=0.1)
    model, raw = found["model"], found["raw"]
    # Seven known cells, errors 2, 0, 0, 5, 0, 0, 0 against 70 people.
    assert model["zone_mae"] == pytest.approx(1.0)
    assert model["zone_wape"] == pytest.approx(0.1)
    assert model["zone_bias"] == pytest.approx(3 / 7, abs=1e-6)
    assert model["zone_cov90"] == pytest.approx(5 / 7, abs=1e-6)
    assert model["zone_known"] == 0.875
    assert model["last_hour_mae"] == 1.25
    assert model["affected_wape"] == 0.25
    assert (model["venue_mae"], model["venue_cov90"]) == (1.25, 0.75)
    assert model["venue_mae_pct_peak"] == pytest.approx((2.5 / 30 + 0) / 2, abs=1e-6)
    # raw: 0, 4, 6, 10, 10, 0, 0 on the same cells.
    assert raw["zone_mae"] == pytest.approx(30 / 7, abs=1e-6)
    assert model["raw_ratio"] == pytest.approx(7 / 30, abs=1e-6)
    # Of 12 and 28 places 80 % are 9.6 and 22.4: the model is wrong where it says 8 of 10, and 25 of 20.
    assert model["capacity_wrong_min"] == 0.5
    assert found["beacons"]["zone_mae"] == 0.0
    assert blocks.pairs["zone_raw"] == [(7.0, 20.0), (0.0, 10.0)]
    assert model["alerts"] == 2


def test_what_is_clipped_away_never_comes_back_on_the_same_day() -> None:
    raw = np.array([[-4.0], [0.0], [3.0], [2.0]])
    clipped = measuring._clipped(raw, np.array([0, 0, 0, 1]))
    assert clipped.tolist() == [[0.0], [4.0], [7.0], [2.0]]


def party(joined: float, called: float, gone: float, *, p50: float = 60.0, p90: float = 90.0) -> Party:
    return Party("tickets", 0, joined, called, gone, 1, p50, p90)


def test_baselines_of_waits_know_only_what_had_happened() -> None:
    # One desk, a minute each: whoever joins at 300 finds two waiting and one at the desk.
    line = [party(10.0 * n, 60.0 * n, 60.0 * (n + 1)) for n in range(20)]
    rows = measuring._at_joining([*line, party(331.0, 1201.0, 1261.0)])
    day, real, _p50, _p90, les, ql = rows[-1]
    assert (day, real) == (0, 870.0)
    assert les == 250.0  # called last before 331: the sixth, at 300, who had joined at 50
    ahead = sum(p.joined < 331 and p.called > 331 for p in line)
    assert ql == (ahead + 1) * 60.0
    assert np.isnan(rows[0][4])


def test_a_free_desk_means_no_wait_and_who_was_turned_away_has_none() -> None:
    line = [party(100.0 * n, 100.0 * n, 100.0 * n + 50) for n in range(8)]
    rows = measuring._at_joining([*line, party(790.0, NAN, NAN)])
    assert len(rows) == 8
    assert rows[-1][5] == 0.0


def test_a_sign_is_kept_when_the_wait_is_no_longer_than_it_said() -> None:
    line = [party(10.0 * n, 10.0 * n + 100, 10.0 * n + 101, p50=90.0, p90=110.0) for n in range(60)]
    found, pairs = measuring._waits([*line, party(700.0, 700.0 + 130, 840.0, p50=90.0, p90=110.0)])
    model = found["model"]
    assert model["sign_kept"] == pytest.approx(60 / 61, abs=1e-6)
    assert model["sign_over_s"] == pytest.approx(60 * 20 / 61, abs=1e-3)
    assert found["les"]["wait_n"] == model["wait_n"]
    assert set(pairs) == {"wait_les", "wait_ql"}


def test_the_worst_seed_is_the_one_farthest_from_the_ideal() -> None:
    seeds = [{"model": {"zone_cov90": c, "zone_wape": w, "sign_kept": k}} for c, w, k in
             ((0.9, 0.2, 0.95), (0.99, 0.1, 0.99), (0.85, 0.3, 0.9))]  # fmt: skip
    median, worst = summary(seeds)  # type: ignore[arg-type]
    assert median["model"] == {"zone_cov90": 0.9, "zone_wape": 0.2, "sign_kept": 0.95}
    assert worst["model"] == {"zone_cov90": 0.99, "zone_wape": 0.3, "sign_kept": 0.9}


def test_located_counts_right_rooms_and_how_long_a_change_took() -> None:
    seen = Located()
    hear = seen.hearing(lambda _: None)

    def believed(at: float, zone: str) -> None:
        seen.believed(
            Presence(at=at, seen=at, source="beacon:a", beacon="a", zone=zone, probability=0.9, expires=at + 90)
        )

    hear(Carried(at=0.0, beacon="a", zone="east"))
    believed(4.0, "east")
    seen.second(10.0)
    seen.second(15.0)  # not its time
    hear(Carried(at=16.0, beacon="a", zone="west"))
    seen.second(20.0)
    believed(22.0, "west")
    seen.second(40.0)
    hear(Carried(at=50.0, beacon="a", zone="outside"))
    seen.second(60.0)
    assert (seen.right, seen.looked) == (2, 3)
    assert (seen.settled_right, seen.settled) == (1, 1)
    assert (seen.changes, seen.believed_changes, seen.delays) == (1, 1, [4.0, 6.0])


def tiny(toml: bytes = b"", visitors: int = 200) -> Scenario:
    return tiny_museum.day(toml, visitors=visitors)


def test_perfect_counters_are_scored_as_perfect() -> None:
    perfect = tiny(tiny_museum.PERFECT + b"[queues.any]\nshare = 0\n")
    venue = tiny_museum.venue()
    seen = Watch(venue, perfect, 1).run(learning=0, scored=1, sightings=False)
    east = list(venue.zones).index("east")  # counted by events only: the others lag by the minute of their windows
    truth, raw = seen.zones["truth"][:, east], seen.zones["raw"][:, east]
    assert len(truth) == 181
    assert truth.max() > 3
    assert np.abs(truth - raw).max() <= 1  # what happened within the watermark's two seconds
    assert seen.day.tolist() == [0] * 181
    assert seen.last_hour.sum() == 60
    assert not seen.affected.any()


def test_one_monitor_goes_through_all_days_and_only_scored_ones_count() -> None:
    fault = b'[[faults]]\nkind = "dropout"\ndevice = "c-arch"\nat = "11:00"\nuntil = "12:00"\n'
    told: list[int] = []
    watch = Watch(tiny_museum.venue(), tiny(fault, visitors=80), 1, lambda: told.append(1))
    seen = watch.run(learning=1, scored=2, sightings=False, tick_s=10)
    assert len(told) == 3
    assert sorted(set(seen.day.tolist())) == [0, 1]
    zones = list(tiny_museum.venue().zones)
    hit = np.any(seen.affected, axis=0).tolist()
    assert {zone for zone, affected in zip(zones, hit, strict=True) if affected} == {"hall", "east"}
    assert seen.affected.sum() == 2 * 2 * 61
    assert {p.day for p in seen.parties} == {0, 1}
    assert abs(seen.zones["raw"][0]).max() < 10  # the nights between emptied the books


def test_the_night_has_a_tick_and_every_device_each_minute() -> None:
    found = []
    for simulation, _ in days(tiny_museum.venue(), tiny(visitors=5), 1, scored=2):
        list(simulation.events())
        found.append(simulation)
    first, second = found
    records = list(night(first, second.day.start))
    ticks = [record[0].at for record in records if len(record) == 1]
    assert len(ticks) == len(records) // 2
    assert all(b - a == 60.0 for a, b in pairwise(ticks))
    assert first.day.end < ticks[0] <= ticks[-1] < second.day.start
    assert len(records[0]) == 7


def test_miss_rates_keep_their_spread_in_proportion() -> None:
    day = configured(tiny(), miss=0.06, beacons=0.2)
    assert (day.devices.miss, day.devices.miss_spread, day.beacon_share) == (0.06, 0.03, 0.2)
    assert configured(tiny(), miss=None, beacons=None) == tiny()


def test_the_command_writes_a_report_that_says_simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    venue, day = tmp_path / "tiny.toml", tmp_path / "short.toml"
    venue.write_bytes(tiny_museum.TOML)
    day.write_bytes(b'visitors = 150\n[[faults]]\nkind = "dropout"\nat = "11:00"\nuntil = "12:00"\n')
    out, text = tmp_path / "score.json", tmp_path / "score.md"
    arguments = ["score", "simulated", "--layout", str(venue), "--scenario", str(day), "--seeds", "2", "--days", "1"]
    more = ["--learning-days", "1", "--processes", "1", "--json", str(out), "--markdown", str(text), "--mismatched"]
    more += ["--tick", "10"]
    assert cli.main([*arguments, *more]) == 0
    score = json.loads(out.read_text())
    assert score["command"] == "simulated"
    assert score["data"]["simulated"] is True
    assert (score["data"]["seeds"], score["data"]["radio"], score["data"]["mismatched"]) == ([1, 2], "truth", True)
    assert set(score["methods"]) == {"model", "raw", "clipped", "beacons", "les", "ql"}
    model = score["methods"]["model"]
    for key in ("zone_wape", "zone_cov90", "venue_mae_pct_peak", "raw_ratio", "affected_wape", "wait_mae_s"):
        assert model[key] is not None
        assert model[f"{key}_worst"] is not None
    assert model["raw_ratio"] == pytest.approx(model["zone_mae"] / score["methods"]["raw"]["zone_mae"], rel=0.5)
    assert score["report"]["scenarios"]["short"]["cost"]["days"] == 4
    assert "**Simulated data.**" in text.read_text()
    again = tmp_path / "again.json"
    assert cli.main([*arguments, *more[:4], "--mismatched", "--tick", "10", "--json", str(again)]) == 0
    assert json.loads(again.read_text())["methods"] == score["methods"]
    assert "Simulated data" in capsys.readouterr().out


def test_radio_in_full_scores_the_beacons(tmp_path: Path) -> None:
    venue, day, out = tmp_path / "tiny.toml", tmp_path / "short.toml", tmp_path / "score.json"
    venue.write_bytes(tiny_museum.TOML)
    day.write_bytes(b"visitors = 30\nbeacon_share = 0.5\n[radio]\nwall_db = 10\n")
    arguments = ["score", "simulated", "--layout", str(venue), "--scenario", str(day), "--seeds", "1", "--days", "1"]
    assert cli.main([*arguments, "--learning-days", "0", "--radio", "full", "--tick", "10", "--json", str(out)]) == 0
    model = json.loads(out.read_text())["methods"]["model"]
    assert 0 < model["beacon_accuracy"] <= 1
    assert model["beacon_switch_delay_s"] > 0


def test_what_cannot_be_scored_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["score", "simulated", "--layout", "XXL"]) == 1
    assert "no layout 'XXL'" in capsys.readouterr().err
    assert cli.main(["score", "simulated", "--scenario", "monsoon"]) == 1
    assert "no scenario 'monsoon'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["score", "simulated", "--miss", "2"])
