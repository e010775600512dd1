"""The feed on real sockets: what a browser, a script, a slow phone and a rude stranger get."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from flowmon.clock import Clock
from flowmon.errors import FlowmonError, JournalError
from flowmon.facts import Acknowledged, Fact, Record, Recounted
from flowmon.feed.assets import Assets
from flowmon.feed.server import Feed
from flowmon.findings import Correction, Finding, Published, Rejected
from flowmon.journal.port import Entry
from flowmon.settings import Settings
from tests.unit.feed_samples import Names, Screen, episode, known, venue, zone

SCREENS = Assets({"/index.html": b"<!doctype html>" + b"x" * 2000, "/js/a.js": b"1"})
PATIENCE_S = 10.0


class MemoryJournal:
    """A journal in memory, and a tiny core behind it that answers commands into a feed."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.full = False
        self.deaf = False
        self.core: Callable[[Fact], Finding | None] = lambda _: None
        self.feed: Feed | None = None
        self.names = Names()

    async def append(self, venue: str, record: Record) -> int:
        if self.full:
            raise JournalError("the disk is full: make room")
        self.records.append(record)
        await asyncio.sleep(0)
        for fact in record:
            finding = None if self.deaf else answer(fact)
            if finding is not None and self.feed is not None:
                self.feed.publish(self.names(finding))
        return len(self.records) - 1

    async def read(self, venue: str, *, after: int = -1, follow: bool = False) -> AsyncIterator[Entry]:
        for offset, record in enumerate(self.records[after + 1 :], after + 1):
            yield Entry(venue, offset, record)

    async def close(self) -> None:
        pass


def answer(fact: Fact) -> Finding | None:
    match fact:
        case Acknowledged(note="no"):
            return Rejected(at=fact.at, source=fact.source, reason="not_open: it is over", cause=fact.command)
        case Acknowledged():
            return episode(fact.episode, fact.revision + 1, "ACKED", fact.at, by=fact.by, cause=fact.command)
        case Recounted():
            return Correction(
                at=fact.at,
                zone=fact.zone,
                before=0,
                after=fact.people,
                reason="recount",
                by=fact.by,
                cause=fact.command,
            )
        case _:
            return None


class Stage:
    """A running feed, its journal, its findings, and time that can be moved on."""

    def __init__(self, **settings: Any) -> None:
        self.journal = MemoryJournal()
        self.ahead = 0.0
        self.feed = Feed(
            [venue(), venue("annex")],
            self.journal,
            Clock(),
            Settings(**settings),
            screens=SCREENS,
            pace=lambda: asyncio.get_running_loop().time() + self.ahead,
        )
        self.journal.feed = self.feed
        self.feed.ready = True
        self.clock = Clock()

    def publish(self, *findings: Finding) -> list[Published]:
        published = self.journal.names(*findings)
        self.feed.publish(published)
        return published

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.feed.port}"

    @asynccontextmanager
    async def client(self, path: str = "/feed", **more: Any) -> AsyncIterator["Client"]:
        options = {"subprotocols": [Subprotocol("flowmon.v1+json")], "compression": None, "proxy": None} | more
        async with connect(f"ws://{self.place}{path}", **options) as connection:
            yield Client(connection)


class Client:
    """A socket as a script would use it."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.screen = Screen()

    async def say(self, **message: Any) -> None:
        await self.connection.send(msgspec.json.encode(message).decode())

    async def hear(self) -> dict[str, Any]:
        data = await asyncio.wait_for(self.connection.recv(), PATIENCE_S)
        assert isinstance(data, str)
        return self.screen.hear(data.encode())

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                said = await self.hear()
                if said["t"] == kind and all(said.get(name) == value for name, value in fields.items()):
                    return said

    async def hello(self, *channels: str, token: str = "", **sub: Any) -> dict[str, Any]:
        await self.say(t="hello", v=1, token=token)
        welcome = await self.until("welcome")
        for number, channel in enumerate(channels, 1):
            await self.say(t="sub", id=number, ch=channel, **sub)
            await self.until("snap", ch=channel)
        return welcome

    async def closed(self) -> tuple[int, str]:
        """Read until the feed closes; the code and the reason."""
        close = None
        async with asyncio.timeout(PATIENCE_S):
            try:
                while True:
                    await self.connection.recv()
            except ConnectionClosed as error:
                close = error.rcvd
        assert close is not None, "cut without a word"
        return close.code, close.reason


@asynccontextmanager
async def stage(**settings: Any) -> AsyncIterator[Stage]:
    made = Stage(**settings)
    async with made.feed.serve("127.0.0.1", 0):
        yield made


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 -- it asks about a server, which has no event to wait for
            await asyncio.sleep(0.01)


# -- the ordinary


async def test_a_screen_gets_a_snapshot_then_what_changes_then_signs_of_life() -> None:
    async with stage() as on, on.client() as client:
        on.publish(zone("foyer"), zone("hall"))
        welcome = await client.hello("zones", "alerts", max_hz=50)
        assert (welcome["role"], welcome["mode"], welcome["simulated"]) == ("manager", "live", False)
        on.publish(zone("hall", people=11.0))
        on.publish(episode())
        on.publish(zone("foyer", people=None))
        assert (await client.until("ev"))["alert"]["id"] == "full.1"
        await eventually_known(on, client, "zones")
        beat = await client.until("hb")
        assert beat["seq"] == {"zones": client.screen.seq["zones"], "alerts": 1}


async def eventually_known(on: Stage, client: Client, channel: str) -> None:
    """Read until the client knows what the hub knows."""
    async with asyncio.timeout(PATIENCE_S):
        while client.screen.state[channel] != known(on.feed.hubs["museum"], channel):
            await client.hear()


async def test_a_finding_reaches_the_socket_at_once() -> None:
    async with stage() as on, on.client() as client:
        await client.hello("zones", "alerts")
        waits = []
        for number in range(20):
            await asyncio.sleep(0.06)  # apart enough that the rate holds nothing back
            began = asyncio.get_running_loop().time()
            on.publish(episode(f"e{number}"))
            await client.until("ev")
            waits.append(asyncio.get_running_loop().time() - began)
        assert sorted(waits)[10] < 0.05


async def test_an_acknowledgement_comes_back_from_the_core_to_everybody() -> None:
    async with stage() as on, on.client() as one, on.client() as two:
        on.publish(episode())
        await one.hello("alerts")
        await two.hello("alerts")
        await one.say(t="cmd", id=9, do="ack", alert="full.1", rev=1, note="agent sent", idem="b1d2")
        assert await one.until("res") == {"t": "res", "id": 9, "ok": True, "rev": 2}
        for client in (one, two):
            if "alerts" not in client.screen.events:
                await client.until("ev")
            (event,) = client.screen.events["alerts"]
            assert (event["alert"]["state"], event["alert"]["by"], event["alert"]["rev"]) == ("ACKED", "desk", 2)
        ((fact,),) = on.journal.records
        assert isinstance(fact, Acknowledged)
        assert fact.source == "user:desk"
        await two.say(t="cmd", id=1, do="ack", alert="full.1", rev=1, idem="other")
        refusal = await two.until("res")
        assert (refusal["code"], refusal["cur"]["rev"]) == ("stale_rev", 2)
        await two.say(t="cmd", id=2, do="ack", alert="full.1", rev=2, idem="third", note="no")
        assert (await two.until("res"))["code"] == "not_open"
        await two.say(t="cmd", id=3, do="recount", zone="foyer", people=40, idem="fourth")
        assert (await two.until("res"))["ok"]


async def test_no_acknowledgement_while_the_core_is_silent_or_the_journal_full() -> None:
    async with stage() as on, on.client() as client:
        on.publish(episode())
        await client.hello("alerts")
        on.journal.full = True
        await client.say(t="cmd", id=1, do="ack", alert="full.1", rev=1, idem="k")
        refusal = await client.until("res")
        assert (refusal["code"], refusal["reason"], refusal["retry"]) == (
            "journal",
            "the disk is full: make room",
            True,
        )
        on.journal.full, on.journal.deaf = False, True
        await client.say(t="cmd", id=2, do="ack", alert="full.1", rev=1, idem="k")
        await eventually(lambda: len(on.journal.records) == 1)
        on.ahead += 5.0
        refusal = await client.until("res")
        assert (refusal["id"], refusal["code"], refusal["retry"]) == (2, "timeout", True)
        on.journal.deaf = False
        await client.say(t="cmd", id=3, do="ack", alert="full.1", rev=1, idem="k")
        assert (await client.until("res"))["ok"] is True


async def test_a_screen_that_comes_back_resumes_and_loses_no_episode() -> None:
    async with stage() as on:
        on.publish(zone("foyer"), zone("hall"))
        async with on.client() as client:
            await client.hello("zones", "alerts")
            on.publish(episode("a"))
            await client.until("ev")
            screen = client.screen
        on.publish(episode("b"), episode("a", 2, "NORM"), zone("hall", people=3.0))
        async with on.client() as client:
            client.screen = screen
            epoch = (await client.hello())["epoch"]
            await client.say(t="sub", id=1, ch="zones", since={"epoch": epoch, "seq": screen.seq["zones"]})
            snap = await client.until("snap", ch="zones")
            assert (snap["partial"], list(snap["z"])) == (True, ["hall"])
            await client.say(t="sub", id=2, ch="alerts", since={"epoch": epoch, "seq": screen.seq["alerts"]})
            snap = await client.until("snap", ch="alerts")
            assert list(snap["z"]) == ["b"]
            assert [event["alert"]["id"] for event in screen.events["alerts"]] == ["a", "b", "a"]
            await eventually_known(on, client, "zones")


async def test_another_feed_is_another_epoch_and_starts_over() -> None:
    async with stage() as on:
        on.publish(zone())
        async with on.client() as client:
            await client.hello()
            await client.say(t="sub", id=1, ch="zones", since={"epoch": "of another life", "seq": 1})
            snap = await client.until("snap")
            assert "partial" not in snap


async def test_a_replay_that_loops_gives_every_screen_a_fresh_snapshot() -> None:
    async with stage() as on, on.client() as client:
        on.publish(zone())
        epoch = (await client.hello("zones"))["epoch"]
        on.feed.reset("museum")
        assert (await client.until("snap"))["epoch"] != epoch
        assert client.screen.state["zones"] == {}


async def test_two_venues_on_one_feed() -> None:
    async with stage() as on, on.client("/feed?venue=annex") as client:
        on.feed.publish([*Names("annex")(zone("attic")), *Names()(zone("foyer"))])
        on.feed.publish(Names("elsewhere")(zone("cellar")))
        assert (await client.hello("zones"))["venue"] == "annex"
        assert list(client.screen.state["zones"]) == ["attic"]
        with pytest.raises(InvalidStatus, match="404"):
            async with on.client("/feed?venue=moon"):
                pass


# -- who may what


async def test_pages_of_other_hosts_are_turned_away_with_a_reason() -> None:
    async with stage() as on:
        async with on.client(origin=Origin("http://evil.example")) as client:
            code, reason = await client.closed()
            assert code == 4403
            assert "origin" in reason
        async with on.client(origin=Origin(f"http://{on.place}")) as client:
            await client.hello()


async def test_without_the_subprotocol_there_is_no_feed() -> None:
    async with stage() as on:
        for offered in ([], [Subprotocol("graphql-ws")]):
            async with connect(f"ws://{on.place}/feed", subprotocols=offered or None, proxy=None) as connection:
                assert (await Client(connection).closed())[0] == 4406


async def test_a_token_makes_a_manager_and_a_wrong_one_nobody() -> None:
    async with stage(feed_token="s3cret") as on:
        async with on.client() as client:
            assert (await client.hello())["role"] == "viewer"
            await client.say(t="cmd", id=1, do="recount", zone="foyer", people=40, idem="k")
            assert (await client.until("res"))["code"] == "forbidden"
        async with on.client() as client:
            assert (await client.hello(token="s3cret"))["role"] == "manager"
        async with on.client(additional_headers={"Authorization": "Bearer s3cret"}) as client:
            assert (await client.hello())["role"] == "manager"
        async with on.client() as client:
            await client.say(t="hello", v=1, token="guess")
            assert (await client.closed())[0] == 4401


async def test_behind_a_proxy_nobody_is_at_the_machine() -> None:
    async with stage() as on, on.client(additional_headers={"X-Forwarded-For": "203.0.113.9"}) as client:
        assert (await client.hello())["role"] == "viewer"


# -- the rude and the slow


async def test_a_first_message_that_is_no_hello_closes() -> None:
    async with stage() as on, on.client() as client:
        await client.say(t="sub", ch="zones")
        assert (await client.closed())[0] == 4400


@pytest.mark.parametrize(
    ("frames", "codes"),
    [
        ([b"\x00\xff"], {4400}),
        (["not JSON"], {4400}),
        (['{"t":"hello","v":1,"x":"' + "y" * 17_000 + '"}'], {1009}),
        (['{"t":"ok","seq":{}}'] * 100, {4400, 4429}),
        (['{"t":"hello","v":1}', *['{"t":"ok","seq":{}}'] * 100], {4429}),
    ],
)
async def test_bad_input_ends_its_own_connection_only(frames: list[str | bytes], codes: set[int]) -> None:
    async with stage() as on, on.client() as other:
        await other.hello("zones")
        async with on.client() as client:
            try:
                for frame in frames:
                    await client.connection.send(frame)
            except ConnectionClosed:
                pass
            assert (await client.closed())[0] in codes
        on.publish(zone(people=77.0))
        await eventually_known(on, other, "zones")


async def test_whoever_never_acknowledges_is_cut_and_nobody_else_notices() -> None:
    async with stage() as on, on.client() as slow, on.client() as good:
        await slow.hello("zones", "alerts")
        await good.hello("zones", "alerts")
        on.publish(zone(people=1.0))
        await slow.until("delta")
        await good.until("delta")
        await good.say(t="ok", seq=good.screen.seq)
        await eventually(lambda: sum(c.session._credit.size > 0 for c in on.feed._clients) == 1)
        on.ahead += 31.0
        assert await slow.closed() == (4410, "nothing acknowledged for 30 seconds: send ok for what you have shown")
        on.publish(zone(people=2.0))
        await eventually_known(on, good, "zones")
        assert len(on.feed._clients) == 1


async def test_whoever_stops_reading_is_cut_though_its_buffers_are_full() -> None:
    async with stage() as on, on.client() as good:
        await good.hello("alerts")
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)  # noqa: FBT003
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", on.feed.port))
        async with on.client(sock=raw, max_queue=1) as stuck:
            await stuck.hello("alerts")
            raw_transport = stuck.connection.transport
            raw_transport.pause_reading()
            for number in range(300):
                on.publish(episode(f"e{number}", note="x" * 2000))
                if number % 20 == 0:
                    await asyncio.sleep(0.01)
            while good.screen.seq["alerts"] < 300:
                await good.hear()
                await good.say(t="ok", seq=good.screen.seq) if good.screen.seq["alerts"] % 20 == 0 else None
            await good.say(t="ok", seq=good.screen.seq)
            await eventually(lambda: sum(c.session._credit.size == 0 for c in on.feed._clients) == 1)
            on.ahead += 31.0
            await eventually(lambda: len(on.feed._clients) == 1)
            raw_transport.abort()
        on.publish(episode("after"))
        await good.until("ev")
        assert [event["seq"] for event in good.screen.events["alerts"]] == list(range(1, 302))


async def test_a_port_in_use_is_said_to_be() -> None:
    async with stage() as on:
        other = Stage()
        with pytest.raises(FlowmonError, match="choose another with --port"):
            await other.feed.start("127.0.0.1", on.feed.port)


async def test_a_feed_that_ends_tells_its_screens_to_come_back() -> None:
    on = Stage()
    await on.feed.start("127.0.0.1", 0)
    async with on.client() as client:
        await client.hello("zones")
        await on.feed.close()
        assert (await client.closed())[0] == 1001
    await on.feed.close()


# -- plain GETs


async def test_pages_and_documents_come_from_the_same_port() -> None:
    async with stage() as on, httpx.AsyncClient(base_url=f"http://{on.place}", trust_env=False) as web:
        on.publish(zone())
        page = await web.get("/floor")
        assert (page.status_code, page.headers["content-encoding"]) == (200, "gzip")
        assert page.text.startswith("<!doctype html>")
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert (await web.get("/floor", headers={"If-None-Match": page.headers["etag"]})).status_code == 304
        assert (await web.get("/nothing")).status_code == 404
        assert (await web.get("/healthz")).json()["ready"] is True
        assert "flowmon_feed_clients" in (await web.get("/metrics")).text
        assert (await web.get("/api/state")).json()["zones"]["foyer"]["occ"] == 10.0
        assert (await web.get("/api/venue?venue=annex")).json()["id"] == "annex"
        assert (await web.get("/feed")).status_code == 426
        assert (await web.post("/api/state")).status_code == 405
        head = await web.head("/floor")
        assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", "text/html; charset=utf-8")


async def test_before_the_numbers_are_loaded_there_are_none() -> None:
    async with stage() as on, httpx.AsyncClient(base_url=f"http://{on.place}", trust_env=False) as web:
        on.feed.ready = False
        assert (await web.get("/healthz")).status_code == 503
        assert (await web.get("/api/state")).status_code == 503
        with pytest.raises(InvalidStatus, match="503"):
            async with on.client():
                pass
