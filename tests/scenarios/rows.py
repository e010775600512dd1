"""What is measured and what it must reach: the runs of the protocol and the published rows.

A run is one `flowmon score` command; a row reads one key of the JSON of one or more runs. Seeds 101 and up are for
published figures only. No number of this file is a result.
"""

import statistics
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

Score = Mapping[str, Any]
QUICK = ("--tick", "10", "--days", "1", "--learning-days", "2")
#: The scenarios of section 9 (a), the normal day first.
EVERY = (
    "normal", "peak", "coaches", "counter-dead", "direction-loss", "receiver-off", "beacon-drop", "late-data",
    "disorder", "no-sweep", "clock-step",
)  # fmt: skip


class Run(Struct, frozen=True):
    """One command. args: after `flowmon score`; {data} is the folder of data sets, {made} of converted files.

    needs: a file that must exist below the folder of data sets. quick: more arguments of the quick protocol (of an
    option given twice the last one counts); None: not part of it.
    """

    name: str
    args: tuple[str, ...]
    quick: tuple[str, ...] | None = ()
    needs: str = ""

    @property
    def simulated(self) -> bool:
        """Whether seeds mean something to it."""
        return self.args[0] == "simulated"


class Row(Struct, frozen=True):
    """One line of the table. runs: name of a run; with a dash at its end, what those of several begin with.

    must, aim: the bar, for better="inside" both ends; None: no bar is set. percent: a fraction told in percent.
    """

    label: str
    runs: str
    key: str
    must: float | tuple[float, float] | None = None
    aim: float | tuple[float, float] | None = None
    better: Literal["lower", "higher", "inside"] = "lower"
    scenario: str = ""
    method: str = "model"
    percent: bool = True


def _simulated(name: str, layout: str, *more: str, quick: tuple[str, ...] | None = ()) -> Run:
    args = ("simulated", "--layout", layout, "--first-seed", "101", *more)
    return Run(name, args, None if quick is None else (*QUICK, *quick))


def _melbourne(name: str, sensor: str) -> Run:
    file = "melbourne_pedestrian/pedestrian_2015_2016.csv.gz"
    args = ("forecast", "{data}/" + file, "--time", "Date_Time_utc", "--value", "Count", "--by", "Sensor", "--only",
            sensor, "--step", "1h", "--horizons", "1h", "--timezone", "Australia/Melbourne", "--open", "08:00-20:00",
            )  # fmt: skip
    return Run(f"melbourne-{name}", args, needs=file)


def _tracks(name: str, file: str, *more: str) -> Run:
    path = f"ped_trajectories/{file}.txt.gz"
    return Run(f"tracks-{name}", ("trajectories", "{data}/" + path, *more), needs=path)


_CALIT2 = "calit2/calit2_counts.csv"

#: In the order they are run: what takes seconds first.
RUNS = (
    _melbourne("bourke", "Bourke Street Mall (North)"),
    _melbourne("market", "QV Market-Elizabeth St (West)"),
    _melbourne("southern", "Southern Cross Station"),
    _melbourne("birrarung", "Birrarung Marr"),
    Run("calit2-events", ("events", "{data}/" + _CALIT2, "--time", "ts", "--in", "in_count", "--out", "out_count",
                          "--events", "{data}/calit2/calit2_events.csv", "--begin", "begin", "--end", "end",
                          "--open", "07:00-20:00"), needs=_CALIT2),
    Run("calit2-forecast", ("forecast", "{data}/" + _CALIT2, "--time", "ts", "--value", "in_count", "--step", "30min",
                            "--horizons", "30min,1h", "--open", "07:00-20:00"), needs=_CALIT2),
    Run("hall", ("beacons", "{made}/hall.csv", "--time", "time", "--beacon", "beacon", "--receiver", "receiver",
                 "--rssi", "rssi", "--zone", "zone", "--run", "track"),
        needs="ble_position_annotated/tracks_fingerprints_config.zip"),
    _tracks("bottleneck", "040_c_56_h-", "--unit", "m"),
    _tracks("both-ways", "bi_corr_400_b_03", "--fps", "25", "--unit", "cm"),
    _tracks("one-way-070", "uo-180-180-070", "--fps", "16", "--unit", "cm"),
    _tracks("one-way-120", "uo-180-180-120", "--fps", "16", "--unit", "cm"),
    _simulated("m", "M", "--scenario", "normal", "counter-dead"),
    _simulated("queue", "M", "--scenario", "queue-heavy"),
    _simulated("mismatched", "M", "--scenario", "normal", "--mismatched"),
    _simulated("every", "M", "--scenario", *EVERY, quick=("--layout", "S", "--learning-days", "1")),
    _simulated("s", "S", "--scenario", "normal"),
    _simulated("l", "L", "--scenario", "normal", quick=("--learning-days", "1")),
    _simulated("radio", "M", "--scenario", "normal", "--radio", "full", quick=("--learning-days", "1")),
)  # fmt: skip

_COVERED: tuple[tuple[float, float], tuple[float, float], Literal["inside"]] = ((0.86, 0.94), (0.88, 0.92), "inside")
ROWS = (
    Row("T1 rooms, layout M: MAE ÷ raw", "m", "raw_ratio", 0.25, 0.15, scenario="normal", percent=False),
    Row("T2 rooms, layout M: WAPE", "m", "zone_wape", 0.22, 0.15, scenario="normal"),
    Row("T3 building, layout M: MAE ÷ peak", "m", "venue_mae_pct_peak", 0.03, 0.015, scenario="normal"),
    Row("building, layout M: MAE ÷ raw", "m", "venue_raw_ratio", 0.25, 0.20, scenario="normal", percent=False),
    Row("T4 rooms, layout M: truth in the 90 % band", "m", "zone_cov90", *_COVERED, scenario="normal"),
    Row("T4 the same, every scenario", "every", "zone_cov90", *_COVERED),
    Row("T4 the same, mismatched physics", "mismatched", "zone_cov90", *_COVERED),
    Row("rooms, layout M, mismatched: WAPE", "mismatched", "zone_wape", 0.22, 0.15),
    Row("rooms, layout S: WAPE", "s", "zone_wape", 0.22, 0.15),
    Row("rooms, layout L, never tuned on: WAPE", "l", "zone_wape", 0.22, 0.15),
    Row("T5 counter dead, rooms beside it: WAPE", "m", "affected_wape", 0.35, 0.22, scenario="counter-dead"),
    Row("T6 beacons in the right room", "radio", "beacon_accuracy", 0.95, 0.975, "higher"),
    Row("beacons that have settled", "radio", "beacon_settled_accuracy", None, 0.97, "higher"),
    Row("T7 wait: MAE ÷ last to enter service", "queue", "wait_les_ratio", 0.70, 0.55, percent=False),
    Row("T7 wait: MAE ÷ queue length", "queue", "wait_ql_ratio", 0.97, 0.92, percent=False),
    Row("T9 sign “at most X min” kept", "queue", "sign_kept", 0.90, 0.94, "higher"),
    Row("T9 the sign overstates by, s", "queue", "sign_over_s", None, 150.0, percent=False),
    Row("Melbourne, 4 streets, 1 h: skill over climatology + deviation", "melbourne-", "skill_60min", 0.14, 0.21,
        "higher"),
    Row("T11 Melbourne, 1 h: truth in the 90 % band", "melbourne-", "cov90_60min", (0.89, 0.91), (0.895, 0.905),
        "inside"),
    Row("T11 Melbourne, 1 h: lowest of any 500", "melbourne-", "worst500_60min", 0.84, 0.87, "higher"),
    Row("Melbourne Southern Cross, 1 h: WAPE", "melbourne-southern", "wape_60min", None, 0.078),
    Row("Melbourne Birrarung Marr, 1 h: WAPE", "melbourne-birrarung", "wape_60min", None, 0.30),
    Row("calit2 in-flow, 30 min: skill over climatology + deviation", "calit2-forecast", "skill_30min", 0.12, 0.17,
        "higher"),
    Row("calit2 in-flow, 60 min: the same", "calit2-forecast", "skill_60min", 0.14, 0.21, "higher"),
    Row("T15 calit2: events found of 30", "calit2-events", "events_found", 21, 21, "higher", percent=False),
    Row("T15 calit2: runs that are not listed", "calit2-events", "runs_unlisted", 29, 24, percent=False),
    Row("open hall, 4 zones: beacons in the right zone, settled", "hall", "accuracy", None, 0.87, "higher",
        method="model_lag"),
    Row("doorways, 4 scenes: WAPE behind the line", "tracks-", "occupancy_wape"),
    Row("doorways, 4 scenes: truth in the 90 % band", "tracks-", "occupancy_cov90", *_COVERED),
)  # fmt: skip


def values(row: Row, scores: Mapping[str, Score]) -> tuple[float, float] | None:
    """Median and worst of a row over what was run: seeds, scenarios, or data sets. None: nothing was, or no figure."""
    found = [pair for name, score in scores.items() if reads(row, name) for pair in _of(row, score)]
    if not found:
        return None
    return statistics.median(median for median, _ in found), max(
        (worst for _, worst in found), key=lambda value: badness(row, value)
    )


def reads(row: Row, name: str) -> bool:
    """Whether a row is about the run of that name.

    >>> reads(ROWS[0], "m"), reads(ROWS[0], "mismatched"), reads(Row("", "tracks-", ""), "tracks-one-way-070")
    (True, False, True)
    """
    return name.startswith(row.runs) if row.runs.endswith("-") else name == row.runs


def _of(row: Row, score: Score) -> Iterator[tuple[float, float]]:
    """(median, worst) of every scenario, or of the one data set."""
    scenarios = score["report"].get("scenarios")
    parts = {row.scenario: score} if scenarios is None else scenarios
    for name, part in parts.items():
        figures = part["methods"].get(row.method, {})
        value = figures.get(row.key)
        if value is not None and row.scenario in {"", name}:
            worst = figures.get(f"{row.key}_worst")
            yield value, value if worst is None else worst


def badness(row: Row, value: float) -> float:
    """The more the worse."""
    if isinstance(row.must, tuple):
        return abs(value - sum(row.must) / 2)
    return -value if row.better == "higher" else value


def reached(row: Row, value: float) -> str:
    """`aim`, `must`, `no`, or — where no bar is set.

    >>> row = Row("", "", "", (0.86, 0.94), (0.88, 0.92), "inside")
    >>> reached(row, 0.9), reached(row, 0.93), reached(row, 0.95)
    ('aim', 'must', 'no')
    """
    for name, bar in (("aim", row.aim), ("must", row.must)):
        if isinstance(bar, tuple):
            if bar[0] <= value <= bar[1]:
                return name
        elif bar is not None and (value >= bar if row.better == "higher" else value <= bar):
            return name
    return "—" if row.must is None and row.aim is None else "no"
