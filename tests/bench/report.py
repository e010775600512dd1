"""The report of a run: machine, versions, every row with its raw figures; as JSON and as Markdown."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.bench.figures import Row

PACKAGES = (
    "flowmon",
    "faust-streaming",
    "aiokafka",
    "paho-mqtt",
    "msgspec",
    "numpy",
    "websockets",
    "bytewax",
    "quixstreams",
    "confluent-kafka",
)


class Report(Struct):
    """One run. failed: measures that could not be made, and why. took_s: how long each measure took."""

    machine: dict[str, Any]
    versions: dict[str, str]
    rows: list[Row]
    failed: dict[str, str] = {}
    took_s: dict[str, float] = {}


def load() -> list[float]:
    """Processes that run or wait, on average of 1, 5 and 15 minutes."""
    return [round(load, 2) for load in os.getloadavg()]


def machine() -> dict[str, Any]:
    """What it runs on, and how busy that is now."""
    cpu = platform.processor() or platform.machine()
    known = Path("/proc/cpuinfo")
    if known.exists():
        names = [line.partition(":")[2].strip() for line in known.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages * size / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load": load(),
    }


def versions() -> dict[str, str]:
    """Python's and the packages' that matter."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def markdown(report: Report) -> str:
    """For people: what was to be reached first, then what it was made from."""
    lines = [
        "# flowmon bench",
        "",
        _machine(report.machine),
        "",
        ", ".join(f"{name} {version}" for name, version in report.versions.items()),
        "",
        "| measure | what | value | must | met |",
        "|---|---|---|---|---|",
        *(_line(row) for row in report.rows),
        *(f"| {name} | could not be measured: {why.splitlines()[0]} | | | no |" for name, why in report.failed.items()),
        "",
        "It took " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in report.took_s.items()) + ".",
        "",
        "## Raw figures: min / median / max (all, in order)",
        "",
    ]
    for row in report.rows:
        lines += [f"- **{row.measure}**: {row.what}.{f' {row.note}.' if row.note else ''}"]
        for name, figure in row.figures.items():
            values = ", ".join(map(_number, figure.values))
            spread = " / ".join(map(_number, (figure.min, figure.median, figure.max)))
            lines.append(f"  - {name}: {spread} ({values})")
    return "\n".join(lines) + "\n"


def _machine(found: dict[str, Any]) -> str:
    load = f"load at the start {found['load_before'][0]}, at the end {found['load'][0]}"
    busy = "A load above the cores means that others were running: figures by the clock are then too low."
    return f"{found['cpu']}, {found['cores']} cores, {found['memory_gib']} GiB, {found['system']}; {load}. {busy}"


def _line(row: Row) -> str:
    must = "" if row.target is None else f"{row.bound} {row.target:g}{f' (aim {row.aim:g})' if row.aim else ''}"
    met = "" if row.met is None else ("yes" if row.met else "**no**")
    return f"| {row.measure} | {row.what} | {_number(row.value)} {row.unit} | {must} | {met} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
