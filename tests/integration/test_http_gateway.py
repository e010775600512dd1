"""Devices that push over HTTP against the real gateway, a real listener and a real journal of files.

Counted: what was answered 200 is in the journal, once by identity; nothing is answered 200 before.
"""

import asyncio
import base64
import errno
import gzip
import json
import logging
import re
import threading
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from flowmon.clock import Clock
from flowmon.facts import Count, identity
from flowmon.journal.files import FileJournal, read_folder
from flowmon.journal.segments import Log
from flowmon.venue.model import Route, Venue
from sensors.dialects.port import Message
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
    Route(path="irisys", dialect="irisys", auth="none", device="v4d"),
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
        secrets = Secrets(SECRETS if museum is None else {}, routes.posts, "secrets.toml")
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
    def counts(self) -> list[Count]:
        """What is in the journal."""
        return [fact for fact in self.journal.facts("small") if isinstance(fact, Count)]

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


class HeldLog(Log):
    """A disk whose fsync waits while `held` is set, and fails while `full` is."""

    held = threading.Event()
    open = threading.Event()
    full = False

    def write(self, lines: Sequence[bytes]) -> int:
        kind = type(self)
        if kind.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        if not kind.open.is_set():
            kind.held.set()
            kind.open.wait(30)
        return super().write(lines)


async def test_a_disk_that_takes_its_time_and_one_that_is_full(tmp_path: Path) -> None:
    class Disk(HeldLog):
        held, open = threading.Event(), threading.Event()

    def on_disk() -> int:
        return sum(len(entry.record) for entry in read_folder(tmp_path, "small"))

    journal = FileJournal(tmp_path, [venue()], clock=Clock(), simulated=False, log=Disk)
    async with running(journal, limits=Limits(answer_s=1.5)) as (rig, client):
        posts = [asyncio.create_task(client.post(f"/open/d{n}", content=xovis(n))) for n in range(5)]
        await until(Disk.held.is_set)
        done, _ = await asyncio.wait(posts, timeout=0.3)
        assert (len(done), on_disk()) == (0, 0)
        Disk.open.set()
        assert [(await post).status_code for post in posts] == [200] * 5
        assert on_disk() == 5
        Disk.full = True
        refused = await client.post("/open/d9", content=xovis(9))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert on_disk() == 5
        Disk.full = False
        assert (await client.post("/open/d9", content=xovis(9))).status_code == 200
        await until(lambda: rig.inbox.held == (0, 0))
    await journal.close()
    facts = [fact for entry in read_folder(tmp_path, "small") for fact in entry.record]
    assert len({(fact.source, identity(fact)) for fact in facts}) == 6


async def test_odd_request_lines_have_an_answer() -> None:
    targets = [
        b"*",
        b"//",
        b"/%00",
        b"/%ff%fe",
        b"/open/%2e%2e",
        b"/open/../hik",
        b"/open/a%2Fb",
        b"http://[bad/",
        b"x" * 7_000,
    ]
    targets += [
        b"http://other/open/d",
        b"/open/\xc3\xa9",
        b"/open/d?%ff=%00",
        b"/open/d#x",
        b"/open/+",
        b"/open/%2B",
        b"?",
    ]
    async with running() as (rig, _):
        for method in (b"POST", b"CONNECT", b"OPTIONS", b"BREW"):
            for target in targets:
                reader, writer = await asyncio.open_connection("127.0.0.1", rig.inbox.port)
                writer.write(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
                status, _ = await answer(reader)
                assert status in {400, 404, 405, 422}, (method, target, status)
                writer.close()


async def test_nothing_is_answered_before_the_journal_confirms() -> None:
    async with running() as (rig, client):
        rig.journal.hold()
        posts = [asyncio.create_task(client.post(f"/open/d{n}", content=xovis(n))) for n in range(5)]
        await until(lambda: rig.gateway.counts.messages == 5)
        await asyncio.wait(posts, timeout=0.2)
        assert not any(post.done() for post in posts)
        rig.journal.release()
        assert [(await post).status_code for post in posts] == [200] * 5
        assert len(rig.counts) == 5


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


# -- bounds of a body ------------------------------------------------------------------------------------------------

SLOW = Limits(body_s=2.0, grace_s=0.3, rate=1_000.0)


async def test_a_large_body_is_refused_however_it_comes() -> None:
    async def pieces(number: int) -> AsyncIterator[bytes]:
        for _ in range(number):
            yield b"x" * 100_000

    async with running(limits=SLOW) as (rig, client):
        assert (await client.post("/open/d", content=b"x" * 1_000_001)).status_code == 413
        assert (await client.post("/open/d", content=pieces(11))).status_code == 413  # chunked: no length is told
        assert (await client.post("/open/d", content=pieces(10))).status_code == 422  # 1,000,000: read, and no JSON
        reader, _ = await rig.raw(f"POST /open/d HTTP/1.1\nHost: x\nContent-Length: {10**15}\nExpect: 100-continue")
        status, body = await answer(reader)
        assert (status, b"100" in body) == (413, False)  # refused before anything is sent
        reasons = [reject.reason for reject in rig.sinks.rejects["small"]]
        assert sum("larger than" in reason for reason in reasons) == 3
        assert rig.inbox.held == (0, 0)


async def test_the_largest_body_that_is_read_is_one_megabyte() -> None:
    padded = xovis(0).replace(b"{", b"{" + b" " * (1_000_000 - len(xovis(0))), 1)
    async with running() as (rig, client):
        assert len(padded) == 1_000_000
        assert (await client.post("/open/d", content=padded)).status_code == 200
        assert (await client.post("/open/d", content=padded + b" ")).status_code == 413
        assert len(rig.counts) == 1


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:])),
        ("deflate", zlib.compress),
        ("Deflate", lambda data: zlib.compress(data)[2:-4]),  # without zlib's frame, as some send it
    ],
)
async def test_packed_bodies_are_unpacked(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    async with running() as (rig, client):
        headers = {"Content-Encoding": encoding}
        answered = await client.post("/open/door-3", content=pack(xovis(0, forward=4)), headers=headers)
        assert (answered.status_code, answered.text) == (200, '{"status": "OK"}')
        [fact] = rig.counts
        assert fact.forward == 4


async def test_a_bomb_is_refused_in_little_memory() -> None:
    engine = zlib.compressobj(9, wbits=31)
    bomb = b"".join(engine.compress(bytes(1 << 20)) for _ in range(900)) + engine.flush()
    assert 800_000 < len(bomb) < 1_000_000  # it stands for 900 MB
    async with running() as (rig, client):
        tracemalloc.start()
        try:
            for _ in range(3):
                answered = await client.post("/open/d", content=bomb, headers={"Content-Encoding": "gzip"})
                assert (answered.status_code, "1 MB" in answered.json()["error"]) == (413, True)
            assert tracemalloc.get_traced_memory()[1] < 12_000_000
        finally:
            tracemalloc.stop()
        assert rig.inbox.held == (0, 0)


async def test_wrongly_packed_bodies_say_so() -> None:
    async with running() as (rig, client):
        for body, encoding, status in [
            (b"no gzip", "gzip", 400),
            (gzip.compress(xovis(0))[:-9], "gzip", 400),
            (gzip.compress(b"") * 40, "gzip", 400),
            (xovis(0), "br", 415),
            (xovis(0), "gzip, gzip", 415),
        ]:
            answered = await client.post("/open/d", content=body, headers={"Content-Encoding": encoding})
            assert (answered.status_code, "unpacked" in answered.json()["error"]) == (status, True), (body, encoding)
        assert rig.counts == []
        assert len(rig.sinks.rejects["small"]) == 5


async def test_slow_and_broken_bodies() -> None:
    async with running(limits=SLOW) as (rig, client):
        head = "POST /open/d HTTP/1.1\nHost: x\nContent-Length: 4000"
        reader, _ = await rig.raw(head, b"{")  # and nothing more
        assert (await answer(reader))[0] == 408
        reader, writer = await rig.raw(head, b"{" * 2_000)  # half of it, too slowly for the pace
        began = asyncio.get_running_loop().time()
        assert (await answer(reader))[0] == 408
        assert asyncio.get_running_loop().time() - began < 4.0
        reader, writer = await rig.raw(head, b"{")
        writer.write_eof()  # the device goes away in the middle
        writer.close()
        reader, _ = await rig.raw("POST /open/d HTTP/1.1\nHost: x\nTransfer-Encoding: chunked", b"zz\r\n{}\r\n")
        assert (await answer(reader))[0] == 400
        await until(lambda: rig.inbox.held == (0, 0))
        assert rig.gateway.counts.messages == 0
        assert (await client.post("/open/d", content=xovis(0))).status_code == 200


async def test_continue_is_said_after_route_secret_and_length() -> None:
    body = xovis(0)
    async with running() as (rig, _):
        ask = f"POST /{{}} HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: {len(body)}"
        reader, writer = await rig.raw(ask.format("open/door-3"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await answer(reader))[0] == 200
        for path, status in [("nowhere", 404), ("basic", 401)]:
            reader, _ = await rig.raw(ask.format(path))
            assert (await answer(reader))[0] == status
        reader, _ = await rig.raw("POST /open/d HTTP/1.1\nHost: x\nExpect: magic\nContent-Length: 2")
        assert (await answer(reader))[0] == 417


# -- secrets ---------------------------------------------------------------------------------------------------------


class Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


@pytest.mark.parametrize(
    ("path", "auth", "expected"),
    [
        ("basic", httpx.BasicAuth("camera", "correct: horse"), 200),
        ("basic", httpx.BasicAuth("camera", "correct"), 401),
        ("basic", httpx.BasicAuth("Camera", "correct: horse"), 401),
        ("basic", httpx.DigestAuth("camera", "correct: horse"), 401),
        ("basic", Bearer("correct: horse"), 401),
        ("basic", None, 401),
        ("bearer/door-1", Bearer("family-token"), 200),
        ("bearer/door-1", Bearer("own-token"), 401),
        ("bearer/door-9", Bearer("own-token"), 200),
        ("bearer/door-9", Bearer("family-token"), 401),
        ("bearer/door-1", Bearer("-"), 401),
        ("bearer/door-1", None, 401),
        ("digest", httpx.DigestAuth("camera", 'staple "quoted"'), 200),
        ("digest?channel=1", httpx.DigestAuth("camera", 'staple "quoted"'), 200),
        ("digest", httpx.DigestAuth("camera", "staple"), 401),
        ("digest", httpx.DigestAuth("nobody", 'staple "quoted"'), 401),
        ("digest", httpx.BasicAuth("camera", 'staple "quoted"'), 401),
        ("digest", None, 401),
        ("open/door-1", None, 200),
        ("open/door-1", httpx.BasicAuth("any", "body"), 200),
    ],
)
async def test_each_scheme(path: str, auth: Any, expected: int) -> None:
    async with running() as (rig, client):
        for minute in range(3):
            answered = await client.post(f"/{path}", content=xovis(minute), auth=auth)
            assert answered.status_code == expected, answered.text
        assert len(rig.counts) == (3 if expected == 200 else 0)
        assert rig.gateway.counts.messages == (3 if expected == 200 else 0)
        challenges = [value.split()[0] for value in answered.headers.get_list("www-authenticate")]
        scheme = re.split("[/?]", path)[0].capitalize()
        assert challenges == ([] if expected == 200 else [scheme] * (2 if scheme == "Digest" else 1))
        assert (await client.get(f"/{path}", auth=auth)).status_code == expected


async def test_an_authorization_of_any_bytes_is_refused() -> None:
    async with running() as (rig, _):
        for path in ("basic", "bearer/x", "digest"):
            scheme = path.partition("/")[0].capitalize()
            reader, writer = await asyncio.open_connection("127.0.0.1", rig.inbox.port)
            proofs = [
                b"\xff\xfe",
                b'realm="flowmon", uri="/digest", response="\xe9", username="\xe9"',
                b"a" * 8_000,
                b"",
            ]
            for proof in proofs:
                head = f"POST /{path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nAuthorization: {scheme} ".encode()
                writer.write(head + proof + b"\r\n\r\n")
                assert (await answer(reader))[0] == 401, (path, proof)
            writer.close()


async def test_one_device_logs_in_by_digest_once_for_many_posts() -> None:
    async with running() as (rig, client):
        auth = httpx.DigestAuth("camera", 'staple "quoted"')
        for minute in range(20):
            answered = await client.post("/digest", content=xovis(minute), auth=auth)
            assert (answered.status_code, len(answered.history)) == (200, 1 if minute == 0 else 0)
        seen = answered.request.headers["Authorization"]
        replayed = await client.post("/digest", content=xovis(99), headers={"Authorization": seen})
        assert (replayed.status_code, "stale=true" in replayed.headers["www-authenticate"]) == (401, True)
        assert len(rig.counts) == 20


async def test_hikvision_is_offered_md5_alone() -> None:
    async with running() as (_, client):
        [challenge] = (await client.post("/hik", content=b"")).headers.get_list("www-authenticate")
        assert "algorithm=MD5" in challenge


async def test_whoever_guesses_is_slowed_down_and_nobody_else() -> None:
    async with running() as (rig, client):
        statuses = [
            (await client.post("/basic", content=b"{}", auth=("camera", f"guess {n}"))).status_code for n in range(15)
        ]
        assert statuses == [401] * 10 + [429] * 5
        refused = await client.post("/basic", content=b"{}", auth=("camera", "correct: horse"))
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 12
        assert (await client.post("/bearer/door-1", content=xovis(0), auth=Bearer("family-token"))).status_code == 200
        transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(base_url=rig.url, transport=transport) as other:
            forwarded = {"X-Forwarded-For": "127.0.0.1"}
            posted = await other.post("/basic", content=xovis(1), auth=("camera", "correct: horse"), headers=forwarded)
            assert posted.status_code == 200


async def test_secrets_in_the_address_are_refused_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running() as (rig, client):
        answered = await client.post("/open/d?access_token=geheim1", content=xovis(0))
        assert (answered.status_code, "Authorization" in answered.json()["error"]) == (400, True)
        await client.post("/open/d?room=geheim2", content=b"rubbish", headers={"X-Api-Key": "geheim3"})
        await client.post("/basic", content=b"{}", auth=("camera", "geheim4"))
        reader, _ = await rig.raw("POST /open/d HTTP/1.1\nAuthorization: Basic geheim5\nBroken \x01 geheim6")
        status, body = await answer(reader)
        assert (status, b"geheim" in body) == (400, False)
        [reject] = rig.sinks.rejects["small"]
        ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
        assert not [line for line in [*ours, repr(reject)] if "geheim" in line]


# -- back-pressure, faults, the end ----------------------------------------------------------------------------------


async def test_a_journal_that_is_away_means_come_again(caplog: pytest.LogCaptureFixture) -> None:
    async with running(limits=Limits(answer_s=0.2, held_max=8)) as (rig, client):
        rig.journal.hold()
        answers = await asyncio.gather(*(client.post(f"/open/d{n}", content=xovis(n)) for n in range(20)))
        assert {each.status_code for each in answers} == {503}
        assert {each.headers["retry-after"] for each in answers} == {"5"}
        assert rig.inbox.held[0] == 8  # what the gateway took stays with it
        assert (await client.post("/open/x", content=xovis(50))).status_code == 503
        rig.journal.release()
        await until(lambda: rig.inbox.held == (0, 0))
        for n in range(20):  # the devices send again
            assert (await client.post(f"/open/d{n}", content=xovis(n))).status_code == 200
        facts = rig.counts
        assert len({(fact.source, identity(fact)) for fact in facts}) == 20
        assert len(facts) == 28
    assert not [record for record in caplog.records if record.exc_info]


async def test_bodies_under_way_are_bounded_together() -> None:
    padded = xovis(0).replace(b"{", b"{" + b" " * 900_000, 1)
    async with running(limits=Limits(bytes_max=4_000_000)) as (rig, client):
        rig.journal.hold()
        posts = [asyncio.create_task(client.post(f"/open/d{n}", content=padded)) for n in range(20)]
        highest = 0
        async with asyncio.timeout(20):
            while sum(post.done() for post in posts) < 16:  # at most four are held, whoever comes first
                highest = max(highest, rig.inbox.held[1])
                await asyncio.sleep(0.005)
        assert 900_000 < highest <= 4_000_000
        assert {post.result().status_code for post in posts if post.done()} == {503}
        rig.journal.release()
        statuses = [(await post).status_code for post in posts]
        assert statuses.count(200) == len(rig.counts) == 20 - statuses.count(503) > 0
        assert rig.inbox.held == (0, 0)


async def test_what_was_not_taken_is_withdrawn() -> None:
    async with running(limits=Limits(answer_s=0.2)) as (rig, client):
        rig.gateway._held_max = 1
        rig.journal.hold()
        first = asyncio.create_task(client.post("/open/first", content=xovis(0)))
        await until(lambda: rig.gateway.counts.messages == 1)
        answers = await asyncio.gather(*(client.post(f"/open/d{n}", content=xovis(n)) for n in range(20)))
        assert {each.status_code for each in [await first, *answers]} == {503}
        assert rig.inbox.held[0] == rig.gateway.counts.messages < 20  # one, and what was taken with it
        rig.journal.release()
        await until(lambda: rig.inbox.held == (0, 0))


async def test_one_message_waits_for_no_other() -> None:
    """Receipts of HTTP settle in any order: a venue or reject that cannot be written holds up only its own."""
    async with running() as (rig, client):
        rig.sinks.hold()  # rejects cannot be written
        bad = asyncio.create_task(client.post("/open/d", content=b"rubbish"))
        await until(lambda: rig.gateway.counts.rejected == 1)
        assert (await client.post("/open/d", content=xovis(0))).status_code == 200
        assert not bad.done()
        rig.sinks.release()
        assert (await bad).status_code == 422


async def test_mqtt_and_http_share_a_gateway() -> None:
    async with running() as (rig, client):
        body = {"at": T0, "seq": 1, "kind": "event", "forward": 1}
        message = Message("flowmon/v1/small/ctr-gate/count", json.dumps(body).encode(), T0, qos=1, mid=7)
        rig.journal.hold()
        rig.mqtt.put(message)
        post = asyncio.create_task(client.post("/open/door-3", content=xovis(0)))
        await until(lambda: rig.gateway.counts.messages == 2)
        assert rig.mqtt.acked == []
        rig.journal.release()
        assert (await post).status_code == 200
        await until(lambda: message in rig.mqtt.acked)
        forged = await client.post("/flowmon/v1/small/ctr-gate/count", content=json.dumps(body).encode())
        assert forged.status_code == 404  # an MQTT topic is no path
        assert rig.gateway.counts.messages == 2


async def test_the_end_finishes_what_was_taken_and_refuses_the_rest() -> None:
    rig = Rig()
    await rig.inbox.start()
    task = asyncio.create_task(rig.gateway.run())
    async with httpx.AsyncClient(base_url=rig.url) as client:
        rig.journal.hold()
        taken = asyncio.create_task(client.post("/open/d1", content=xovis(0)))
        await until(lambda: rig.gateway.counts.messages == 1)
        rig.gateway.stop()
        late = await client.post("/open/d2", content=xovis(1))
        assert (late.status_code, late.headers["connection"]) == (503, "close")
        rig.journal.release()
        assert (await taken).status_code == 200
        await asyncio.wait_for(task, 10)
        with pytest.raises(httpx.ConnectError):
            await client.post("/open/d3", content=xovis(2))
    assert len(rig.counts) == 1


class Hostile:
    """Clients that mean no good, each until `over`."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._writers: list[asyncio.StreamWriter] = []
        self.over = asyncio.Event()

    async def half_open(self) -> None:
        """200 connections that say nothing, half a head, or a head without its body."""
        whole = b"POST /open/d HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
        for n in range(200):
            _, writer = await asyncio.open_connection("127.0.0.1", self._rig.inbox.port)
            self._writers.append(writer)
            writer.write((b"", whole[:30], whole)[n % 3])

    async def pipelined(self) -> None:
        while not self.over.is_set():
            many = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 200
            reader, writer = await self._rig.raw("GET /nowhere HTTP/1.1\nHost: x", many)
            for _ in range(201):
                if (await answer(reader))[0] != 404:
                    break
            writer.close()

    async def oversized(self) -> None:
        while not self.over.is_set():
            for lines in ("X-Long: " + "x" * 20_000, "\n".join(f"X-{n}: y" for n in range(500))):
                reader, writer = await self._rig.raw(f"POST /open/d HTTP/1.1\n{lines}")
                assert (await answer(reader))[0] in {0, 400}
                writer.close()

    def leave(self) -> None:
        for writer in self._writers:
            writer.close()


async def posted_until_answered(url: str, number: int) -> int:
    """A device that sends each of its windows on a new connection, again until it is answered 200."""
    posted = 0
    for minute in range(number):
        for _ in range(20):
            try:
                async with httpx.AsyncClient(base_url=url, timeout=20, verify=False) as client:
                    if (await client.post("/open/good", content=xovis(minute))).status_code == 200:
                        posted += 1
                        break
            except httpx.TransportError:
                continue
    return posted


async def test_hostile_clients_do_not_stop_a_good_one() -> None:
    limits = Limits(connections=150, first_s=5.0, body_s=5.0, grace_s=1.0)
    async with running(limits=limits) as (rig, _):
        hostile = Hostile(rig)
        attacks = [
            asyncio.create_task(attack()) for attack in (hostile.half_open, hostile.pipelined, hostile.oversized)
        ]
        assert await posted_until_answered(rig.url, 200) == 200
        hostile.over.set()
        await asyncio.gather(*attacks)
        assert rig.inbox.connections <= 151
        hostile.leave()
        facts = [fact for fact in rig.counts if fact.source == "good"]
        assert sum(fact.forward for fact in {identity(fact): fact for fact in facts}.values()) == 200
        await until(lambda: rig.inbox.held == (0, 0))


async def test_silent_connections_are_ended() -> None:
    async with running(limits=Limits(first_s=0.3, idle_s=0.3)) as (rig, _):
        readers = [(await asyncio.open_connection("127.0.0.1", rig.inbox.port))[0] for _ in range(50)]
        started, _ = await rig.raw("POST /open/d HTTP/1.1\nHost: x\nContent-Le")
        kept, _ = await rig.raw("GET /open/d HTTP/1.1\nHost: x")
        assert (await answer(kept))[0] == 200
        for reader in [*readers, started, kept]:
            assert await asyncio.wait_for(reader.read(), 5) == b""
        await until(lambda: rig.inbox.connections == 0)
