"""Processes of a measure: started, bounded in time, ended by their own id; their last line of output is a result."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

CHILD_S = 120.0


class ChildFailed(Exception):
    """A process of a measure ended badly or took too long; the message has the end of what it said."""


def say(**result: object) -> None:
    """The result of a child, as its last line."""
    print(json.dumps(result), flush=True)


async def run(
    *arguments: str, environment: Mapping[str, str] | None = None, timeout_s: float = CHILD_S
) -> dict[str, Any]:
    """`python -m ARGUMENTS…` to its end; what it `say`s. Raises ChildFailed."""
    async with started(*arguments, environment=environment) as process:
        try:
            out, err = await asyncio.wait_for(process.communicate(), timeout_s)
        except TimeoutError:
            raise ChildFailed(f"{arguments[0]} was not done after {timeout_s:.0f} s") from None
    if process.returncode or not out.strip():
        tail = (err or out).decode(errors="replace")[-2000:]
        raise ChildFailed(f"{' '.join(arguments[:2])} ended with {process.returncode}:\n{tail}")
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


@contextlib.asynccontextmanager
async def started(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m ARGUMENTS…` for as long as the context lasts, then killed if it is still there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "ignore",
        "-m",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,
        env={**os.environ, **(environment or {})},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def line(process: asyncio.subprocess.Process, timeout_s: float = CHILD_S) -> dict[str, Any]:
    """The next line a child says. Raises ChildFailed when it ends or is silent for too long."""
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        data = await asyncio.wait_for(process.stdout.readline(), timeout_s)
    except TimeoutError:
        raise ChildFailed(f"a child said nothing for {timeout_s:.0f} s") from None
    if not data:
        raise ChildFailed((await process.stderr.read()).decode(errors="replace")[-2000:])
    said: dict[str, Any] = json.loads(data)
    return said
