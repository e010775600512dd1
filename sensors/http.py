"""The inbox of devices that push over HTTP or HTTPS, by aiohttp.

    POST /door-3 -> route -> secret -> length -> body, unpacked -> gateway -> journal -> 200

* A 2xx is given when the journal has confirmed every part of the message, never before. When it does not in
  `answer_s`, the answer is 503 and the device sends again: what is there twice has equal identities.
* What cannot be read is answered 422 with the reason (413 too large, 415 and 400 wrongly packed) and kept as a reject,
  in the same way as a message of MQTT.
* Nothing is read for who has no route or no secret; `Expect: 100-continue` is answered after both.
* Bounded: messages and bytes under way, the size of a body packed and unpacked, its time and its pace, connections
  (`sensors/http_connections.py`), heads (aiohttp: 8 kB a line, 128 lines).
* Whatever a proxy says about who is behind it (X-Forwarded-*) is not believed.
"""

import asyncio
import logging
import ssl
from collections.abc import Sequence
from itertools import count

import msgspec
from aiohttp import web

from flowmon import metrics, settings
from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from sensors import http_requests, scrub
from sensors.dialects.port import Message
from sensors.http_access import Access
from sensors.http_answers import BODY_MAX, Limits, Refusal, accepted, busy
from sensors.http_bodies import ENCODINGS, Broken, TooLarge, unpack
from sensors.http_connections import Connections
from sensors.http_requests import Bodies
from sensors.http_secrets import Secrets
from sensors.routes import Routes

BATCH = 500
_KEPT_OF_LARGE = 16_384
_HANDSHAKE_S = 10.0
_PATH_MAX = 300
_METHODS = ("GET", "HEAD", "POST", "PUT")

_log = logging.getLogger(__name__)


class HttpInbox:
    """What is posted to the paths of `routes`. listen: `host:port`, port 0 for a free one. tls: makes it HTTPS.

    Use `start`, then `take` and `ack`, then `close`; all from one event loop.
    Raises FlowmonError when `listen` cannot be read.
    """

    def __init__(
        self,
        listen: str,
        routes: Routes,
        known: Secrets,
        clock: Clock,
        *,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._host, self._port = settings.endpoint(listen)
        self._routes = routes
        self._access = Access(known)
        self._clock = clock
        self._tls = tls
        self._limits = limits or Limits()
        self._numbers = count(1)
        self._waiting: dict[int, Message] = {}  # not taken yet, oldest first
        self._open: dict[int, _Open] = {}  # not acknowledged yet
        self._bodies = Bodies(self._limits)
        self._answering = 0
        self._arrived = asyncio.Event()
        self._stopped = False
        self._defects: set[str] = set()
        self._connections: Connections | None = None
        self._server: asyncio.Server | None = None

    # -- the gateway's side ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen. Raises FlowmonError when it cannot."""
        self._connections = Connections(self._respond, self._limits)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connections,
                self._host,
                self._port,
                ssl=self._tls,
                ssl_handshake_timeout=_HANDSHAKE_S if self._tls else None,
                backlog=256,
            )
        except (OSError, OverflowError) as error:
            raise FlowmonError(
                f"cannot listen for devices on {self._host}:{self._port} "
                f"({getattr(error, 'strerror', None) or error}): end what uses that port, or correct FLOWMON_HTTP"
            ) from None
        paths = ", ".join(f"/{post.path}" for post in self._routes.posts) or "no path: add [[routes]] with a path"
        _log.info("devices post to http%s://%s:%d: %s", "s" if self._tls else "", self._host, self.port, paths)

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections stand."""
        return 0 if self._connections is None else len(self._connections)

    @property
    def held(self) -> tuple[int, int]:
        """Messages taken from devices and not acknowledged, and bytes of bodies in memory."""
        return len(self._open), self._bodies.held

    async def take(self) -> list[Message]:
        """See the gateway's Inbox."""
        while not self._stopped:
            self._arrived.clear()
            if self._waiting:
                numbers = list(self._waiting)[:BATCH]
                return [self._waiting.pop(number) for number in numbers]
            await self._arrived.wait()
        return []

    def ack(self, messages: Sequence[Message]) -> None:
        """See the gateway's Inbox."""
        for message in messages:
            if message.pushed and (found := self._open.pop(message.mid, None)):
                self._bodies.held -= len(message.payload)
                found.settle(safe=True)

    def reject(self, message: Message, reason: str) -> None:
        """See the gateway's Inbox. The device is told, when its reject is safe."""
        if message.pushed and (found := self._open.get(message.mid)):
            found.reason = reason

    def stop(self) -> None:
        """See the gateway's Inbox. Whoever asks from now on is told to come again."""
        self._stopped = True
        self._arrived.set()
        for number in list(self._waiting):
            self._withdraw(number)

    async def close(self) -> None:
        """See the gateway's Inbox. Answers under way are given; what was not made safe is the device's still."""
        self.stop()
        for found in self._open.values():
            found.settle(safe=False)
        if self._server is not None and self._connections is not None:
            self._server.close()
            self._connections.pre_shutdown()
            await self._connections.shutdown(5.0)
            self._server = None

    # -- one request -------------------------------------------------------------------------------------------

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self._connections is not None
        connection = request.protocol
        self._connections.busy(connection)
        self._count(1)
        try:
            dialect = await self._answer(request)
            response = web.Response(body=accepted(dialect), content_type="application/json")
        except Refusal as refusal:
            response = _refused(refusal)
        except Exception as error:  # noqa: BLE001 -- one request must not end a museum's listener
            response = _refused(self._defective(error))
        finally:
            self._count(-1)
            self._connections.idle(connection)
        if self._stopped:
            response.force_close()
        metrics.http_answered(response.status)
        return response

    def _count(self, change: int) -> None:
        self._answering += change
        metrics.http_in_flight(self._answering)

    def _defective(self, error: Exception) -> Refusal:
        kind = type(error).__name__
        if kind not in self._defects:
            self._defects.add(kind)
            _log.error("a defect in the HTTP inbox, please report it", exc_info=error)
        return Refusal(500, "a defect of the gateway; its log says more. Send again", close=True)

    async def _answer(self, request: web.BaseRequest) -> str:
        """The dialect of a request that is safe now (or of a GET that only asks). Raises Refusal otherwise."""
        if self._stopped:
            raise busy("the gateway stops: send again in a moment")
        path = request.path.removeprefix("/").removesuffix("/")
        post = self._routes.posted(path) if path.isprintable() and len(path) <= _PATH_MAX else None
        if post is None:
            raise Refusal(404, "no route of a venue file has this path: add one, or correct the URL in the device")
        if request.method not in _METHODS:
            raise Refusal(
                405, "POST or PUT your measurements; GET asks whether this works", ("Allow", "GET, POST, PUT")
            )
        self._access.check(http_requests.head(request, path), post, asyncio.get_running_loop().time())
        if request.method in {"GET", "HEAD"}:
            return post.origin.dialect
        status, message = await self._message(request, path)
        if reason := await self._safe(message):
            raise Refusal(status, scrub.scrub_text(reason)[:500])
        return post.origin.dialect

    async def _message(self, request: web.BaseRequest, path: str) -> tuple[int, Message]:
        """What was posted, and the status if it turns out that it cannot be read. Raises Refusal."""
        size = request.content_length or 0
        headers = http_requests.headers(request)
        encoding = headers.pop("content-encoding", "identity")
        packed = encoding != "identity"
        seen = self._clock.now
        if size > BODY_MAX:
            return 413, Message(path, b"", seen(), headers=headers, size=size, pushed=True)
        if packed and encoding not in ENCODINGS:
            headers["content-encoding"] = encoding
            return 415, Message(path, b"", seen(), headers=headers, size=size, pushed=True)
        await http_requests.let_come(request)
        body = await self._bodies.read(request)
        try:
            whole = unpack(body, encoding, BODY_MAX) if packed and len(body) <= BODY_MAX else body
        except TooLarge:
            return 413, Message(path, b"", seen(), headers=headers, size=BODY_MAX + 1, pushed=True)
        except Broken:
            headers["content-encoding"] = encoding
            return 400, Message(path, body[:_KEPT_OF_LARGE], seen(), headers=headers, pushed=True)
        finally:
            self._bodies.held -= len(body)
        if len(whole) > BODY_MAX:
            return 413, Message(path, whole[:_KEPT_OF_LARGE], seen(), headers=headers, size=len(whole), pushed=True)
        return 422, Message(path, whole, seen(), headers=headers, size=len(whole), pushed=True)

    async def _safe(self, message: Message) -> str:
        """Wait until a message is on the disk; the reason if only its reject is. Raises Refusal (503)."""
        if self._stopped:
            raise busy("the gateway stops: send again in a moment")
        if len(self._open) >= self._limits.held_max or self._bodies.held > self._limits.bytes_max:
            raise busy("the journal is behind: send again in a moment")
        number = next(self._numbers)
        found = self._open[number] = _Open()
        message = self._waiting[number] = msgspec.structs.replace(message, mid=number)
        self._bodies.held += len(message.payload)
        self._arrived.set()
        await asyncio.wait({found.answer}, timeout=self._limits.answer_s)
        if not found.answer.done():
            self._withdraw(number)
        if not (found.answer.done() and found.answer.result()):
            raise busy("the journal did not confirm in time: send again, what is there already is not counted twice")
        return found.reason

    def _withdraw(self, number: int) -> None:
        """Nobody has taken it: it was never here. What was taken stays open until the journal has it."""
        if message := self._waiting.pop(number, None):
            self._bodies.held -= len(message.payload)
            self._open.pop(number).settle(safe=False)


class _Open:
    """A message on its way: the device waits for `answer`, which is whether it is safe."""

    __slots__ = ("answer", "reason")

    def __init__(self) -> None:
        self.answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.reason = ""

    def settle(self, *, safe: bool) -> None:
        if not self.answer.done():
            self.answer.set_result(safe)


def _refused(refusal: Refusal) -> web.Response:
    response = web.Response(status=refusal.status, body=refusal.body, content_type="application/json")
    for name, value in refusal.headers:
        response.headers.add(name, value)
    if refusal.close:
        response.force_close()
    return response
