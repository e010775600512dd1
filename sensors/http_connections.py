"""The connections of a listener: bounded in number, and each in the time it may be silent.

When there are too many, the one that has been silent longest gives way: first those that never asked anything, then
those between two requests. So whoever opens connections and says nothing pushes out himself, not a device at work.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from flowmon import metrics
from sensors.http_answers import Limits, Refusal

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

# aiohttp writes tracebacks about what clients send, and bytes of it, which may be secrets; we count by status instead
_quiet = logging.getLogger("sensors.http.quiet")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class Connections(web.Server):
    """aiohttp's low-level server with those bounds. handle: answers one request and does not raise."""

    def __init__(self, handle: Handle, limits: Limits) -> None:
        super().__init__(
            handle,
            keepalive_timeout=limits.idle_s,
            lingering_time=2.0,
            auto_decompress=False,  # unpacked in `http_bodies`, where the bound is
            access_log=None,
            logger=_quiet,
        )
        self._limits = limits
        self._silent: dict[Connection, None] = {}  # never asked anything, oldest first
        self._idle: dict[Connection, None] = {}
        self._number = 0

    def __call__(self) -> "Connection":
        return Connection(self, loop=asyncio.get_running_loop(), **self._kwargs)

    def __len__(self) -> int:
        return self._number

    def opened(self, connection: "Connection") -> asyncio.TimerHandle:
        """A connection stands; another may have to go. The timer ends it if it never asks anything."""
        self._number += 1
        self._silent[connection] = None
        if self._number > self._limits.connections:
            victim = next(iter(self._silent if len(self._silent) > 1 else self._idle), connection)
            victim.force_close()
        return asyncio.get_running_loop().call_later(self._limits.first_s, self._tired_of, connection)

    def closed(self, connection: "Connection") -> None:
        """It is gone."""
        self._number -= 1
        self._silent.pop(connection, None)
        self._idle.pop(connection, None)

    def busy(self, connection: RequestHandler) -> None:
        """A request of it is being answered."""
        assert isinstance(connection, Connection)
        self._silent.pop(connection, None)
        self._idle.pop(connection, None)

    def idle(self, connection: RequestHandler) -> None:
        """Its request is answered."""
        assert isinstance(connection, Connection)
        if connection.transport is not None:
            self._idle[connection] = None

    def _tired_of(self, connection: "Connection") -> None:
        if connection in self._silent:
            connection.force_close()


class Connection(RequestHandler):
    """One connection, whose errors are counted and answered in our words."""

    def __init__(self, server: Connections, **options: object) -> None:
        super().__init__(server, **options)  # type: ignore[arg-type]  # what aiohttp's own factory passes on
        self._server = server
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        super().connection_made(transport)
        self._timer = self._server.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See asyncio."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._server.closed(self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002 -- the signature is aiohttp's
        message: str | None = None,  # noqa: ARG002 -- it may quote what the client sent
    ) -> web.StreamResponse:
        """See aiohttp: bytes that are no HTTP request, or headers beyond its limits."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        metrics.http_answered(status)
        refusal = Refusal(status, "this is no HTTP/1.1 request, or a line of its head is over 8 kB: see RFC 9112")
        response = web.Response(status=status, body=refusal.body, content_type="application/json")
        response.force_close()
        return response
