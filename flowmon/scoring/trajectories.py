"""`flowmon score trajectories FILE…`: people's tracks walked through simulated counters, the truth known.

Each file is a doorway: everybody who crosses the line is true. Counters are drawn (`tracks.Counter`), the same for all
methods, and the room behind the line is filled from what they count: it holds at first who is seen there first, and
whoever leaves the scene there stays. Every second and draw is scored.

    raw       first people + in - out as counted
    clipped   the same, never below zero
    model     `estimators.crowd.Crowd` on the two sides of the line, told the first people and no truth later, and
              what its maker says of the counter (`miss` and `double`), not what it does to those behind another

Figures of `methods`: crossings (true), counted (mean over draws), shadowed (share of people crossing within 0.4 s and
0.6 m of another), occupancy_wape, occupancy_mae, occupancy_bias, and of the model occupancy_cov90 and occupancy_width.
"""

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.estimators.crowd import Crowd
from flowmon.estimators.port import Z90
from flowmon.scoring import measures
from flowmon.scoring.report import arguments as report_arguments
from flowmon.scoring.report import conclude, data_of, figure, grid, percent, progress, rows_section
from flowmon.scoring.table import Account
from flowmon.scoring.tracks import Array, Crossing, Tracks, TracksInvalid, crossings, doorway, drawn, read, shadowed

Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

METHODS = ("raw", "clipped", "model")
SECONDS_MAX = 200_000
KNOWN_SD = 0.5
SIDES = np.array([[-1.0, 1.0], [1.0, -1.0]])  # before and behind the line; in, out


class Scene(Struct):
    """A file: its crossings with `forward` meaning into the room behind; first: people there at the start."""

    name: str
    line: str
    found: list[Crossing]
    close: list[bool]
    first: int
    before: int
    start: float
    seconds: int


class Said(Struct):
    """Per method value, lo and hi; truth; counted people per draw."""

    truth: list[float] = []
    told: dict[str, list[tuple[float, float, float]]] = {}
    counted: list[int] = []


def arguments(parser: argparse.ArgumentParser) -> None:
    """The tracks, the line and the counter."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="tracks: id frame x y [z], also gzipped")
    parser.add_argument("--fps", type=float, metavar="N", help="frames a second (default: as the file says)")
    parser.add_argument("--unit", choices=("m", "cm"), help="unit of x and y (default: as the file says)")
    parser.add_argument("--line", type=_line, default="auto", metavar="x=…|y=…|auto", help="the line, in metres")
    parser.add_argument("--miss", type=_share, default=0.03, metavar="P", help="share missed (default: .03)")
    parser.add_argument("--shadow", type=_share, default=0.15, metavar="P", help="more behind another (default: .15)")
    parser.add_argument("--double", type=_share, default=0.01, metavar="P", help="share seen twice (default: .01)")
    parser.add_argument("--draws", type=int, default=20, metavar="N", help="counters drawn per file (default: 20)")
    report_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, walk, score, write."""
    if not 1 <= args.draws <= 10_000 or (args.fps is not None and not 0.5 <= args.fps <= 1000.0):
        raise TracksInvalid("--draws is from 1 to 10,000 and --fps from 0.5 to 1000")
    account, scenes, rows = Account(), [], []
    pooled = _nothing()
    for path in args.files:
        tracks = read(path, args.fps, args.unit)
        scene = _scene(path, tracks, args.line)
        scenes.append(scene)
        _add(account, tracks.account, path)
        said = _walk(scene, args)
        rows.append({"file": path.name, "people": len(tracks.people), "fps": tracks.fps, "unit": tracks.unit})
        rows[-1] |= {"line": scene.line, "flow_per_s": round(len(scene.found) / max(1, scene.seconds), 3)}
        rows[-1] |= {"methods": _measure(said, [scene])}
        pooled.truth += said.truth
        pooled.counted = [a + b for a, b in zip(pooled.counted or [0] * args.draws, said.counted, strict=True)]
        for name in METHODS:
            pooled.told[name] += said.told[name]
    methods = _measure(pooled, scenes)
    counter = {"miss": args.miss, "shadow": args.shadow, "double": args.double, "draws": args.draws}
    data = data_of(account, files=[path.name for path in args.files], counter=counter)
    return conclude(args, data, methods, {"files": rows}, _markdown(data, methods, rows))


def _scene(path: Path, tracks: Tracks, line: str | tuple[int, float]) -> Scene:
    """The doorway of a file; in is where most people go."""
    axis, place = doorway(tracks) if isinstance(line, str) else line
    found = crossings(tracks, axis, place)
    if not found:
        raise TracksInvalid(f"{path}: nobody crosses {'xy'[axis]} = {place:g} m: name another --line")
    beyond = [float(places[0, axis]) >= place for _, places in tracks.people]
    if 2 * sum(crossing.forward for crossing in found) < len(found):
        beyond = [not there for there in beyond]
        found = [Crossing(crossing.at, crossing.place, not crossing.forward) for crossing in found]
    seconds = int(found[-1].at - found[0].at) + 2
    if seconds > SECONDS_MAX:
        raise TracksInvalid(f"{path}: {seconds:,} s between the first and the last crossing: is --fps right?")
    name = f"{'xy'[axis]}={place:g}"
    first = sum(beyond)
    return Scene(path.name, name, found, shadowed(found), first, len(beyond) - first, found[0].at, seconds)


def _walk(scene: Scene, args: argparse.Namespace) -> Said:
    """Every draw of a counter at one doorway."""
    said = _nothing()
    second = np.array([int(crossing.at - scene.start) for crossing in scene.found])
    into = np.array([crossing.forward for crossing in scene.found])
    truth = scene.first + np.cumsum(_per_second(second, into, np.ones(len(second)), scene.seconds) @ [1.0, -1.0])
    dice = np.random.default_rng(20_261_124)
    with progress(f"walking {scene.name}", args.draws) as advance:
        for _ in range(args.draws):
            counter = drawn(args.miss, args.shadow, args.double, dice)
            seen = np.array(counter.see(scene.found, scene.close, dice), dtype=np.float64)
            counts = _per_second(second, into, seen, scene.seconds)
            raw = scene.first + np.cumsum(counts @ [1.0, -1.0])
            said.counted.append(int(seen.sum()))
            said.truth += truth.tolist()
            said.told["raw"] += [(float(v), float(v), float(v)) for v in raw]
            said.told["clipped"] += [(max(0.0, v),) * 3 for v in raw.tolist()]
            said.told["model"] += _believed(counts, scene, 1.0 / ((1.0 - args.miss) * (1.0 + args.double)))
            advance(1)
    return said


def _believed(counts: Array, scene: Scene, gain: float) -> list[tuple[float, float, float]]:
    """What the filter says of the room behind the line after each second."""
    crowd = Crowd(SIDES, gain=np.full(2, gain))
    crowd.anchor([0], float(scene.before), KNOWN_SD)
    crowd.anchor([1], float(scene.first), KNOWN_SD)
    told = []
    for row in counts:
        crowd.learn(row.copy(), 1.0)
        people, sd = crowd.estimate()
        value, half = max(0.0, float(people[1])), Z90 * float(sd[1])
        told.append((value, max(0.0, float(people[1]) - half), max(value, float(people[1]) + half)))
    return told


def _per_second(second: Places, into: Flags, people: Array, seconds: int) -> Array:
    """People in and out per second, (seconds, 2)."""
    columns = [np.bincount(second, people * side, seconds).astype(np.float64) for side in (into, ~into)]
    told: Array = np.stack(columns, axis=1)[:seconds]
    return told


def _measure(said: Said, scenes: list[Scene]) -> dict[str, dict[str, Any]]:
    """The figures of each method."""
    truth = np.array(said.truth)
    close = [near for scene in scenes for near in scene.close]
    methods: dict[str, dict[str, Any]] = {}
    for name, told in said.told.items():
        value, lo, hi = np.array(told).T
        methods[name] = {
            "crossings": len(close),
            "crossings_in": sum(crossing.forward for scene in scenes for crossing in scene.found),
            "counted": measures.plain(np.mean(said.counted)),
            "shadowed": measures.plain(np.mean(close)),
            "occupancy_wape": measures.wape(value, truth),
            "occupancy_mae": measures.plain(np.abs(value - truth).mean()),
            "occupancy_bias": measures.plain((value - truth).mean()),
            "occupancy_cov90": measures.coverage(lo, hi, truth) if name == "model" else None,
            "occupancy_width": measures.plain((hi - lo).mean()) if name == "model" else None,
        }
    return methods


def _nothing() -> Said:
    return Said([], {name: [] for name in METHODS}, [])


def _add(account: Account, more: Account, path: Path) -> None:
    """The rows of one file more."""
    account.rows += more.rows
    account.used += more.used
    account.dropped.update(more.dropped)
    for reason, examples in more.examples.items():
        account.examples.setdefault(reason, []).extend(f"{path.name} {example}" for example in examples)
    account.notes += [f"{path.name}: {note}" for note in more.notes]


def _markdown(data: dict[str, Any], methods: dict[str, dict[str, Any]], rows: list[dict[str, Any]]) -> str:
    """The report for people."""
    counter = data["counter"]
    header = ["file", "line", "people/s", "crossings", "shadowed", "counted", *(f"{name} WAPE" for name in METHODS)]
    header.append("model inside 90 %")
    body = [
        [row["file"], row["line"], figure(row["flow_per_s"]), *_cells(row["methods"])]
        for row in (*rows, {"file": "all", "line": "", "flow_per_s": None, "methods": methods})
    ]
    return "\n".join(
        [
            "# Tracks walked through a doorway counter\n",
            (
                f"Counters miss {percent(counter['miss'])}, {percent(counter['shadow'])} more behind another, see "
                f"{percent(counter['double'])} twice; {counter['draws']} draws, both directions apart. Simulated "
                "counter, real people.\n"
            ),
            grid(header, body),
            "## Rows\n",
            rows_section(data),
        ]
    )


def _cells(methods: dict[str, dict[str, Any]]) -> list[str]:
    model = methods["model"]
    shares = [percent(methods[name]["occupancy_wape"]) for name in METHODS]
    crossed, counted = str(model["crossings"]), figure(model["counted"], 1)
    return [crossed, percent(model["shadowed"], 0), counted, *shares, percent(model["occupancy_cov90"])]


def _line(text: str) -> str | tuple[int, float]:
    found = re.fullmatch(r"\s*([xyXY])\s*=\s*(-?\d+(?:\.\d*)?|-?\.\d+)\s*", text)
    if text.strip().lower() == "auto":
        return "auto"
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no line: write x=1.5, y=-0.3 or auto")
    return "xy".index(found[1].lower()), float(found[2])


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no share: write a number from 0 to 1, like .03")
    return share
