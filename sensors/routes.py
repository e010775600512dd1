"""Which venue, dialect and device a topic or an HTTP path belongs to. Pure; built once from the venue files."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from flowmon.errors import FlowmonError, Undecodable
from flowmon.venue.model import Auth, Route, Venue
from sensors.dialects import DIALECTS, bodies, native
from sensors.dialects.port import Dialect, Message

_ESPRESENSE = ("espresense/devices/#", "espresense/rooms/+/status", "espresense/rooms/+/telemetry")


class Origin(Struct, frozen=True):
    """Where a message comes from. device: "" when only the payload can tell."""

    venue: str
    dialect: str
    device: str = ""


class Posted(Struct, frozen=True):
    """What an HTTP path leads to. path: as the route writes it, `+` and all; it names the route's secret."""

    path: str
    auth: Auth
    origin: Origin


class Routes:
    """The topics of some venues: our own and ESPresense's rooms first, then the routes of the venue files in order.

    Where several venues' routes match, the one that has the named device wins. filters: of MQTT. posts: of HTTP.
    Raises FlowmonError when a route names an unknown dialect, two venues share a room name on one broker, or two
    share an HTTP path. dialects: what routes may name; mapping files beside a venue file are added to them.
    """

    def __init__(self, venues: Iterable[Venue], dialects: Mapping[str, Dialect] = DIALECTS) -> None:
        self.dialects = dialects
        self._venues: set[str] = set()
        self._rooms: dict[str, str] = {}
        self._devices: set[tuple[str, str]] = set()
        self._routes: list[tuple[list[str], Origin]] = []
        self.filters: list[str] = []
        self.posts: list[Posted] = []
        for venue in venues:
            self._add(venue)

    def _add(self, venue: Venue) -> None:
        self._venues.add(venue.id)
        self._listen(native.topics(venue.id))
        for route in venue.routes:
            if route.dialect not in self.dialects:
                known = ", ".join(self.dialects)
                raise FlowmonError(
                    f"venue {venue.id}: no dialect {route.dialect!r}; known are {known}, or name a mapping file (.toml)"
                )
            origin = Origin(venue.id, route.dialect, route.device)
            if route.path:
                self._add_post(route, origin)
            else:
                self._routes.append((_levels(route.topic), origin))
                self._listen(route.topic)
        for devices in (venue.counters, venue.receivers, venue.queues):
            self._devices |= {(venue.id, device.device or name) for name, device in devices.items()}
        for name, receiver in venue.receivers.items():
            if receiver.dialect == "espresense":
                self._add_room(receiver.device or name, venue.id)

    def _add_post(self, route: Route, origin: Origin) -> None:
        for known in self.posts:
            if known.path == route.path and "+" not in route.path:
                raise FlowmonError(
                    f"path {route.path!r} is posted to in venues {known.origin.venue} and {origin.venue}: give each "
                    "its own, e.g. with the venue in front"
                )
        self.posts.append(Posted(route.path, route.auth, origin))

    def _add_room(self, room: str, venue: str) -> None:
        if self._rooms.setdefault(room, venue) != venue:
            raise FlowmonError(
                f"receiver {room!r} is in venues {self._rooms[room]} and {venue}: its topics do not name a venue, so "
                "rename one, or give each venue its own broker"
            )
        for topic in _ESPRESENSE:
            self._listen(topic)

    def _listen(self, topic: str) -> None:
        if topic not in self.filters:
            self.filters.append(topic)

    def of(self, message: Message) -> Origin:
        """Who sent a message. Raises Undecodable when nobody we know did."""
        if not message.pushed:
            return self.origin(message.topic)
        if (found := self.posted(message.topic)) is None:
            raise _unknown("path of no route", message.topic)
        return found.origin

    def posted(self, path: str) -> Posted | None:
        """What an HTTP path (without its first slash) leads to, its device named; None when to nothing."""
        levels = path.split("/")
        if "" in levels or "+" in levels:
            return None
        found = [
            Posted(post.path, post.auth, _named_by(post.path.split("/"), levels, post.origin))
            for post in self.posts
            if _matches(post.path.split("/"), levels)
        ]
        owned = (post for post in found if (post.origin.venue, post.origin.device) in self._devices)
        return next(owned, found[0] if found else None)

    def origin(self, topic: str) -> Origin:
        """Who speaks on a topic. Raises Undecodable when nobody we know does."""
        levels = topic.split("/")
        if topic.startswith(f"{native.PREFIX}/"):
            if levels[2] not in self._venues:
                raise _unknown("topic of no venue here", levels[2])
            return Origin(levels[2], "native")
        if levels[0] == "espresense" and (room := _room(levels)) in self._rooms:
            return Origin(self._rooms[room], "espresense")
        if found := self._routed(levels):
            return found
        if levels[0] == "espresense":
            raise _unknown("room of no receiver, add one to the venue file", _room(levels))
        raise _unknown("topic of no route", topic)

    def _routed(self, levels: list[str]) -> Origin | None:
        found = [_named_by(pattern, levels, origin) for pattern, origin in self._routes if _matches(pattern, levels)]
        for origin in found:
            if origin.device and not bodies.fits(origin.device, bodies.NAME_MAX):
                raise _unknown("topic level that is no name of a device", origin.device)
        owned = (origin for origin in found if (origin.venue, origin.device) in self._devices)
        return next(owned, found[0] if found else None)


def _room(levels: list[str]) -> str:
    return levels[2] if levels[1:2] == ["rooms"] and len(levels) > 2 else levels[-1]


def _unknown(what: str, name: str) -> Undecodable:
    return Undecodable(f"{what}: {name[:100]!r}")


def _levels(topic: str) -> list[str]:
    levels = topic.split("/")
    return levels[2:] if levels[0] == "$share" else levels


def _named_by(pattern: list[str], levels: list[str], origin: Origin) -> Origin:
    """The last `+` of a filter stands where the device is named, unless the route names it."""
    if origin.device:
        return origin
    places = [place for place, level in enumerate(pattern) if level == "+"]
    return Origin(origin.venue, origin.dialect, levels[places[-1]]) if places else origin


def _matches(pattern: list[str], levels: list[str]) -> bool:
    """MQTT 5.0 §4.7: `+` is one level, `#` this level and all below, and neither matches a first `$…` level."""
    if levels[0].startswith("$") and pattern[0] in {"+", "#"}:
        return False
    for place, want in enumerate(pattern):
        if want == "#":
            return True
        if place >= len(levels) or want not in {"+", levels[place]}:
            return False
    return len(pattern) == len(levels)


def matches(topic_filter: str, topic: str) -> bool:
    """Whether an MQTT filter matches a topic.

    >>> matches("xovis/+/logics", "xovis/80:1F/logics"), matches("#", "$SYS/uptime"), matches("a/#", "a")
    (True, False, True)
    """
    return _matches(_levels(topic_filter), topic.split("/"))
