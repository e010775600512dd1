"""A thousand clients of the feed at 2 Hz against `websockets.broadcast()` of the same bytes, each on one core.

The server is pinned to one core, its clients to another where there is one. Twelve zones change 20 times a second; a
client of the feed is told at 2 Hz what has changed, in its turn, and acknowledges it; the peer sends one delta as large
to everybody twice a second, which is the least that can be done. Age: arrival minus the moment the newest number in
the message was published, so up to 50 ms of it is the step between two publications.
"""

import asyncio
import json
import os
import re
import resource
import sys
import time
from typing import Any

from msgspec import structs
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from flowmon.clock import Clock
from flowmon.feed.messages import SUBPROTOCOL
from flowmon.feed.server import Feed
from flowmon.findings import Published, ZoneState
from flowmon.monitor.core import Monitor
from flowmon.recording.stage import ReadOnly
from flowmon.settings import Settings
from tests.bench import child, load
from tests.bench.bench import Bench
from tests.bench.figures import Row, percentile, spread

CLIENTS = 1_000
HZ = 2
PUBLISH_HZ = 20
SECONDS = 10
AT = re.compile(rb'"at":(\d+)')


async def measure(bench: Bench) -> list[Row]:
    """Processor time a message and age of the numbers, both sides."""
    _allow_sockets()
    said = {}
    for side in ("feed", "broadcast"):
        bench.tell(f"{CLIENTS} clients of {'the feed' if side == 'feed' else 'websockets.broadcast'}")
        said[side] = await _side(side)
    ours, peer = said["feed"], said["broadcast"]
    return [
        Row(
            measure="clients",
            what=f"feed ÷ websockets.broadcast: processor time a message, {CLIENTS} clients at {HZ} Hz",
            value=ours["processor"] / ours["messages"] / (peer["processor"] / peer["messages"]),
            figures={f"{side} share of one core": spread([told["processor"] / SECONDS]) for side, told in said.items()}
            | {f"{side} messages/s": spread([told["messages"] / SECONDS]) for side, told in said.items()},
            note="no target of this issue",
        ),
        Row(
            measure="clients",
            what=f"feed, age of the newest number on arrival, {CLIENTS} clients, p99",
            value=ours["p99"],
            unit="ms",
            figures={
                f"{side} {name} ms": spread([told[name]]) for side, told in said.items() for name in ("p50", "p99")
            },
            note=f"up to {1_000 / PUBLISH_HZ:.0f} ms of the feed's is the step between publications",
        ),
    ]


async def _side(side: str) -> dict[str, float]:
    async with (
        child.started("tests.bench.clients", side) as server,
        child.started("tests.bench.clients", "clients") as many,
    ):
        assert server.stdin is not None
        assert many.stdin is not None
        port = (await child.line(server))["port"]
        many.stdin.write(f"{port} {side}\n".encode())
        await child.line(many)  # all are connected
        server.stdin.write(b"begin\n")
        many.stdin.write(b"begin\n")
        return await child.line(server) | await child.line(many)


def _allow_sockets() -> None:
    """More than the usual 1,024 files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _read_line() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


# -- servers


async def feed_server() -> None:
    """The feed, with 12 zones that change all the time."""
    venue, clock = load.museum(), Clock()
    feed = Feed([venue], ReadOnly(), clock, Settings(simulated=True))
    monitor = Monitor(venue)
    for record in load.records(venue, 3_000, 50):
        monitor.apply_record(record)
    zones = [finding for finding in monitor.current() if isinstance(finding, ZoneState)]

    async def publish() -> None:
        for number in range(1 << 30):
            at = clock.now()
            moved = [structs.replace(z, at=at, raw=z.raw + number) for z in zones]
            feed.publish([Published(venue.id, number, index, z) for index, z in enumerate(moved)])
            await asyncio.sleep(1 / PUBLISH_HZ)

    async with feed.serve("127.0.0.1", 0):
        feed.ready = True
        publishing = asyncio.create_task(publish())
        await _served(feed.port)
        publishing.cancel()


async def broadcast_server() -> None:
    """websockets alone: the same delta to everybody, twice a second."""
    connections: set[ServerConnection] = set()
    clock, delta = Clock(), _delta()

    async def handle(socket: ServerConnection) -> None:
        connections.add(socket)
        try:
            await socket.wait_closed()
        finally:
            connections.discard(socket)

    async def send() -> None:
        while True:
            broadcast(connections, delta.replace('"at":0', f'"at":{round(clock.now() * 1_000)}', 1))
            await asyncio.sleep(1 / HZ)

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        sending = asyncio.create_task(send())
        await _served(int(next(iter(server.sockets)).getsockname()[1]))
        sending.cancel()


def _delta() -> str:
    """A delta of 12 zones as the feed writes it, its time left open."""
    venue = load.museum()
    feed = Feed([venue], ReadOnly(), Clock(), Settings(simulated=True))
    monitor = Monitor(venue)
    for record in load.records(venue, 3_000, 50):
        monitor.apply_record(record)
    hub = feed.hubs[venue.id]
    feed.publish([Published(venue.id, 0, index, finding) for index, finding in enumerate(monitor.current())])
    head = {"t": "delta", "ch": "zones", "from": 1, "to": 12, "at": 0}
    return json.dumps(head | {"z": hub.snapshot("zones")}, separators=(",", ":"))


async def _served(port: int) -> None:
    child.say(port=port)
    await _read_line()
    spent = time.process_time()
    await asyncio.sleep(SECONDS)
    child.say(processor=time.process_time() - spent)
    await _read_line()  # until the clients have said theirs and the parent ends us


# -- clients


async def clients() -> None:
    """Connect all, then note the age of every message for SECONDS."""
    port, side = (await _read_line()).split()
    clock, ages = Clock(), []
    counting = asyncio.Event()

    async def one(socket: ClientConnection) -> None:
        if side == "feed":
            await socket.send(json.dumps({"t": "hello", "v": 1, "app": {"name": "bench", "ver": "0.1.0"}}))
            await socket.send(json.dumps({"t": "sub", "id": 1, "ch": "zones", "max_hz": HZ}))
        try:
            async for data in socket:
                await take(socket, data if isinstance(data, bytes) else data.encode())
        except ConnectionClosed:
            pass

    async def take(socket: ClientConnection, data: bytes) -> None:
        if not data.startswith((b'{"t":"delta"', b'{"t":"snap"')):
            return
        found = AT.search(data)
        if counting.is_set() and found is not None:
            ages.append(clock.now() * 1_000 - int(found[1]))
        if side == "feed":
            place = re.search(rb'"(?:to|seq)":(\d+)', data)
            assert place is not None
            await socket.send(b'{"t":"ok","seq":{"zones":' + place[1] + b"}}", text=True)

    wanted: Any = {"subprotocols": [Subprotocol(SUBPROTOCOL)]} if side == "feed" else {}
    sockets: list[ClientConnection] = []
    for start in range(0, CLIENTS, 50):
        fresh = (
            connect(f"ws://127.0.0.1:{port}/feed", compression=None, **wanted)
            for _ in range(start, min(start + 50, CLIENTS))
        )
        sockets += await asyncio.gather(*fresh)
    tasks = [asyncio.create_task(one(socket)) for socket in sockets]
    await asyncio.sleep(2)  # the snapshots of all have come
    child.say(connected=len(sockets))
    await _read_line()
    counting.set()
    await asyncio.sleep(SECONDS)
    counting.clear()
    for task in tasks:
        task.cancel()
    child.say(messages=len(ages), p50=percentile(ages, 0.5), p99=percentile(ages, 0.99))


def main(role: str) -> None:
    """One role of the measure, in a process of its own, on a core of its own where there are two."""
    _allow_sockets()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1] if role == "clients" else cores[0]})
    asyncio.run({"feed": feed_server, "broadcast": broadcast_server, "clients": clients}[role]())


if __name__ == "__main__":
    main(sys.argv[1])
