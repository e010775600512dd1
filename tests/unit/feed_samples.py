"""A small venue, findings and clients for the tests of the feed."""

from typing import Any

import msgspec

from flowmon.feed.hub import Hub
from flowmon.feed.messages import Where
from flowmon.feed.orders import Identity
from flowmon.feed.session import About, Session
from flowmon.findings import EpisodeChanged, EpisodeState, Finding, Published, QueueState, ZoneState
from flowmon.venue.model import Counter, Floor, Point, Portal, Queue, Receiver, Rule, Venue, Zone

_SQUARE: list[Point] = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
T0 = 1_800_000_000.0
T0_MS = 1_800_000_000_000


def venue(name: str = "museum", *, simulated: bool = False) -> Venue:
    """Two floors, three zones, a queue, a counter, a receiver and a rule."""
    return Venue(
        id=name,
        name=name.title(),
        timezone="Europe/Paris",
        simulated=simulated,
        floors={"ground": Floor(outline=_SQUARE), "first": Floor(outline=_SQUARE, order=1)},
        zones={
            "foyer": Zone(floor="ground", capacity=100, outline=_SQUARE, name="Foyer"),
            "hall": Zone(floor="ground", capacity=50, outline=_SQUARE),
            "attic": Zone(floor="first", capacity=20, outline=_SQUARE),
        },
        portals={
            "door": Portal(between=("outside", "foyer")),
            "arch": Portal(between=("foyer", "hall")),
            "stairs": Portal(between=("foyer", "attic")),
        },
        counters={"ctr-1": Counter(portal="stairs", towards="attic")},
        receivers={"rx-1": Receiver(zone="hall", at=(1.0, 1.0))},
        queues={"tickets": Queue(zone="foyer", desks=2)},
        rules={"zone-full": Rule(watches="zone", severity="critical")},
    )


def zone(name: str = "foyer", people: float | None = 10.0, at: float = T0, **more: Any) -> ZoneState:
    low = 0.0 if people is None else people - 1
    return ZoneState(at=at, zone=name, occupancy=people, lo=low, hi=low + 2, capacity=100, **more)


def queue(length: float = 5.0, at: float = T0) -> QueueState:
    return QueueState(at=at, queue="tickets", length=length, lo=length, hi=length, wait_p50_s=61.26)


def episode(
    name: str = "full.1", revision: int = 1, state: EpisodeState = "UNACK", at: float = T0, **more: Any
) -> EpisodeChanged:
    fields: dict[str, Any] = {"rule": "zone-full", "subject": "foyer", "text": "over_limit", "severity": "critical"}
    return EpisodeChanged(at=at, episode=name, revision=revision, state=state, raised_at=T0, **(fields | more))


class Names:
    """Gives findings the names an engine would."""

    def __init__(self, venue_name: str = "museum") -> None:
        self.venue, self.offset = venue_name, -1

    def __call__(self, *findings: Finding) -> list[Published]:
        self.offset += 1
        return [Published(self.venue, self.offset, index, finding) for index, finding in enumerate(findings)]


class Screen:
    """A client as a browser would be: merges what it is told, checks that nothing is missing."""

    def __init__(self) -> None:
        self.state: dict[str, dict[str, dict[str, Any]]] = {}
        self.seq: dict[str, int] = {}
        self.epoch: dict[str, str] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.others: list[dict[str, Any]] = []

    def hear(self, data: bytes) -> dict[str, Any]:
        said: dict[str, Any] = msgspec.json.decode(data)
        channel = said.get("ch", "")
        match said["t"]:
            case "snap":
                if not said.get("partial"):
                    self.state[channel] = {}
                self._merge(channel, said["z"])
                self.seq[channel], self.epoch[channel] = said["seq"], said.get("epoch", "")
            case "delta":
                assert said["from"] == self.seq[channel] + 1, (said, self.seq)
                assert said["to"] >= said["from"]
                self._merge(channel, said["z"])
                self.seq[channel] = said["to"]
            case "ev":
                assert said["seq"] > self.seq.get(channel, 0)
                self.seq[channel] = said["seq"]
                self.events.setdefault(channel, []).append(said)
            case _:
                self.others.append(said)
        return said

    def _merge(self, channel: str, changes: dict[str, Any]) -> None:
        held = self.state.setdefault(channel, {})
        for key, fields in changes.items():
            if fields is None:
                held.pop(key, None)
                continue
            item = held.setdefault(key, {})
            for name, value in fields.items():
                if value is None:
                    item.pop(name, None)
                else:
                    item[name] = value


def known(hub: Hub, channel: str, **where: Any) -> dict[str, dict[str, Any]]:
    """What a screen must know of a channel: the hub's snapshot without what is unknown."""
    held = hub.snapshot(channel, Where(**where))
    return {key: {n: v for n, v in fields.items() if v is not None} for key, fields in held.items()}


class Line:
    """A session without a socket: time moves when told to."""

    def __init__(
        self, *hubs: Hub, role: str = "manager", now: float = 100.0, token: str = "", hello: bool = True
    ) -> None:
        self.now = now
        self.screen = Screen()
        who = Identity(role, "dupont")  # type: ignore[arg-type]
        named = {hub.venue.id: hub for hub in hubs}
        identify = (lambda said: who if said == token else None) if token else (lambda _: who)
        self.session = Session("s1", named, hubs[0].venue.id, identify, now, About())
        if hello:
            self.say(t="hello", v=1, token=token)

    def say(self, **message: Any) -> list[dict[str, Any]]:
        """Send a message; returns what is heard at once."""
        return self.say_raw(msgspec.json.encode(message).decode())

    def say_raw(self, data: str | bytes) -> list[dict[str, Any]]:
        self.session.receive(data, self.now, T0_MS)
        return self.hear()

    def hear(self) -> list[dict[str, Any]]:
        heard = []
        while messages := self.session.drain(self.now, T0_MS):
            heard += [self.screen.hear(message) for message in messages]
        return heard

    def after(self, seconds: float) -> list[dict[str, Any]]:
        self.now += seconds
        return self.hear()

    @property
    def code(self) -> int | None:
        return self.session.closing.code if self.session.closing else None
