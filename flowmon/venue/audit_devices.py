"""What watches the plan audited: counters, receivers, queues, rules and routes."""

import re
from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

from flowmon.venue.audit_plan import unknown
from flowmon.venue.model import Problem, Route, Rule, Venue
from flowmon.venue.outline import contains
from flowmon.venue.shape import join

K = TypeVar("K", bound=Hashable)

DESKS_MAX = 1_000
SILENT_MAX_S = 7 * 86_400.0
PATH_MAX = 200
_LEVEL = re.compile(r"\+|(?!\.{1,2}$)[A-Za-z0-9._~:@!$-]+")


def devices(venue: Venue, doubted: frozenset[str]) -> Iterator[Problem]:
    """Problems of counters, receivers, queues, rules and routes. doubted: paths that stand in for something."""
    yield from _counters(venue, doubted)
    yield from _receivers(venue, doubted)
    yield from _shared_names(venue)
    yield from _queues(venue, doubted)
    for name, rule in venue.rules.items():
        yield from _rule(venue, rule, join("rules", name))
    yield from _routes(venue)


def _counters(venue: Venue, doubted: frozenset[str]) -> Iterator[Problem]:
    for name, counter in venue.counters.items():
        path = join("counters", name)
        portal = venue.portals.get(counter.portal)
        if portal is None:
            if "portals" not in doubted:
                yield unknown(join(path, "portal"), counter.portal, list(venue.portals), "portal")
        elif counter.towards not in portal.between and "" not in portal.between:
            message = f"portal {counter.portal} does not lead to {counter.towards!r:.80}"
            hint = f"use the zone that forward crossings enter: {portal.between[0]} or {portal.between[1]}"
            yield Problem(path=join(path, "towards"), message=message, hint=hint)
        if not 0.5 <= counter.sees <= 1.2:
            hint = "write the share of people it counts, like 0.95; leave it out where nobody compared"
            yield Problem(path=join(path, "sees"), message=f"{counter.sees:g} is out of 0.5 to 1.2", hint=hint)
        yield from _patience(counter.silent_after_s, path)
        yield from _named(counter.device, path)
    lines = (
        (name, (counter.device or name, line))
        for name, counter in venue.counters.items()
        for line in (counter.line, counter.backward_line)
        if line
    )
    for name, (device, line), first in _repeated(lines):
        message = f"line {line} of device {device} is counter {first} already"
        hint = "one line of one device is one counter, or everybody counts twice; give the other line or device"
        yield Problem(path=join(join("counters", name), "device"), message=message, hint=hint)
    portals = ((name, counter.portal) for name, counter in venue.counters.items() if counter.portal in venue.portals)
    for name, portal_name, first in _repeated(portals):
        message = f"counter {first} counts portal {portal_name} too"
        hint = "they are averaged, as both see the same people; if each sees its own half, draw two portals"
        path = join(join("counters", name), "portal")
        yield Problem(path=path, message=message, hint=hint, severity="warning")


def _receivers(venue: Venue, doubted: frozenset[str]) -> Iterator[Problem]:
    for name, receiver in venue.receivers.items():
        path = join("receivers", name)
        zone = venue.zones.get(receiver.zone)
        if zone is None:
            if "zones" not in doubted:
                yield unknown(join(path, "zone"), receiver.zone, list(venue.zones), "zone")
        elif len(zone.outline) >= 3 and not contains(zone.outline, receiver.at):
            hint = "check its place, or name the zone it hangs in"
            message = f"is outside zone {receiver.zone}"
            yield Problem(path=join(path, "at"), message=message, hint=hint, severity="warning")
        yield from _patience(receiver.silent_after_s, path)
        yield from _named(receiver.device, path)
    names = ((name, receiver.device or name) for name, receiver in venue.receivers.items())
    for name, device, first in _repeated(names):
        message = f"device {device} is receiver {first} already"
        hint = "each receiver has its own device name; give this one's"
        yield Problem(path=join(join("receivers", name), "device"), message=message, hint=hint)


def _shared_names(venue: Venue) -> Iterator[Problem]:
    counting = {counter.device or name: name for name, counter in venue.counters.items()}
    for name, receiver in venue.receivers.items():
        device = receiver.device or name
        if device in counting:
            message = f"device {device} is counter {counting[device]} already"
            hint = "a counter and a receiver need different device names, or their health is mixed up"
            yield Problem(path=join(join("receivers", name), "device"), message=message, hint=hint)


def _repeated(pairs: Iterable[tuple[str, K]]) -> Iterator[tuple[str, K, str]]:
    first: dict[K, str] = {}
    for name, key in pairs:
        if key in first:
            yield name, key, first[key]
        else:
            first[key] = name


def _patience(seconds: float, path: str) -> Iterator[Problem]:
    if not 1.0 <= seconds <= SILENT_MAX_S:
        hint = "seconds without a word before it is called silent: 1 to 604800 (a week)"
        yield Problem(path=join(path, "silent_after_s"), message=f"{seconds:g} is out of range", hint=hint)


def _named(device: str, path: str) -> Iterator[Problem]:
    if len(device) > 200 or not device.isprintable():
        hint = "copy the serial number or name from the device, at most 200 characters"
        yield Problem(path=join(path, "device"), message="cannot be a device name", hint=hint)


def _queues(venue: Venue, doubted: frozenset[str]) -> Iterator[Problem]:
    for name, queue in venue.queues.items():
        path = join("queues", name)
        if queue.zone not in venue.zones and "zones" not in doubted:
            yield unknown(join(path, "zone"), queue.zone, list(venue.zones), "zone")
        if not 1 <= queue.desks <= DESKS_MAX:
            hint = f"how many service points it can have, 1 to {DESKS_MAX}; closed ones are told by desks_open"
            yield Problem(path=join(path, "desks"), message=f"is {queue.desks}", hint=hint)
        yield from _named(queue.device, path)
    for name, zone, first in _repeated((name, queue.zone) for name, queue in venue.queues.items()):
        message = f"zone {zone} already holds queue {first}"
        hint = "one queue per zone, or nobody can tell their people apart; cut the zone in two"
        path = join(join("queues", name), "zone")
        yield Problem(path=path, message=message, hint=hint, severity="warning")


def _rule(venue: Venue, rule: Rule, path: str) -> Iterator[Problem]:
    if rule.watches != "device":
        if rule.above <= 0:
            hint = "a fraction of the capacity (0.9 = 90 %), or minutes for a queue"
            yield Problem(path=join(path, "above"), message=f"{rule.above:g} is not above zero", hint=hint)
        if not 0 <= rule.clear < rule.above:
            message = f"{rule.clear:g} is not below above = {rule.above:g}, or is negative"
            hint = "clear under the limit that raises, or the alert flickers; e.g. above = 1.0, clear = 0.9"
            yield Problem(path=join(path, "clear"), message=message, hint=hint)
        if rule.watches != "queue" and rule.above > 10:
            hint = "it is a fraction: 0.9 means 90 %"
            message = f"{rule.above:g} times the capacity is never reached"
            yield Problem(path=join(path, "above"), message=message, hint=hint, severity="warning")
    for field in ("hold_s", "clear_hold_s"):
        seconds = getattr(rule, field)
        if not 0 <= seconds <= 86_400:
            hint = "seconds that it must hold before the alert changes: 0 to 86400"
            yield Problem(path=join(path, field), message=f"{seconds:g} is out of range", hint=hint)
    subjects = _subjects(venue)[rule.watches]
    for n, name in enumerate(rule.only):
        if name not in subjects:
            path_n = f"{join(path, 'only')}[{n}]"
            if rule.watches in {"zone", "queue"}:
                yield unknown(path_n, name, subjects, rule.watches)
            else:
                hint = f"use some of {', '.join(subjects[:20])}, or leave `only` out for all"
                yield Problem(path=path_n, message=f"there is no {rule.watches} {name!r:.80}", hint=hint)


def _subjects(venue: Venue) -> dict[str, list[str]]:
    return {
        "zone": list(venue.zones),
        "venue": [venue.id],
        "queue": list(venue.queues),
        "device": [*venue.counters, *venue.receivers],
    }


def _routes(venue: Venue) -> Iterator[Problem]:
    for n, route in enumerate(venue.routes):
        path = f"routes[{n}]"
        if bool(route.topic) == bool(route.path):
            message = "has a topic and a path" if route.topic else "has neither topic nor path"
            hint = "topic for what an MQTT broker brings, path for what is posted by HTTP; two routes for both"
            yield Problem(path=f"{path}.topic", message=message, hint=hint)
        elif route.path:
            yield from _posted(route, path)
        else:
            yield from _published(route, path)
        if not route.dialect:
            yield Problem(path=f"{path}.dialect", message="is empty", hint="name one, like native or xovis")
    for field in ("topic", "path"):
        given = ((str(n), getattr(route, field)) for n, route in enumerate(venue.routes))
        for name, value, first in _repeated((n, value) for n, value in given if value):
            message = f"{value!r:.80} is routes[{first}] already"
            hint = "only the first would ever be used; remove one"
            yield Problem(path=f"routes[{name}].{field}", message=message, hint=hint)


def _published(route: Route, path: str) -> Iterator[Problem]:
    if not _is_filter(route.topic):
        hint = "an MQTT filter: + stands for one whole level, # for the rest at the end, like xovis/+/logics"
        yield Problem(path=f"{path}.topic", message=f"{route.topic!r:.80} is no topic filter", hint=hint)
    if route.auth:
        hint = "only a route with a path is posted to; the MQTT broker has its own users"
        yield Problem(path=f"{path}.auth", message="means nothing for a topic", hint=hint)


def _posted(route: Route, path: str) -> Iterator[Problem]:
    if not _is_path(route.path):
        hint = "the URL's path without its first slash: letters, digits, -._~:@!$ and slashes, + for one whole level"
        yield Problem(path=f"{path}.path", message=f"{route.path!r:.80} is no path", hint=hint)
    if not route.auth:
        hint = (
            "basic, bearer or digest, with its secret in the file FLOWMON_HTTP_SECRETS names; none trusts the network"
        )
        yield Problem(path=f"{path}.auth", message="is missing: whoever posts must prove who it is", hint=hint)
    if route.auth == "none":
        hint = "use basic, bearer or digest, or keep the network to the devices alone"
        message = f"whoever reaches {route.path!r:.80} can send counts"
        yield Problem(path=f"{path}.auth", message=message, hint=hint, severity="warning")


def _is_path(path: str) -> bool:
    return len(path) <= PATH_MAX and all(_LEVEL.fullmatch(level) for level in path.split("/"))


def _is_filter(topic: str) -> bool:
    levels = topic.split("/")
    return (
        0 < len(topic.encode()) <= 65_535
        and topic.isprintable()
        and all(level in {"+", "#"} or not set(level) & {"+", "#"} for level in levels)
        and "#" not in levels[:-1]
    )
