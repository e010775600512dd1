"""`flowmon doctor`: what is wrong with this installation, and what to do about it.

A server is checked when its variable is set (FLOWMON_MQTT, FLOWMON_KAFKA, FLOWMON_POSTGRES) or when it answers
where it is by default; what is neither is `off`, and no fault. The exit code is 1 when something fails.
"""

import argparse
import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from flowmon import settings as environment
from flowmon.clock import Clock
from flowmon.doctor import machine, servers
from flowmon.doctor.result import Result
from flowmon.errors import FlowmonError
from flowmon.settings import Settings

CHECK_S = 3.0
MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL", "off": "-   "}


async def examine(settings: Settings, configured: frozenset[str], now: float) -> list[Result]:
    """All checks at the same time, each for at most three seconds. configured: names of settings that were set."""
    answers = await asyncio.gather(
        _timed("venue", lambda: asyncio.to_thread(machine.venues, settings)),
        _timed("clock", lambda: asyncio.to_thread(machine.clock, now)),
        _timed("data folder", lambda: asyncio.to_thread(machine.folder, settings)),
        _timed("journal of files", lambda: asyncio.to_thread(machine.journal, settings, now)),
        _timed("history of files", lambda: machine.history(settings)),
        _timed("MQTT", lambda: servers.mqtt(settings), needed="mqtt" in configured),
        _timed("Kafka", lambda: servers.kafka(settings), needed="kafka" in configured),
        _timed("worker", lambda: servers.worker(settings, now), needed="kafka" in configured),
        _timed("PostgreSQL", lambda: servers.postgres(settings, now), needed="postgres" in configured),
        _timed("feed", lambda: servers.feed(settings)),
    )
    return [result for results in answers for result in results]


async def _timed(
    part: str, check: Callable[[], Awaitable[Result | list[Result]]], *, needed: bool = True
) -> list[Result]:
    try:
        found = await asyncio.wait_for(check(), CHECK_S)
    except TimeoutError:
        found = Result(part, "fail", f"no answer within {CHECK_S:g} s", "is it overloaded, or a firewall between?")
    except FlowmonError as error:
        found = Result(part, "fail", str(error))
    results = found if isinstance(found, list) else [found]
    if needed:
        return results
    return [Result(r.part, "off", "not configured, nothing answers there") if r.away else r for r in results]


def configured(variables: Mapping[str, str]) -> frozenset[str]:
    """Names of the settings that somebody has set."""
    return frozenset(name.removeprefix("FLOWMON_").lower() for name in variables if name.startswith("FLOWMON_"))


def arguments(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="one JSON array instead of text")


def run(args: argparse.Namespace) -> int:
    """Check and print; 1 when something fails."""
    logging.basicConfig(handlers=[logging.NullHandler()])  # what the clients have to say is in the results
    known = configured(os.environ)
    results = asyncio.run(examine(environment.load(), known, Clock().now()))
    if args.json:
        print(json.dumps([msgspec.to_builtins(result) for result in results]))
    else:
        if not known:
            print("no FLOWMON_ variable is set: looking at the defaults, not where options may have put things")
        for result in results:
            print(f"{MARKS[result.status]}  {result.part}: {result.seen}")
            if result.do:
                print(f"        -> {result.do}")
    return int(any(result.status == "fail" for result in results))
