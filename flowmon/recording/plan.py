"""What a replay would do, and what it did, in words."""

import math
from collections import Counter
from datetime import tzinfo
from typing import Any

from flowmon.recording.job import Job
from flowmon.recording.pacing import Pace
from flowmon.recording.tapes import fact_type, moment
from flowmon.recording.times import written
from flowmon.settings import Settings


def plan(job: Job, to: str, installed: Settings) -> dict[str, Any]:
    """What would be sent where, from one reading of the recordings."""
    feed = f"{installed.feed_host}:{installed.feed_port}"
    addresses = {"kafka": installed.kafka, "mqtt": installed.mqtt, "feed": feed}
    types: Counter[str] = Counter()
    pace = Pace(job.rate, job.max_gap_s)
    records, first, last, takes_s = 0, 0.0, 0.0, 0.0
    for entry in job.entries():
        at = moment(entry.record)
        if at >= job.start:
            records, first, last, takes_s = records + 1, first or at, at, pace.due(at)
            types.update(map(fact_type, entry.record))
    return {
        "to": to,
        "address": addresses.get(to, "nowhere"),
        "marked_simulated": installed.simulated,
        "venues": list(job.venues),
        "passes": job.loop,
        "records": records,
        "facts": types.total(),
        "types": dict(types.most_common()),
        "start": first,
        "until": last,
        "takes_s": round(takes_s * job.loop, 1) if math.isfinite(job.rate) else None,
    }


def planned(found: dict[str, Any], zone: tzinfo) -> str:
    """A plan as text."""
    takes = "as fast as it goes" if found["takes_s"] is None else f"{found['takes_s']:g} s"
    marked = "" if found["marked_simulated"] else "not "
    lines = [
        ("to", f"{found['to']} at {found['address']}, {marked}marked simulated"),
        ("venues", ", ".join(found["venues"])),
        ("from", written(found["start"], zone)),
        ("until", written(found["until"], zone)),
        ("records", f"{found['records']} in each of {found['passes']} passes, taking {takes}"),
        ("facts", str(found["facts"])),
        *_indented(found["types"]),
    ]
    return "\n".join(f"{key:<16} {value}" for key, value in lines)


def summed_up(found: dict[str, Any], zone: tzinfo) -> str:
    """The summary of what was concluded as text."""
    lines = [
        ("venues", ", ".join(found["venues"])),
        ("from", written(found["start"], zone)),
        ("until", written(found["until"], zone)),
        ("records", f"{found['records']} in {found['passes']} passes"),
        ("facts", f"{found['facts']}, {found['facts_per_s']} a second"),
        ("elapsed", f"{found['elapsed_s']:.2f} s"),
        ("findings", str(found["findings"])),
        *_indented(found["types"]),
        ("episodes", str(sum(found["episodes"].values()))),
        *_indented(found["episodes"]),
        ("sha256", found["sha256"]),
    ]
    return "\n".join(f"{key:<16} {value}" for key, value in lines)


def _indented(counts: dict[str, int]) -> list[tuple[str, str]]:
    return [(f"  {name}", str(count)) for name, count in counts.items()]
