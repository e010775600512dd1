"""Checks of the servers: MQTT broker, Kafka, PostgreSQL, feed; and whether findings keep up with facts."""

import asyncio
import contextlib
import json
import ssl
import struct
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from flowmon.doctor.result import Result, age
from flowmon.errors import FlowmonError
from flowmon.names import FACTS_TOPIC, FINDINGS_TOPIC, REJECTS_TOPIC, SIGHTINGS_TOPIC
from flowmon.settings import Settings, address
from flowmon.venue.model import Problem, Venue
from flowmon.venue.parse import read

CLEANUP = {FACTS_TOPIC: "delete", SIGHTINGS_TOPIC: "delete", FINDINGS_TOPIC: "compact", REJECTS_TOPIC: "delete"}
#: A museum in which nothing moves is told of every ten seconds, and two seconds late.
WORKER_LATE_S = 20.0
FACTS_LATE_S = 30.0
ARCHIVE_LATE_S = 60.0
FEED_LATE_MS = 15_000
PATIENCE_S = 2.0

#: CONNACK return codes of MQTT 3.1.1.
_REFUSALS = {
    1: "speaks another MQTT version",
    2: "does not take the client id",
    3: "is not available",
    4: "does not know the user or password",
    5: "does not authorise us",
}


async def mqtt(settings: Settings) -> Result:
    """Whether the broker takes our CONNECT."""
    part, credentials = f"MQTT {settings.mqtt}", "set FLOWMON_MQTT_USERNAME and FLOWMON_MQTT_PASSWORD"
    host, port, tls = address(settings.mqtt, port=1883)
    try:
        code = await _connect(host, port, settings, ssl.create_default_context() if tls else None)
    except (OSError, EOFError, ssl.SSLError) as error:
        return Result(part, "fail", _out_of_reach(error), "start it, or set FLOWMON_MQTT", away=True)
    if code:
        todo = credentials if code in {4, 5} else "look into the broker's log"
        return Result(part, "fail", f"the broker {_REFUSALS.get(code, f'refuses with code {code}')}", todo)
    return Result(part, "ok", "takes our login")


def _out_of_reach(error: BaseException) -> str:
    refused = isinstance(error, ConnectionRefusedError) or isinstance(
        getattr(error, "reason", None), ConnectionRefusedError
    )
    return "nothing listens there" if refused else f"out of reach: {error or type(error).__name__}"


async def _connect(host: str, port: int, settings: Settings, context: ssl.SSLContext | None) -> int:
    """The return code of one MQTT 3.1.1 CONNECT with a client id of our own, so that nobody is thrown out."""
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        login = [text for text in (settings.mqtt_username, settings.mqtt_password) if text]
        flags = 0x02 | (0x80 if settings.mqtt_username else 0) | (0x40 if settings.mqtt_password else 0)
        body = struct.pack(">H4sBBH", 4, b"MQTT", 4, flags, 10)
        for text in ("flowmon-doctor", *login):
            body += struct.pack(">H", len(text.encode())) + text.encode()
        writer.write(b"\x10" + _length(len(body)) + body)
        answer = await reader.readexactly(4)
        if answer[0] != 0x20:
            raise EOFError("what listens there is no MQTT broker")
        writer.write(b"\xe0\x00")
        return answer[3]
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(out)


async def kafka(settings: Settings) -> Result:
    """Whether Kafka answers and has the topics, with the cleanup they need."""
    from flowmon.journal import kafka_check  # noqa: PLC0415 -- an installation of one process needs no Kafka client

    part, create = f"Kafka {settings.kafka}", "start a worker (python -m streams), which creates them"
    try:
        found = await kafka_check.topics(settings.kafka, list(CLEANUP), patience_s=PATIENCE_S)
    except FlowmonError as error:
        seen = f"does not answer: {error.__cause__ or error}"
        return Result(part, "fail", seen, "start it, or set FLOWMON_KAFKA", away=True)
    if missing := [name for name in CLEANUP if name not in found]:
        return Result(part, "fail", f"no topic {', '.join(missing)}", create)
    for name, standing in found.items():
        if CLEANUP[name] not in standing.cleanup.split(","):
            todo = f"kafka-configs --alter --topic {name} --add-config cleanup.policy={CLEANUP[name]}"
            return Result(part, "fail", f"{name} has cleanup.policy={standing.cleanup}", todo)
    counts = {standing.partitions for standing in found.values()}
    if counts != {settings.partitions}:
        seen = f"the topics have {sorted(counts)} partitions, not {settings.partitions}"
        return Result(part, "warn", seen, "set FLOWMON_PARTITIONS to what stands")
    return Result(part, "ok", f"{len(found)} topics, {settings.partitions} partitions")


async def worker(settings: Settings, now: float) -> Result:
    """Whether findings keep up with facts, and facts with the clock."""
    from flowmon.journal import kafka_check  # noqa: PLC0415

    try:
        standing = await kafka_check.topics(settings.kafka, [FACTS_TOPIC, FINDINGS_TOPIC], patience_s=PATIENCE_S)
        if len(standing) < 2:
            return Result("worker", "fail", "never started here: its topics are missing", "start: python -m streams")
        fact, finding = await asyncio.gather(
            kafka_check.newest(settings.kafka, FACTS_TOPIC, patience_s=PATIENCE_S),
            kafka_check.newest(settings.kafka, FINDINGS_TOPIC, patience_s=PATIENCE_S),
        )
    except FlowmonError:
        return Result("worker", "fail", "cannot be judged, Kafka does not answer", "mend Kafka first", away=True)
    if fact is None:
        return Result("worker", "warn", "no fact was ever written", "start: python -m streams, python -m sensors")
    if now - fact > FACTS_LATE_S:
        seen = f"the last fact is {age(now - fact)} old: nobody writes, not even the ticker"
        return Result("worker", "fail", seen, "start: python -m streams")
    behind = fact - (finding or 0.0)
    if behind > WORKER_LATE_S:
        seen = "no finding was ever written" if finding is None else f"findings are {age(behind)} behind facts"
        return Result("worker", "fail", seen, "is the worker running? See its log, or add a second one")
    return Result("worker", "ok", f"findings are {age(max(behind, 0.0))} behind facts")


async def postgres(settings: Settings, now: float) -> Result:
    """Whether the database takes our login, has the history's table, and gets what is found."""
    from flowmon.history.postgres import newest, place, table_there  # noqa: PLC0415

    part = f"PostgreSQL {place(settings.postgres)}"
    try:
        there = await table_there(settings.postgres, timeout_s=PATIENCE_S)
        venues = [venue.id for venue, _ in await asyncio.to_thread(_read, settings.venues) if venue is not None]
        latest = await newest(settings.postgres, venues, timeout_s=PATIENCE_S) if there else None
    except FlowmonError as error:
        if isinstance(error.__cause__, ConnectionRefusedError):
            return Result(part, "fail", "nothing listens there", "start it, or set FLOWMON_POSTGRES", away=True)
        return Result(part, "fail", str(error), "mend it, or set FLOWMON_POSTGRES", away="out of reach" in str(error))
    if not there:
        return Result(part, "warn", "no table findings yet", "start: flowmon archive, which creates it")
    if latest is None or now - latest > ARCHIVE_LATE_S:
        seen = "no finding of our venues" if latest is None else f"the newest finding is {age(now - latest)} old"
        return Result(part, "warn", seen, "is flowmon archive running, and the worker? See their logs")
    return Result(part, "ok", f"takes our login, the newest finding is {age(max(now - latest, 0.0))} old")


def _read(paths: Sequence[Path]) -> list[tuple[Venue | None, list[Problem]]]:
    return [read(path) for path in paths]


async def feed(settings: Settings) -> list[Result]:
    """What the feed says of its own health, and of the devices."""
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(settings.feed_host, settings.feed_host)  # noqa: S104 -- listens on all, is asked on one
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.feed_port}"
    result = await _feed(url)
    return [result] if result.status != "ok" else [result, *await _devices(url, settings)]


async def _devices(url: str, settings: Settings) -> list[Result]:
    """Devices of the venues that say nothing; when it is all of them, the gateway is the likelier culprit."""
    results = []
    for venue, _ in await asyncio.to_thread(_read, settings.venues):
        if venue is None:
            continue
        part = f"devices of {venue.id}"
        try:
            state = json.loads(await asyncio.to_thread(_get, f"{url}/api/state?venue={quote(venue.id)}"))
            sensors = {name: fields["health"] for name, fields in state["sensors"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            results.append(Result(part, "warn", "the feed does not know this venue", "give it the same FLOWMON_VENUES"))
            continue
        results.append(_judged(part, sensors))
    return results


def _judged(part: str, sensors: dict[str, str]) -> Result:
    blind = sorted(name for name, health in sensors.items() if health in {"silent", "fault"})
    if not blind:
        return Result(part, "ok", f"{sum(health == 'good' for health in sensors.values())} of {len(sensors)} are heard")
    named = ", ".join(blind[:5]) + (" …" if len(blind) > 5 else "")
    seen = f"{len(blind)} of {len(sensors)} are silent or at fault: {named}"
    if len(blind) == len(sensors):
        return Result(part, "fail", seen, "is the gateway (python -m sensors) running? Then look at the network")
    return Result(part, "warn", seen, "look at their power and network")


async def _feed(url: str) -> Result:
    part = f"feed {url}"
    try:
        health = json.loads(await asyncio.to_thread(_get, f"{url}/healthz"))
        ready, lags = bool(health["ready"]), dict(health["lag_ms"])
    except (OSError, urllib.error.URLError) as error:
        start = "start: flowmon run venue.toml (or flowmon feed), or set FLOWMON_FEED_PORT to where it is"
        return Result(part, "fail", _out_of_reach(error), start)
    except (ValueError, KeyError, TypeError):
        return Result(part, "fail", "what listens there is no flowmon", "set FLOWMON_FEED_PORT to a free port")
    if not ready:
        return Result(part, "warn", "still loading", "wait a moment; if it stays, see its log")
    for venue, lag in lags.items():
        if lag is None or lag > FEED_LATE_MS:
            seen = f"{venue}: " + ("no finding yet" if lag is None else f"newest finding {age(lag / 1000)} old")
            return Result(part, "warn", seen, "is the worker (or flowmon run) running? See its log")
    return Result(part, "ok", f"{health.get('mode', 'live')}, {health.get('clients', 0)} screens")


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310 -- http, from our settings
            return bytes(answer.read(100_000))
    except urllib.error.HTTPError as error:
        if error.code == 503:  # the feed's way to say that it is not ready
            return error.read(100_000)
        raise
