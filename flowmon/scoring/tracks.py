"""People's tracks from a file, and the doorway counter they are walked through.

Tracks: lines of `id frame x y [z …]`, spaces or commas between, plain or gzip, comment lines beginning with #, as PedPy
and PeTrack write them. Unit and frame rate are read from comments (`x/cm`, `framerate: 25 fps`) where they are there.

The counter sees each crossing unless it misses it: with probability `miss`, and with `shadow` more where somebody else
crosses within 0.4 s and 0.6 m; it sees one twice with probability `double`. Gains of the two directions are drawn
apart, as equal ones would cancel.
"""

import math
import re
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.errors import FlowmonError
from flowmon.scoring.contents import contents
from flowmon.scoring.table import Account

Array = NDArray[np.float64]

BYTES_MAX = 1 << 30
ROWS_MAX = 20_000_000
NEAR_S, NEAR_M = 0.4, 0.6
METRES_MAX = 60.0  # a scene wider than this is in centimetres
_RATE = re.compile(r"fram[e ]*rate\D{0,12}([\d.]+)|([\d.]+)\s*fps", re.IGNORECASE)
_CM, _M = re.compile(r"/\s*cm\b|\bin cm\b", re.IGNORECASE), re.compile(r"[xy]\s*/\s*m\b|\bin m\b", re.IGNORECASE)


class TracksInvalid(FlowmonError):
    """A file without tracks, or of which something must be said."""


class Crossing(Struct, frozen=True):
    """Somebody crosses the line: when (s), where along it (m), and whether towards larger coordinates."""

    at: float
    place: float
    forward: bool


class Tracks(Struct):
    """people: per person frames (n,) and positions (n, 2) in metres, in order of time. fps: frames per second."""

    people: list[tuple[Array, Array]]
    fps: float
    unit: str
    account: Account


def read(path: Path, fps: float | None, unit: str | None) -> Tracks:
    """The tracks of a file. Raises TracksInvalid."""
    account, rows = Account(), dict[str, list[tuple[float, float, float]]]()
    comments = []
    for line, text in enumerate(_text(path).splitlines(), 1):
        if text.lstrip().startswith("#"):
            comments.append(text)
            continue
        cells = re.split(r"[\s,;]+", text.strip())
        if cells == [""]:
            continue
        account.rows += 1
        if account.rows > ROWS_MAX:
            raise TracksInvalid(f"{path}: more than {ROWS_MAX:,} rows: cut the file")
        found = _numbers(cells)
        if found is None:
            account.drop("not id frame x y", line, text)
            continue
        rows.setdefault(cells[0], []).append(found)
        account.used += 1
    if not rows:
        raise TracksInvalid(f"{path}: no line of it is `id frame x y`: {dict(account.dropped)}")
    head = "\n".join(comments)
    people = [np.array(sorted({row[0]: row for row in found}.values())) for found in rows.values()]
    said = unit or ("cm" if _CM.search(head) else "m" if _M.search(head) else None)
    if said is None:
        widest = max(float(np.ptp(track[:, 1:3], axis=0).max()) for track in people)
        said = "cm" if widest > METRES_MAX else "m"
        account.notes.append(f"no unit is named: taken as {said}, as somebody walks {widest:.0f} of it (--unit)")
    rate = fps or _rate(head)
    if rate is None:
        rate = 25.0 if said == "m" else 16.0
        account.notes.append(f"no frame rate is named: taken as {rate:g} frames a second (--fps)")
    scale = 0.01 if said == "cm" else 1.0
    return Tracks([(track[:, 0], scale * track[:, 1:3]) for track in people], rate, said, account)


def doorway(tracks: Tracks) -> tuple[int, float]:
    """A line that most people cross: its axis (0: x = c, 1: y = c) and c. Where they are closest together of all such
    lines, as that is the door; in the middle of them where it makes no difference."""
    spans = np.array([[t[0][0], t[-1][0], t[0][1], t[-1][1]] for _, t in tracks.people])
    walked = [float(np.abs(spans[:, 1 + 2 * axis] - spans[:, 2 * axis]).mean()) for axis in (0, 1)]
    axis = int(walked[1] > walked[0])
    ends = spans[:, 2 * axis : 2 * axis + 2]
    low, high = float(np.median(ends.min(axis=1))), float(np.median(ends.max(axis=1)))
    tried = np.linspace(low, high, 41)[1:-1]
    crossed = np.array([((ends.min(axis=1) < c) & (ends.max(axis=1) > c)).sum() for c in tried])
    most = tried[crossed >= 0.98 * crossed.max()]
    widths = np.array([_width(tracks, axis, float(c)) for c in most])
    narrow = most[widths <= 1.15 * widths.min()]
    return axis, round(float(narrow[len(narrow) // 2]), 3)


def _width(tracks: Tracks, axis: int, line: float) -> float:
    places = [crossing.place for crossing in crossings(tracks, axis, line)]
    return float(np.std(places)) if places else math.inf


def crossings(tracks: Tracks, axis: int, line: float) -> list[Crossing]:
    """Every crossing of the line, in order of time, to a fraction of a frame."""
    found = []
    for frames, places in tracks.people:
        beyond = places[:, axis] >= line
        for n in np.flatnonzero(beyond[1:] != beyond[:-1]):
            before, after = places[n], places[n + 1]
            part = float((line - before[axis]) / (after[axis] - before[axis]))
            at = float(frames[n] + part * (frames[n + 1] - frames[n])) / tracks.fps
            found.append(Crossing(at, float(before[1 - axis] + part * (after - before)[1 - axis]), bool(beyond[n + 1])))
    return sorted(found, key=lambda crossing: crossing.at)


def shadowed(found: list[Crossing]) -> list[bool]:
    """Whether somebody else crosses within 0.4 s and 0.6 m of each.

    >>> shadowed([Crossing(1.0, 0.0, True), Crossing(1.3, 0.5, True), Crossing(1.35, 5.0, True)])
    [True, True, False]
    """
    close = [False] * len(found)
    for n, one in enumerate(found):
        for m in range(n + 1, len(found)):
            if found[m].at - one.at > NEAR_S:
                break
            if abs(found[m].place - one.place) <= NEAR_M:
                close[n] = close[m] = True
    return close


class Counter(Struct, frozen=True):
    """The errors of a counter: share missed of each direction, more when shadowed, and seen twice."""

    miss_in: float
    miss_out: float
    shadow: float
    double: float

    def see(self, found: list[Crossing], close: list[bool], dice: np.random.Generator) -> list[int]:
        """People counted for each crossing: 0, 1 or 2."""
        draws = dice.random((len(found), 2))
        seen = []
        for crossing, near, (missed, twice) in zip(found, close, draws, strict=True):
            miss = (self.miss_in if crossing.forward else self.miss_out) + self.shadow * near
            seen.append(0 if missed < miss else 2 if twice < self.double else 1)
        return seen


def drawn(miss: float, shadow: float, double: float, dice: np.random.Generator) -> Counter:
    """A counter whose two miss rates are drawn around `miss` (Beta, sd two thirds of it)."""
    if not 0.0 < miss < 1.0:
        return Counter(miss, miss, shadow, double)
    size = max(2.0, (1.0 - miss) / (miss * (2 / 3) ** 2) - 1.0)
    one, other = dice.beta(miss * size, (1.0 - miss) * size, 2)
    return Counter(float(one), float(other), shadow, double)


def _numbers(cells: list[str]) -> tuple[float, float, float] | None:
    """frame, x, y; None when these are no numbers."""
    try:
        frame, x, y = (float(cell) for cell in cells[1:4])
    except ValueError:
        return None
    return (frame, x, y) if all(map(math.isfinite, (frame, x, y))) and max(abs(frame), abs(x), abs(y)) < 1e9 else None


def _rate(head: str) -> float | None:
    found = _RATE.search(head)
    rate = float((found[1] or found[2]).strip(".") or 0) if found else 0.0
    return rate if 0.5 <= rate <= 1000.0 else None


def _text(path: Path) -> str:
    data = contents(path, BYTES_MAX, TracksInvalid)
    return data.decode("utf-8", errors="replace")
