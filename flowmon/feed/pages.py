"""Plain GETs beside the socket: the screens' files, and documents for scripts. Pure: a request in, an answer out."""

import hashlib
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

from flowmon import metrics
from flowmon.feed.assets import Assets
from flowmon.feed.hub import Hub
from flowmon.feed.messages import Fields, encode
from flowmon.venue.model import Venue

JSON = "application/json"


class Request(Struct, frozen=True):
    """path: with its query. headers: by their name in small letters."""

    path: str
    headers: dict[str, str]
    method: str = "GET"

    @property
    def place(self) -> str:
        """The path without its query."""
        return urlsplit(self.path).path

    @property
    def venue(self) -> str:
        """The venue asked for (`?venue=`), "" for the first."""
        return parse_qs(urlsplit(self.path).query).get("venue", [""])[0]


class Answer(Struct, frozen=True):
    """An HTTP response."""

    status: HTTPStatus
    headers: dict[str, str]
    body: bytes


class Pages:
    """What a feed serves besides its socket. health: the document of /healthz, and whether all is well."""

    def __init__(
        self, hubs: Mapping[str, Hub], assets: Assets, mode: str, health: Callable[[], tuple[bool, Fields]]
    ) -> None:
        self._hubs, self._assets, self._mode, self._health = hubs, assets, mode, health
        self._venues: dict[str, bytes] = {name: encode(venue_document(hub.venue)) for name, hub in hubs.items()}
        self._always = {
            "Content-Security-Policy": assets.policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    def answer(self, request: Request) -> Answer:
        """The answer to a request for anything but the socket."""
        if request.method not in {"GET", "HEAD"}:
            no = "this address is only read; commands are given on the socket /feed"
            answer = self.refuse(HTTPStatus.METHOD_NOT_ALLOWED, no)
            return Answer(answer.status, answer.headers | {"Allow": "GET, HEAD"}, answer.body)
        found = self._get(request)
        return Answer(found.status, found.headers, b"") if request.method == "HEAD" else found

    def _get(self, request: Request) -> Answer:
        match request.place:
            case "/healthz":
                well, document = self._health()
                status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
                return self._answer(status, encode(document), JSON, {"Cache-Control": "no-store"})
            case "/metrics":
                return self._answer(
                    HTTPStatus.OK, metrics.render(), metrics.CONTENT_TYPE, {"Cache-Control": "no-store"}
                )
            case "/api/state" | "/api/venue":
                return self._document(request)
            case _:
                return self._file(request)

    def refuse(self, status: HTTPStatus, reason: str) -> Answer:
        """An answer that says no, and why, in plain text."""
        return self._answer(status, f"{reason}\n".encode(), "text/plain; charset=utf-8", {})

    def _document(self, request: Request) -> Answer:
        hub = self._hubs.get(request.venue or next(iter(self._hubs)))
        if hub is None:
            known = ", ".join(self._hubs)
            return self.refuse(HTTPStatus.NOT_FOUND, f"there is no venue {request.venue!r} here; there are: {known}")
        if not self._health()[0]:
            return self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the feed is still loading: ask again in a moment")
        if request.place == "/api/venue":
            # Whether a venue is simulated is known from its file, or from the first finding that says so.
            body = self._venues[hub.venue.id]
            if hub.simulated != hub.venue.simulated:
                body = encode(venue_document(hub.venue) | {"simulated": hub.simulated})
        else:
            body = encode(state_document(hub, self._mode))
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        return self._cached(request, body, JSON, etag)

    def _file(self, request: Request) -> Answer:
        asset = self._assets.find(request.place)
        if asset is None:
            return self.refuse(HTTPStatus.NOT_FOUND, "there is nothing here; the screens are at /")
        if asset.zipped is not None and _accepts_gzip(request.headers.get("accept-encoding", "")):
            headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            return self._cached(request, asset.zipped, asset.content_type, asset.etag[:-1] + '-gz"', headers)
        headers = {"Vary": "Accept-Encoding"} if asset.zipped is not None else {}
        return self._cached(request, asset.body, asset.content_type, asset.etag, headers)

    def _cached(
        self, request: Request, body: bytes, content_type: str, etag: str, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A 304 for whoever has this very content. `no-cache` means: keep it, but ask."""
        more = {"ETag": etag, "Cache-Control": "no-cache", **(headers or {})}
        held = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
        if etag in held or "*" in held:
            return Answer(HTTPStatus.NOT_MODIFIED, self._always | more, b"")
        return self._answer(HTTPStatus.OK, body, content_type, more)

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str, more: Mapping[str, str]) -> Answer:
        named = {"Content-Type": content_type, "Content-Length": str(len(body))}
        return Answer(status, self._always | named | dict(more), body)


def _accepts_gzip(accepted: str) -> bool:
    for offer in accepted.lower().split(","):
        name, _, quality = offer.partition(";")
        if name.strip() in {"gzip", "*"} and quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}:
            return True
    return False


def state_document(hub: Hub, mode: str) -> Fields:
    """Everything as it stands, with the feed's own keys; `at` is when it last changed, milliseconds."""
    return {
        "venue": hub.venue.id,
        "epoch": hub.epoch,
        "seq": hub.seqs(),
        "at": hub.published_ms,
        "mode": mode,
        "simulated": hub.simulated,
        "kpi": hub.snapshot("kpi"),
        "zones": hub.snapshot("zones"),
        "queues": hub.snapshot("queues"),
        "sensors": hub.snapshot("sensors"),
        "alerts": list(hub.snapshot("alerts").values()),
    }


def venue_document(venue: Venue) -> Fields:
    """What is needed to draw a venue. Metres; names default to ids; addresses of devices stay here."""
    return {
        "id": venue.id,
        "name": venue.name,
        "timezone": venue.timezone,
        "simulated": venue.simulated,
        "capacity": venue.capacity,
        "floors": _named(venue.floors),
        "zones": _named(venue.zones),
        "portals": _named(venue.portals),
        "counters": {name: {"portal": c.portal, "towards": c.towards} for name, c in venue.counters.items()},
        "receivers": {name: {"zone": r.zone, "at": r.at} for name, r in venue.receivers.items()},
        "queues": {
            name: {"name": q.name or name, "zone": q.zone, "desks": q.desks} for name, q in venue.queues.items()
        },
        "rules": _named(venue.rules),
        "hours": msgspec.to_builtins(venue.hours),
    }


def _named(things: Mapping[str, Struct]) -> Fields:
    return {
        name: fields | {"name": fields.get("name") or name}
        for name, thing in things.items()
        if (fields := msgspec.to_builtins(thing)) is not None
    }
