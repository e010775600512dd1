"""The feed's shell: sockets and plain GETs on one port, around hubs and sessions. The only home of websockets.

One task reads a client, one writes to it, and only the second knows when there is something to write: it sleeps
until the session's next time or until it is woken by a publication. All state is in the event loop's one thread:
what `publish` takes in and what a subscription takes out happen one after the other, never in between.
More than 300 lines, because everything that touches a socket is here and everything that decides is elsewhere.
"""

import asyncio
import itertools
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from http import HTTPStatus

from msgspec import structs
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as WebSocketRequest
from websockets.http11 import Response
from websockets.typing import Subprotocol

from flowmon import metrics
from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.feed import access, assets
from flowmon.feed.answers import refused
from flowmon.feed.hub import Hub
from flowmon.feed.messages import FORBIDDEN, MESSAGE_MAX, NO_SUBPROTOCOL, SUBPROTOCOL, TOO_SLOW, Close, Fields
from flowmon.feed.orders import Accepted, Identity
from flowmon.feed.pages import Answer, Pages, Request
from flowmon.feed.session import About, Session
from flowmon.findings import Published
from flowmon.journal.port import Journal
from flowmon.settings import Settings
from flowmon.venue.model import Venue

log = logging.getLogger(__name__)
_socket_log = logging.getLogger(f"{__name__}.sockets")
_socket_log.setLevel(logging.CRITICAL)  # every plain GET and every port scan would be a line

CLIENTS_MAX = 4_000
NOTSENT_LOWAT = 16 * 1024
CLOSE_S = 2.0
HOUSEKEEPING_S = 1.0
PHASES = 16  # clients of one rate are written to in so many groups, one after the other
NOTIFY_EVERY_S = 0.005  # findings that come closer together wake clients once


class _Client:
    """A connection: its session, and what its writing task sleeps on."""

    def __init__(self, socket: ServerConnection, session: Session) -> None:
        self.socket = socket
        self.session = session
        self.wake = asyncio.Event()
        self.wakes_at = 0.0  # when it wakes by itself


class Feed:
    """Screens and their socket for some venues. Findings come in through `publish`, in the event loop.

    journal: where accepted commands go. clock: the venue's time. mode: `live` or `replay`. screens: other files
    than those of this installation. ready: /healthz says 503 and no socket is opened before it is set.
    pace: the seconds that limits and rates are measured in, the event loop's by default.
    """

    def __init__(
        self,
        venues: Sequence[Venue],
        journal: Journal,
        clock: Clock,
        settings: Settings,
        *,
        mode: str = "live",
        screens: assets.Assets | None = None,
        pace: Callable[[], float] | None = None,
    ) -> None:
        if not venues:
            raise FlowmonError("a feed needs a venue: name a venue file")
        self.ready = False
        self.hubs = {v.id: Hub(v, secrets.token_urlsafe(6), simulated=settings.simulated) for v in venues}
        self._journal, self._clock, self._settings = journal, clock, settings
        self._demo = all(hub.simulated for hub in self.hubs.values())
        self._about = About(mode=mode, rate=clock.rate)
        self._pages = Pages(self.hubs, screens or assets.load(), mode, self._health)
        self._pace = pace or (lambda: asyncio.get_running_loop().time())
        self._clients: set[_Client] = set()
        self._turns = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: Server | None = None
        self._notice: asyncio.TimerHandle | None = None
        self._notified = 0.0
        self._log_grew = False
        self._strangers: set[str] = set()

    # -- findings in

    def publish(self, published: Iterable[Published]) -> None:
        """Take findings in, of any of the venues; those told before are dropped."""
        by_venue: dict[str, list[Published]] = {}
        for one in published:
            by_venue.setdefault(one.venue, []).append(one)
        for venue, found in by_venue.items():
            hub = self.hubs.get(venue)
            if hub is None:
                self._warn_of_stranger(venue)
            elif hub.publish(found, self._now_ms()):
                self._log_grew = True
        self._notify_soon()

    def reset(self, venue: str) -> None:
        """The journal of a venue starts anew (a replay loops): every client gets a fresh snapshot."""
        self.hubs[venue].reset(secrets.token_urlsafe(6))
        self._log_grew = True
        self._notify_soon()

    def _warn_of_stranger(self, venue: str) -> None:
        if venue not in self._strangers and len(self._strangers) < 100:
            self._strangers.add(venue)
            log.warning("findings of venue %r are not shown: give this feed its venue file too", venue)

    def _notify_soon(self) -> None:
        if self._server is None or self._notice is not None:
            return
        loop = asyncio.get_running_loop()
        self._notice = loop.call_at(self._notified + NOTIFY_EVERY_S, self._notify)

    def _notify(self) -> None:
        self._notice = None
        self._notified = asyncio.get_running_loop().time()
        grew, self._log_grew = self._log_grew, False
        now = self._pace()
        for client in self._clients:
            if grew or client.session.hungry_at <= now:
                client.wake.set()

    # -- serving

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def start(self, host: str | None = None, port: int | None = None) -> None:
        """Listen (default: the settings' address; port 0 takes a free one). Raises FlowmonError when it cannot."""
        host = self._settings.feed_host if host is None else host
        port = self._settings.feed_port if port is None else port
        try:
            self._server = await serve(
                self._handle,
                host,
                port,
                process_request=self._respond,
                select_subprotocol=lambda _, offered: Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None,
                compression=None,
                max_size=MESSAGE_MAX,
                close_timeout=CLOSE_S,
                server_header=None,
                logger=_socket_log,
            )
        except (OSError, OverflowError) as error:
            raise FlowmonError(
                f"the feed cannot listen on {host}:{port} ({getattr(error, 'strerror', None) or error}): "
                f"end what uses that port, or choose another with --port or FLOWMON_FEED_PORT"
            ) from error
        self._spawn(self._keep_house())

    @asynccontextmanager
    async def serve(self, host: str | None = None, port: int | None = None) -> AsyncIterator["Feed"]:
        """Listen for as long as the context lasts."""
        await self.start(host, port)
        try:
            yield self
        finally:
            await self.close()

    async def close(self) -> None:
        """Say good-bye (1001: come again) and let go of the port. Idempotent."""
        server, self._server = self._server, None
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None
        if server is not None:
            server.close(code=1001, reason="the feed restarts")
            await server.wait_closed()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- one client

    async def _handle(self, websocket: ServerConnection) -> None:
        request = _request(websocket.request)
        refusal = self._refusal(websocket, request)
        if refusal is not None:
            metrics.closed(refusal.code)
            await websocket.close(refusal.code, refusal.reason)
            return
        _tune(websocket)
        venue = request.venue or next(iter(self.hubs))
        client = _Client(websocket, self._session(websocket, request, venue))
        self._clients.add(client)
        metrics.clients(len(self._clients))
        writer = asyncio.create_task(self._write(client))
        try:
            async for data in websocket:
                now = self._pace()
                client.session.receive(data, now, self._now_ms())
                self._take_commands(client.session)
                if client.session.next_wake(now) < client.wakes_at:
                    client.wake.set()
        except ConnectionClosed:
            pass  # a network that fails is not news
        finally:
            client.session.leave()
            self._clients.discard(client)
            metrics.clients(len(self._clients))
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    def _session(self, websocket: ServerConnection, request: Request, venue: str) -> Session:
        headers = request.headers
        peer = str(websocket.remote_address[0]) if websocket.remote_address else ""
        forwarded = not {"forwarded", "x-forwarded-for", "x-real-ip"}.isdisjoint(headers)
        local = access.is_local(peer, headers.get("host", ""), forwarded=forwarded)
        bearer = headers.get("authorization", "").removeprefix("Bearer ").strip()

        def identify(token: str) -> Identity | None:
            expected = self._settings.feed_token
            return access.identify(token or bearer, expected=expected, local=local, demo=self._demo)

        about = structs.replace(self._about, phase=next(self._turns) % PHASES / PHASES)
        return Session(secrets.token_hex(4), self.hubs, venue, identify, self._pace(), about)

    def _refusal(self, websocket: ServerConnection, request: Request) -> Close | None:
        origin, host = request.headers.get("origin"), request.headers.get("host", "")
        if not access.same_origin(origin, host):
            return Close(FORBIDDEN, f"origin is not {host[:40]}: let the proxy pass Host on")
        if websocket.subprotocol != SUBPROTOCOL:
            return Close(NO_SUBPROTOCOL, f"ask for the subprotocol {SUBPROTOCOL}")
        return None

    async def _write(self, client: _Client) -> None:
        """Write while there is something to write, one message after the other, as fast as the client takes them."""
        session, websocket = client.session, client.socket
        loop = asyncio.get_running_loop()
        with suppress(ConnectionClosed):
            while True:
                client.wake.clear()
                for message in session.drain(self._pace(), self._now_ms()):
                    await websocket.send(message, text=True)
                    metrics.sent(len(message))
                if session.closing is not None:
                    metrics.closed(session.closing.code)
                    await websocket.close(session.closing.code, session.closing.reason)
                    return
                now = self._pace()
                client.wakes_at = session.next_wake(now)
                if client.wakes_at > now:
                    alarm = loop.call_later(client.wakes_at - now, client.wake.set)
                    await client.wake.wait()
                    alarm.cancel()

    def _take_commands(self, session: Session) -> None:
        if session.paint_s is not None:
            metrics.painted(session.paint_s)
            session.paint_s = None
        for accepted in session.take_accepted():
            self._spawn(self._append(accepted))

    async def _append(self, accepted: Accepted) -> None:
        try:
            await self._journal.append(accepted.hub.venue.id, [accepted.fact])
        except FlowmonError as error:
            accepted.hub.answers.fail(accepted.key, refused("journal", str(error), retry=True))
            self._log_grew = True
            self._notify_soon()

    # -- what goes on beside

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            now = self._pace()
            for client in [client for client in self._clients if client.session.is_over(now)]:
                self._spawn(_cut(client))
            for hub in self.hubs.values():
                _measure(hub, self._now_ms())

    def _spawn(self, work: "Awaitable[None]") -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the feed failed", exc_info=error)

    def _now_ms(self) -> int:
        return round(self._clock.now() * 1000)

    def _health(self) -> tuple[bool, Fields]:
        lags = {
            name: None if hub.latest is None else max(0, self._now_ms() - round(hub.latest * 1000))
            for name, hub in self.hubs.items()
        }
        document = {"ready": self.ready, "mode": self._about.mode, "clients": len(self._clients), "lag_ms": lags}
        return self.ready, document

    def _respond(self, _: ServerConnection, websocket_request: WebSocketRequest) -> Response | None:
        """Answer a plain request; None lets the socket be opened."""
        request = _request(websocket_request)
        if request.place != "/feed" or request.method != "GET":
            return _response(self._pages.answer(request))
        if not self.ready:
            reason = "the feed is still loading: try again in a moment"
            return _response(self._pages.refuse(HTTPStatus.SERVICE_UNAVAILABLE, reason))
        if len(self._clients) >= CLIENTS_MAX:
            reason = f"{CLIENTS_MAX} screens are connected, no more are served: close some, or start another feed"
            return _response(self._pages.refuse(HTTPStatus.SERVICE_UNAVAILABLE, reason))
        if request.venue and request.venue not in self.hubs:
            return _response(self._pages.refuse(HTTPStatus.NOT_FOUND, f"there is no venue {request.venue!r} here"))
        return None


async def _cut(client: _Client) -> None:
    """End a connection whose writer may be stuck in a full buffer, where a polite close would be stuck as well."""
    with suppress(ConnectionClosed, TimeoutError):
        reason = "nothing acknowledged for 30 seconds: send ok for what you have shown"
        await asyncio.wait_for(client.socket.close(TOO_SLOW, reason), CLOSE_S)
    client.socket.transport.abort()


def _measure(hub: Hub, now_ms: int) -> None:
    venue = hub.venue.id
    if hub.latest is not None:
        metrics.lag(venue, max(0.0, now_ms / 1000 - hub.latest))
    for zone, fields in hub.snapshot("zones").items():
        metrics.zone_age(venue, zone, max(0.0, (now_ms - fields["at"]) / 1000))


def _tune(websocket: ServerConnection) -> None:
    """Keep what the kernel holds unsent small, so that a slow client is noticed and gets fresh numbers."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    raw = websocket.transport.get_extra_info("socket")
    if option is not None and raw is not None:
        with suppress(OSError):
            raw.setsockopt(socket.IPPROTO_TCP, option, NOTSENT_LOWAT)


def _request(request: WebSocketRequest | None) -> Request:
    assert request is not None
    headers = {name.lower(): value for name, value in request.headers.raw_items()}
    return Request(request.path, headers, getattr(request, "method", "GET"))  # websockets 16 knows no other


def _response(answer: Answer) -> Response:
    headers = Headers(answer.headers)
    headers["Date"] = formatdate(usegmt=True)
    headers["Connection"] = "close"
    return Response(answer.status.value, answer.status.phrase, headers, answer.body)
