"""Who speaks what: facts of simulated devices to the messages that such devices send. Pure.

A device speaks the dialect that its counter or receiver names in the venue file, any that can be written. What its
format cannot carry is told as a real device of the family would: two people counted at once one after the other,
registers that wrap at 16 bits, a window cut short without saying so, and its health in our own dialect. Who only
posts over HTTP is heard on the MQTT topic of the venue's route for its dialect.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import structs

from flowmon.errors import FlowmonError, Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, Sighting
from flowmon.venue.model import Counter, Route, Venue
from sensors.dialects import DIALECTS
from sensors.dialects.port import Dialect, Message, Outgoing
from sensors.routes import matches

WRAP = 1 << 16
_BUILT_IN = ("native", "espresense")  # gateways listen to their topics without a route
_TOKEN = "tok-" + 20 * "0"


class Speakers:
    """The voices of a venue's devices. dialects: device -> the dialect it speaks.

    Raises FlowmonError for a device whose dialect is not known or not spoken, cannot tell the kind of count that its
    counter is credited with, or is heard on no MQTT topic of the venue's routes.
    """

    def __init__(self, venue: Venue, dialects: Mapping[str, Dialect] = DIALECTS) -> None:
        self._venue = venue.id
        self._known = dialects
        self._routes = [route for route in venue.routes if route.topic]
        self._beats: dict[str, str] = {}
        self.dialects: dict[str, str] = {}
        for name, counter in venue.counters.items():
            device = counter.device or name
            self._learn(f"counters.{name}", device, counter.dialect, counted(counter, device))
        for name, receiver in venue.receivers.items():
            device = receiver.device or name
            heard = Sighting(at=1e9, source=device, receiver=device, beacon=_TOKEN, rssi_dbm=-60.0, simulated=True)
            self._learn(f"receivers.{name}", device, receiver.dialect, [heard])
        for device, dialect in self.dialects.items():
            status = DeviceStatus(at=1e9, source=device, simulated=True, health="online", firmware="1")
            self._beats[device] = dialect if self._tries(dialect, device, [status]) else "native"

    def messages(self, facts: Iterable[Fact]) -> Iterator[Outgoing]:
        """The messages that tell these facts, in order; neighbours of one device share a message."""
        for (device, dialect), told in itertools.groupby(facts, self._speaker):
            # Only a device whose every word is in our dialect may leave a word behind in the broker.
            lasting = dialect == "native" and self._beats.get(device, "native") == "native"
            for topic, payload, retain in self._said(dialect, device, list(told)):
                yield topic, payload, retain and lasting

    def _speaker(self, fact: Fact) -> tuple[str, str]:
        dialect = self.dialects.get(fact.source, "native")
        if isinstance(fact, DeviceStatus):
            # Words like `offline` alone, or kept by the broker, cannot be marked simulated: they are told in ours.
            dialect = self._beats.get(fact.source, "native") if fact.health == "online" else "native"
        return fact.source, dialect

    def _said(self, dialect: str, device: str, facts: Sequence[Fact]) -> list[Outgoing]:
        speaker = self._known[dialect]
        try:
            sent = speaker.encode(facts, venue=self._venue, device=device)
        except ValueError:
            told = [said for fact in facts for said in sayable(speaker, fact, venue=self._venue, device=device)]
            sent = speaker.encode(told, venue=self._venue, device=device)
        messages = []
        for topic, payload, retain in sent:
            heard = self._topic(topic, dialect, device)
            if heard is None:
                raise FlowmonError(
                    f"{device} speaks {dialect} on {topic}, and no route listens there: "
                    f'add [[routes]] with topic = "{topic}" and dialect = "{dialect}"'
                )
            messages.append((heard, payload, retain))
        return messages

    def _topic(self, topic: str, dialect: str, device: str) -> str | None:
        """Where such a message is listened to: its own topic, or else the one of a route for the dialect."""
        if dialect in _BUILT_IN:
            return topic
        routes = [r for r in self._routes if r.dialect == dialect and r.device in {"", device}]
        if any(matches(route.topic, topic) for route in routes):
            return topic
        return next((_named(route, device) for route in routes), None)

    def _learn(self, path: str, device: str, dialect: str, facts: Sequence[Fact]) -> None:
        if dialect not in self._known:
            raise FlowmonError(f"{path}: no dialect {dialect!r}; known are {', '.join(self._known)}")
        try:
            for topic, payload, retain in self._said(dialect, device, facts):
                self._known[dialect].decode(Message(topic, payload, seen=1e9, retained=retain), device)
        except Undecodable as error:
            raise FlowmonError(
                f"{path}: nobody would understand {dialect} on the topic of its route, because the topic is a part of "
                f"the message ({error}): let the route listen to a topic of the family's own shape"
            ) from error
        except ValueError as error:
            kinds = ", ".join(self._known[dialect].FAMILY.kinds)
            raise FlowmonError(
                f"{path}: a simulated device cannot tell this in {dialect}, which tells {kinds}: "
                f"set credit, line or dialect ({error})"
            ) from error
        except FlowmonError as error:
            raise FlowmonError(f"{path}: {error}") from error
        self.dialects[device] = dialect

    def _tries(self, dialect: str, device: str, facts: Sequence[Fact]) -> bool:
        try:
            return bool(self._said(dialect, device, facts))
        except (ValueError, FlowmonError):
            return False


def counted(counter: Counter, device: str) -> list[Fact]:
    """A report of a counter as simulated devices make it, to see whether it can be told."""
    told = {"source": device, "counter": device, "seq": 2, "simulated": True}
    match counter.credit:
        case "event":
            ways = [(1, 0)] if counter.backward_line else [(1, 0), (0, 1)]
            return [
                Count(at=1e9, kind="event", line=counter.line, forward=into, backward=out, **told)  # type: ignore[arg-type]
                for into, out in ways
            ]
        case "window":
            out = 0 if counter.backward_line else 1
            window = Count(
                at=1e9, kind="window", line=counter.line, start=1e9 - 60, end=1e9, forward=1, backward=out, **told  # type: ignore[arg-type]
            )  # fmt: skip
            return [window]
        case _:
            out = 0 if counter.backward_line else 1
            return [Count(at=1e9, kind="cumulative", line=counter.line, forward=1, backward=out, **told)]  # type: ignore[arg-type]


def sayable(speaker: Dialect, fact: Fact, *, venue: str, device: str) -> list[Fact]:
    """The fact as a device of this family can tell it. Raises ValueError when it cannot tell it in any way."""
    first: ValueError | None = None
    for facts in _ways(fact):
        try:
            for said in facts:
                speaker.encode([said], venue=venue, device=device)
        except ValueError as error:
            first = first or error
        else:
            return facts
    raise first or ValueError(f"{device} cannot tell {fact!r:.200}")


def _ways(fact: Fact) -> Iterator[list[Fact]]:
    """The same fact in other words, the plainest first."""
    yield [fact]
    match fact:
        case Count(kind="event"):
            # A track is one person, and its number is even for who goes forward.
            yield [
                structs.replace(fact, seq=2 * (4 * fact.seq + n) + out, forward=1 - out, backward=out)
                for out, people in enumerate((fact.forward, fact.backward))
                for n in range(people)
            ]
        case Count(kind="window") if fact.complete < 1:
            yield [structs.replace(fact, complete=1.0)]
        case Count(kind="cumulative"):
            yield [structs.replace(fact, forward=fact.forward % WRAP, backward=fact.backward % WRAP)]
        case _:
            pass


def _named(route: Route, device: str) -> str:
    """A topic that a route's filter matches, with the device where it is named: at the last `+`, or after it."""
    levels = route.topic.split("/")
    if levels[0] == "$share":
        levels = levels[2:]
    if levels[-1] == "#":
        levels[-1] = device
    elif "+" in levels:
        last = len(levels) - 1 - levels[::-1].index("+")
        levels[last] = device
    return "/".join("simulator" if level == "+" else level for level in levels)
