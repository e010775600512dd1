"""Checks of this machine: venue files, data folder, clock, and the journal and history of a one-process engine."""

import os
import shutil
from pathlib import Path

from flowmon.doctor.result import Result, age
from flowmon.errors import FlowmonError
from flowmon.history.sqlite import SqliteHistory
from flowmon.journal.files import last_entry
from flowmon.settings import Settings
from flowmon.venue.parse import read

SPACE_WARN = 2 << 30
SPACE_FAIL = 200 << 20
#: No release of flowmon is older than this: 2026-01-01.
CLOCK_EARLIEST = 1_767_225_600.0
CLOCK_LATEST = 4_102_444_800.0  # 2100-01-01
FACT_LATE_S = 10.0
HISTORY_BEHIND = 60


def venues(settings: Settings) -> list[Result]:
    """Every venue file, whole and valid."""
    if not settings.venues:
        return [Result("venue", "fail", "FLOWMON_VENUES names no file", "name at least one venue file")]
    return [_venue(path) for path in settings.venues]


def _venue(path: Path) -> Result:
    venue, problems = read(path)
    part = f"venue {path}"
    errors = [problem for problem in problems if problem.severity == "error"]
    if venue is None or errors:
        if not path.exists():
            return Result(part, "fail", "there is no such file", "set FLOWMON_VENUES to your venue files")
        first = ": ".join(text for text in (errors[0].path, errors[0].message) if text)
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return Result(part, "fail", first + more, f"run: flowmon check {path}")
    seen = f"{venue.name}: {len(venue.zones)} zones, {len(venue.counters)} counters, {len(venue.receivers)} receivers"
    if problems:
        return Result(part, "warn", f"{seen}; {len(problems)} warnings", f"run: flowmon check {path}")
    return Result(part, "ok", seen)


def clock(now: float) -> Result:
    """Whether this machine's clock can be right at all; every age on the screens comes from it."""
    if CLOCK_EARLIEST < now < CLOCK_LATEST:
        return Result("clock", "ok", "plausible")
    return Result("clock", "fail", f"stands at {now:.0f} s after 1970", "set it: timedatectl set-ntp true")


def folder(settings: Settings) -> Result:
    """Whether the data folder can be written, and has room for days of journal."""
    place = settings.data
    existing = next(path for path in (place.absolute(), *place.absolute().parents) if path.exists())
    part = f"data folder {place}"
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Result(part, "fail", f"{existing} cannot be written", "give its user the right, or set FLOWMON_DATA")
    free = shutil.disk_usage(existing).free
    seen = f"{free / 1e9:.1f} GB free"
    if free < SPACE_FAIL:
        return Result(part, "fail", seen, "free space now: the journal is about to stop")
    if free < SPACE_WARN:
        return Result(part, "warn", seen, "free space: a day of a museum is about 50 MB of journal")
    return Result(part, "ok", seen)


def journal(settings: Settings, now: float) -> list[Result]:
    """The file journal of `flowmon run`, where there is one: when its last fact was written."""
    place = settings.data / "journal"
    if not place.is_dir():
        return [Result("journal of files", "off", f"no {place}")]
    return [_journal(place, path.name, now) for path in sorted(place.iterdir()) if path.is_dir()]


def _journal(place: Path, venue: str, now: float) -> Result:
    part = f"journal of {venue}"
    try:
        entry = last_entry(place, venue)
    except FlowmonError as error:
        return Result(part, "fail", str(error), "bring the file back from a copy")
    if entry is None:
        return Result(part, "warn", "empty", "start: flowmon run venue.toml")
    late = now - max(fact.seen or fact.at for fact in entry.record)
    seen = f"offset {entry.offset}, last fact {age(late)} ago"
    if late < -FACT_LATE_S:
        return Result(part, "warn", f"last fact {age(-late)} in the future", "was the clock set back? check it")
    if late > FACT_LATE_S:
        return Result(part, "warn", f"{seen}: nobody is writing it", "start: flowmon run venue.toml")
    return Result(part, "ok", seen)


async def history(settings: Settings) -> list[Result]:
    """The SQLite history beside the journal, and how far it is behind."""
    path, place = settings.data / "history.sqlite", settings.data / "journal"
    if not path.is_file():
        return [Result("history of files", "off", f"no {path}")]
    store = SqliteHistory(path)
    results = []
    try:
        for venue in sorted(item.name for item in place.iterdir() if item.is_dir()) if place.is_dir() else ():
            entry = last_entry(place, venue)
            behind = (entry.offset if entry else -1) - await store.latest_offset(venue)
            late = behind > HISTORY_BEHIND
            results.append(
                Result(
                    f"history of {venue}",
                    "warn" if late else "ok",
                    f"{max(behind, 0)} records behind the journal",
                    f"look into the log: is the disk of {path} full or slow?" if late else "",
                )
            )
    finally:
        await store.close()
    return results
