"""Devices that push over HTTP against the real gateway, a real listener and a real journal of files.

Counted: what was answered 200 is in the journal, once by identity; nothing is answered 200 before.
"""

import asyncio
import base64
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.facts import Record, identity
from flowmon.journal.files import FileJournal, read_folder
from flowmon.venue.model import Route, Venue
from sensors.gateway import Gateway
from sensors.http import HttpInbox
from sensors.http_answers import Limits
from sensors.http_secrets import Secret, Secrets
from sensors.inboxes import Inboxes
from sensors.routes import Routes
from tests.fakes import FakeInbox, MemoryJournal, until
from tests.small import T0, venue

pytestmark = pytest.mark.integration

#: One route a scheme. `native` names its device and kind in the topic, so xovis stands for the family here.
ROUTES = [
    Route(path="open/+", dialect="xovis", auth="none"),
    Route(path="basic", dialect="xovis", auth="basic", device="ctr-gate"),
    Route(path="bearer/+", dialect="xovis", auth="bearer"),
    Route(path="digest", dialect="xovis", auth="digest", device="ctr-gate"),
    Route(path="hik", dialect="hikvision", auth="digest"),
    Route(path="axis", dialect="axis", auth="none"),
    Route(path="irisys", dialect="irisys", auth="none"),
]
SECRETS = {
    "basic": Secret(user="camera", password="correct: horse"),
    "bearer/+": Secret(token="family-token"),
    "bearer/door-9": Secret(token="own-token"),
    "digest": Secret(user="camera", password='staple "quoted"'),
    "hik": Secret(user="hik", password="battery"),
}


def xovis(minute: int, *, forward: int = 1, backward: int = 0, serial: str = "") -> bytes:
    """A line logic's window of one minute; without a serial the route must name the device."""
    start = (int(T0) + 60 * minute) * 1000
    counts = [{"id": 1, "name": "fw", "value": forward}, {"id": 2, "name": "bw", "value": backward}]
    record = {"from": start, "to": start + 60_000, "samples": 1, "samples_expected": 1, "counts": counts}
    logic = {"id": 1, "name": "Door", "info": "XLT_LINE_IN_OUT_COUNT", "records": [record]}
    data: dict[str, Any] = {"package_info": {"version": "5.0", "id": minute}, "logics": [logic]}
    if serial:
        data["sensor_info"] = {"serial_number": serial}
    return json.dumps({"logics_data": data}).encode()


class Rig:
    """A running gateway with an HTTP listener; `journal` is memory unless another is given."""

    def __init__(self, journal: Any = None, *, limits: Limits | None = None, museum: Venue | None = None) -> None:
        known = museum or venue(routes=ROUTES)
        routes = Routes([known])
        self.journal = journal or MemoryJournal()
        self.sinks = MemoryJournal()
        self.mqtt = FakeInbox()
        secrets = Secrets(
            {k: v for k, v in SECRETS.items() if any(k.startswith(p.path[:3]) for p in routes.posts)},
            routes.posts,
            "secrets.toml",
        )
        self.inbox = HttpInbox("127.0.0.1:0", routes, secrets, Clock(), limits=limits)
        self.gateway = Gateway(
            Inboxes([self.mqtt, self.inbox]),
            routes,
            {known.id: known},
            self.journal,
            self.sinks.append_sightings,
            self.sinks.append_rejects,
            Clock(),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.inbox.port}"

    async def raw(self, head: str, body: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection on which these bytes were sent; `head` in lines, its end added."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.inbox.port)
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        await writer.drain()
        return reader, writer


@asynccontextmanager
async def running(*args: Any, **options: Any) -> AsyncIterator[tuple[Rig, httpx.AsyncClient]]:
    rig = Rig(*args, **options)
    await rig.inbox.start()
    task = asyncio.create_task(rig.gateway.run())
    try:
        async with httpx.AsyncClient(base_url=rig.url, timeout=30) as client:
            yield rig, client
    finally:
        rig.gateway.stop()
        await asyncio.wait_for(task, 30)


async def answer(reader: asyncio.StreamReader, within_s: float = 10.0) -> tuple[int, bytes]:
    """Status and body of one answer; 0 when the connection ends without."""
    async with asyncio.timeout(within_s):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, b""
        status = int(head.split()[1])
        found = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(found[0].split(b":")[1]) if found else 0
        return status, await reader.readexactly(length)


async def test_a_post_is_answered_when_it_is_on_the_disk(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, [venue()], clock=Clock(), simulated=False)
    async with running(journal) as (rig, client):
        answered = await client.post("/open/door-3", content=xovis(0, forward=3, backward=1))
        assert (answered.status_code, answered.json()) == (200, {"status": "OK"})
        assert [entry.record[0].counter for entry in read_folder(tmp_path, "small")] == ["door-3"]  # type: ignore[union-attr]
        assert rig.inbox.held == (0, 0)
        assert (await client.put("/open/door-3/", content=xovis(1))).status_code == 200
        assert (await client.get("/open/door-3")).status_code == 200
        assert (await client.head("/open/door-3")).status_code == 200
        refused = await client.delete("/open/door-3")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST, PUT")
        assert (await client.post("/nowhere", content=b"{}")).status_code == 404
        assert (await client.post("/irisys", content=b"[]")).content == b""
    await journal.close()


async def test_nothing_is_answered_before_the_journal_confirms() -> None:
    async with running() as (rig, client):
        rig.journal.hold()
        posts = [asyncio.create_task(client.post(f"/open/d{n}", content=xovis(n))) for n in range(5)]
        await until(lambda: rig.gateway.counts.messages == 5)
        await asyncio.wait(posts, timeout=0.2)
        assert not any(post.done() for post in posts)
        rig.journal.release()
        assert [(await post).status_code for post in posts] == [200] * 5
        assert len(rig.journal.facts("small")) == 5


async def test_bad_bodies_are_refused_with_the_reason_and_kept_as_rejects() -> None:
    async with running() as (rig, client):
        answered = await client.post("/open/door-3", content=b'{"password": "geheim", ')
        assert answered.status_code == 422
        assert answered.json()["error"].startswith("not JSON")
        [reject] = rig.sinks.rejects["small"]
        assert (reject.topic, reject.dialect) == ("open/door-3", "xovis")
        assert b"geheim" not in base64.b64decode(reject.raw)
        rig.sinks.hold()
        later = asyncio.create_task(client.post("/open/door-3", content=b"rubbish"))
        await until(lambda: rig.gateway.counts.rejected == 2)
        assert not later.done()
        rig.sinks.release()
        assert (await later).status_code == 422
