"""The loop that plays a job into a target, at its pace."""

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

from flowmon.recording.job import Job
from flowmon.recording.pacing import Pace
from flowmon.recording.tapes import moment
from flowmon.recording.targets import Target

YIELD_EVERY = 500


async def play(
    job: Job, target: Target, progress: Callable[[Path, int], None] | None = None, *, early: bool = False
) -> int:
    """Play all passes into a target; returns how many records it was sent.

    early: send what happened before the start too, at once, for the state it leaves.
    """
    loop = asyncio.get_running_loop()
    sent = 0
    for number in range(job.loop):
        if number:
            target.restart()
        pace, began = Pace(job.rate, job.max_gap_s), loop.time()
        for entry in job.entries(progress):
            at = moment(entry.record)
            if at < job.start and not early:
                continue
            paced = at >= job.start and math.isfinite(job.rate)
            wait_s = began + pace.due(at) - loop.time() if paced else 0.0
            sent += 1
            if wait_s > 0 or sent % YIELD_EVERY == 0:
                await asyncio.sleep(max(wait_s, 0.0))
            await target.send(entry)
        await target.close()
    return sent
