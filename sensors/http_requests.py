"""Reading an HTTP request within bounds of size, time and pace."""

import asyncio

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from sensors.http_access import Asked
from sensors.http_answers import BODY_MAX, Limits, Refusal, busy

_HEADERS_MAX = 16
_HEADER_MAX = 200
_KNOWN = frozenset({"content-type", "content-encoding", "content-disposition", "user-agent"})
_SECRET_WORDS = ("auth", "token", "secret", "key", "pass", "cookie", "session", "user", "forwarded", "real-ip")


def head(request: web.BaseRequest, path: str) -> Asked:
    """What decides about access. The address is the connection's: whoever a proxy says is behind it is not believed."""
    return Asked(
        method=request.method,
        target=request.raw_path,
        path=path,
        authorization=request.headers.get("Authorization", ""),
        peer=request.remote or "",
    )


def headers(request: web.BaseRequest) -> dict[str, str]:
    """The headers a dialect may need, in small letters: what the body is, and what makers add as X-…; never secrets."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        low = name.lower()
        extra = low.startswith("x-") and not any(word in low for word in _SECRET_WORDS)
        if (low in _KNOWN or extra) and len(found) < _HEADERS_MAX:
            found[low] = value.strip()[:_HEADER_MAX]
    if "content-encoding" in found:
        found["content-encoding"] = found["content-encoding"].lower()
    return found


async def let_come(request: web.BaseRequest) -> None:
    """Tell a client that asks first (RFC 9110 §10.1.1) to send its body. Raises Refusal for any other expectation."""
    expected = request.headers.get("Expect", "").lower()
    if expected not in {"", "100-continue"}:
        raise Refusal(417, "of Expect only 100-continue is known", close=True)
    if expected and request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


class Bodies:
    """Reads bodies. held: bytes of them in memory; whoever is done with one takes its length off."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.held = 0

    async def read(self, request: web.BaseRequest) -> bytes:
        """The body, counted in `held`; when longer than BODY_MAX, its beginning. Raises Refusal: 400, 408 or 503."""
        parts: list[bytes] = []
        try:
            await self._gather(request, parts)
        except BaseException:
            self.held -= sum(map(len, parts))
            raise
        return b"".join(parts)

    async def _gather(self, request: web.BaseRequest, parts: list[bytes]) -> None:
        limits, began, size = self._limits, asyncio.get_running_loop().time(), 0
        try:
            while size <= BODY_MAX:
                async with asyncio.timeout_at(began + min(limits.body_s, limits.grace_s + size / limits.rate)):
                    part = await request.content.readany()
                if not part:
                    return
                if self.held + len(part) > limits.bytes_max:
                    raise busy("too much is being sent at once: send again in a moment")
                parts.append(part)
                size += len(part)
                self.held += len(part)
        except TimeoutError:
            raise Refusal(408, f"the body came too slowly: send it in {limits.body_s:g} s", close=True) from None
        except (ConnectionError, ClientError, HttpProcessingError, web.RequestPayloadError):
            raise Refusal(400, "the body ended early, or is not chunked as it says", close=True) from None
