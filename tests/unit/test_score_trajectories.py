"""`flowmon score trajectories`: tracks to crossings, crossings to counts, counts to a room that is known exactly."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowmon.__main__ import main
from flowmon.scoring.tracks import Counter, Crossing, crossings, doorway, drawn, read, shadowed

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "datasets" / "ped_trajectories"


def lines(people: int = 60, gap: int = 25, head: str = "# framerate: 10 fps\n# id frame x/m y/m z/m\n") -> str:
    """One after the other walks up y through a door at y = 0, a metre a second; every fifth comes back later."""
    rows = []
    for person in range(people):
        for step in range(60):
            x = 0.2 * ((person * 7) % 5 - 2) * (0.1 + abs(step - 30) / 30)
            rows.append(f"{person + 1} {person * gap + step} {x:.3f} {(step - 30) / 10 - 0.05:.3f} 1.7")
        if person % 5 == 0:
            rows += [f"{person + 1} {person * gap + 60 + s} 0.1 {2.95 - s / 10:.3f} 1.7" for s in range(1, 60)]
    return head + "\n".join(rows) + "\n"


def score(folder: Path, text: str | bytes, *more: str) -> dict[str, Any]:
    path = folder / "tracks.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    words = ["score", "trajectories", str(path), "--json", str(folder / "s.json"), "--markdown", str(folder / "s.md")]
    assert main([*words, *more]) == 0
    found: dict[str, Any] = json.loads((folder / "s.json").read_text(encoding="utf-8"))
    return found


def test_every_crossing_is_found_with_its_direction(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text(lines(), encoding="utf-8")
    tracks = read(path, None, None)
    assert (tracks.fps, tracks.unit, len(tracks.people)) == (10.0, "m", 60)
    axis, line = doorway(tracks)
    assert (axis, abs(line) < 1.0) == (1, True)
    found = crossings(tracks, axis, 0.0)
    assert (len(found), sum(crossing.forward for crossing in found)) == (72, 60)
    assert found == sorted(found, key=lambda crossing: crossing.at)
    assert found[0].at == pytest.approx(3.05)


def test_a_perfect_counter_knows_the_room(tmp_path: Path) -> None:
    found = score(tmp_path, lines(), "--miss", "0", "--shadow", "0", "--double", "0", "--draws", "2", "--line", "y=0")
    for name in ("raw", "clipped"):
        assert (found["methods"][name]["crossings"], found["methods"][name]["counted"]) == (72, 72)
        assert found["methods"][name]["occupancy_wape"] == 0
    assert found["methods"]["model"]["occupancy_wape"] < 0.03
    assert found["methods"]["model"]["occupancy_cov90"] > 0.9


def test_misses_show_in_the_count_and_the_room(tmp_path: Path) -> None:
    found = score(tmp_path, lines(), "--miss", ".2", "--double", "0", "--shadow", "0")
    assert 50 < found["methods"]["raw"]["counted"] < 66
    assert found["methods"]["raw"]["occupancy_wape"] > 0.05
    assert found["methods"]["model"]["occupancy_wape"] < found["methods"]["raw"]["occupancy_wape"]
    again = score(tmp_path, lines(), "--miss", ".2", "--double", "0", "--shadow", "0")
    assert again["methods"] == found["methods"]


def test_people_side_by_side_are_shadowed() -> None:
    pairs = [Crossing(n // 2, 0.4 * (n % 2), forward=True) for n in range(40)]
    assert all(shadowed(pairs))
    assert not any(shadowed([Crossing(n * 0.5, 0.0, forward=True) for n in range(40)]))
    assert not any(shadowed([Crossing(n * 0.1, float(n), forward=True) for n in range(40)]))
    seen = Counter(0.0, 0.0, 1.0, 0.0).see([*pairs, Crossing(99.0, 0.0, forward=False)], [True] * 40 + [False], dice())
    assert seen == [0] * 40 + [1]
    assert Counter(0.0, 0.0, 0.0, 1.0).see(pairs[:1], [False], dice()) == [2]


def dice() -> np.random.Generator:
    return np.random.default_rng(1)


def test_drawn_counters_differ_between_directions_and_keep_the_mean() -> None:
    rates = np.array(
        [(c.miss_in, c.miss_out) for c in (drawn(0.03, 0.15, 0.01, np.random.default_rng(n)) for n in range(500))]
    )
    assert rates.mean() == pytest.approx(0.03, abs=0.002)
    assert np.abs(rates[:, 0] - rates[:, 1]).mean() > 0.01


def test_units_rates_and_packed_files_are_understood(tmp_path: Path) -> None:
    metres = score(tmp_path, lines(), "--line", "y=0")["methods"]
    scaled = "\n".join(
        line
        if line.startswith("#")
        else " ".join([*line.split()[:2], *(f"{100 * float(v):.1f}" for v in line.split()[2:])])
        for line in lines(head="# framerate: 10 fps\n# id frame x/cm y/cm z/cm\n").splitlines()
    )
    assert score(tmp_path, gzip.compress(scaled.encode()), "--line", "y=0")["methods"] == metres
    bare = score(tmp_path, lines(head=""), "--fps", "10", "--unit", "m", "--line", "y=0")
    assert bare["methods"] == metres
    assert len(score(tmp_path, lines(head=""))["data"]["notes"]) == 2


def test_messy_lines_are_counted(tmp_path: Path) -> None:
    text = "\ufeff" + lines() + "61 1 nan 2\n61 2\nhello world\n\n62;5;1.0;2.0\n"
    assert score(tmp_path, text)["data"]["dropped"]["not id frame x y"] >= 3


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        (b"", (), "no line of it"),
        (b"\x1f\x8b\x08broken", (), "broken gzip"),
        (b"1 1 0 0\n1 2 0 0\n", (), "nobody crosses"),
        (lines().encode(), ("--line", "y=500"), "nobody crosses"),
        (lines().encode(), ("--draws", "0"), "--draws"),
        (b"1 1 0 -1\n1 2 0 1\n2 900000000 0 -1\n2 900000001 0 1\n", ("--line", "y=0"), "is --fps right"),
    ],
)
def test_useless_input_ends_in_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes, more: tuple[str, ...], words: str
) -> None:
    path = tmp_path / "tracks.txt"
    path.write_bytes(text)
    assert main(["score", "trajectories", str(path), *more]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.skipif(not SHARED.is_dir(), reason="the trajectories are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "line", "share"),
    [("040_c_56_h-", "y=0", 0.21), ("uo-180-180-070", "auto", 0.41), ("uo-180-180-120", "auto", 0.59)],
)
def test_real_people_shadow_each_other_as_was_measured(tmp_path: Path, name: str, line: str, share: float) -> None:
    found = score(tmp_path, (SHARED / f"{name}.txt.gz").read_bytes(), "--line", line)
    assert found["methods"]["raw"]["shadowed"] == pytest.approx(share, abs=0.05)
