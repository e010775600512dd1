"""Facts: what happened. The only input of the core, and the only content of the journal.

Times are seconds since the epoch, UTC. `at` is when it happened (device clock), `seen` when the gateway got it.
A fact is identified by `(source, identity(fact))`: the same identity twice is the same fact told twice.
Facts are tolerant on the wire: unknown fields are ignored, an unknown `type` is a reject, never a crash.
"""

from typing import Literal

from msgspec import Struct

CountKind = Literal["event", "window", "cumulative"]
DeviceHealth = Literal["online", "offline", "fault"]
#: The source of what the gateway says of itself.
GATEWAY = "gateway"


class FactBase(Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True, gc=False):
    """What every fact says of itself.

    source: the device, person or component that says so (`ctr-01`, `user:dupont`, `ticker`).
    seq: the source's own running number, where it has one (restarts are allowed: identity includes `at`).
    historical: told long after it happened (a device's memory); corrects history, never the live number.
    """

    at: float
    source: str
    seen: float = 0.0
    seq: int = -1
    simulated: bool = False
    historical: bool = False


class Count(FactBase, frozen=True, kw_only=True, tag="count", gc=False):
    """People counted across a line, in one of three kinds that must never be mixed.

    event: `forward`/`backward` crossings happened at `at`.
    window: crossings between `start` and `end`; `complete` is the share of the window that was observed (0..1).
    cumulative: a register as it stands at `at`; only intake turns registers into crossings.
    """

    counter: str
    kind: CountKind
    forward: int = 0
    backward: int = 0
    line: str = "1"
    start: float = 0.0
    end: float = 0.0
    complete: float = 1.0


class ZoneCount(FactBase, frozen=True, kw_only=True, tag="zone_count", gc=False):
    """People a sensor saw standing in an area at `at` (a state, not a flow)."""

    zone: str
    people: int


class QueueReading(FactBase, frozen=True, kw_only=True, tag="queue_reading", gc=False):
    """A sensor that measures a queue itself: people waiting, and the mean wait of those who left, in seconds."""

    queue: str
    length: int | None = None
    wait_s: float | None = None
    outflow: int | None = None
    start: float = 0.0
    end: float = 0.0


class Sighting(FactBase, frozen=True, kw_only=True, tag="sighting", gc=False):
    """A receiver heard a beacon once. `beacon` is a keyed token made in the gateway, never a raw address."""

    beacon: str
    receiver: str
    rssi_dbm: float


class Presence(FactBase, frozen=True, kw_only=True, tag="presence", gc=False):
    """A beacon is believed in a zone with `probability` until `expires`, when silence means it left."""

    beacon: str
    zone: str
    probability: float
    expires: float


class Served(FactBase, frozen=True, kw_only=True, tag="served", gc=False):
    """People served at a desk of a queue. `waited_s` where the desk knows it."""

    queue: str
    desk: str = ""
    people: int = 1
    waited_s: float | None = None


class DesksOpen(FactBase, frozen=True, kw_only=True, tag="desks_open", gc=False):
    """How many desks of a queue are open from `at` on."""

    queue: str
    desks: int


class DeviceStatus(FactBase, frozen=True, kw_only=True, tag="device_status", gc=False):
    """A device's word about itself: heartbeat, last will, or fault with a reason. `source` is the device.

    serial: of its hardware, where `source` names the place and not the box. replaced: another box hangs there now.
    messages, rejected, worst: only the gateway's (source `gateway`): messages of the last minute, how many of them were
    refused, and the commonest reason in its fixed words, at most 100 characters.
    """

    health: DeviceHealth
    reason: str = ""
    firmware: str = ""
    battery: float | None = None
    serial: str = ""
    replaced: bool = False
    messages: int = 0
    rejected: int = 0
    worst: str = ""


class Tick(FactBase, frozen=True, kw_only=True, tag="tick", gc=False):
    """Time itself, written once a second by whoever leads. `seq` counts ticks. The only clock of the core."""


class Recounted(FactBase, frozen=True, kw_only=True, tag="recounted", gc=False):
    """A person counted the people in a zone. `command` is the idempotency key of the request."""

    zone: str
    people: int
    by: str
    command: str = ""
    note: str = ""


class Acknowledged(FactBase, frozen=True, kw_only=True, tag="acknowledged", gc=False):
    """A person took an episode over, having seen its `revision`."""

    episode: str
    revision: int
    by: str
    command: str = ""
    note: str = ""


class Shelved(FactBase, frozen=True, kw_only=True, tag="shelved", gc=False):
    """A person put an episode aside until `until`, with a reason."""

    episode: str
    revision: int
    by: str
    until: float
    reason: str
    command: str = ""


class RuleChanged(FactBase, frozen=True, kw_only=True, tag="rule_changed", gc=False):
    """A person moved a rule's limits while the venue is running."""

    rule: str
    above: float
    clear: float
    by: str
    command: str = ""


class Booked(FactBase, frozen=True, kw_only=True, tag="booked", gc=False):
    """Tickets sold so far for the slot from `start` to `end`."""

    people: int
    start: float
    end: float


class Interaction(FactBase, frozen=True, kw_only=True, tag="interaction", gc=False):
    """A label, audio guide or screen was consulted in a zone."""

    zone: str
    item: str


Fact = (
    Count
    | ZoneCount
    | QueueReading
    | Sighting
    | Presence
    | Served
    | DesksOpen
    | DeviceStatus
    | Tick
    | Recounted
    | Acknowledged
    | Shelved
    | RuleChanged
    | Booked
    | Interaction
)

#: What the gateway may put into a venue's journal: everything but sightings, which have a topic of their own.
Record = list[Fact]


def identity(fact: Fact) -> str:
    """The natural identity of a fact within its source: equal identities are one fact told twice.

    Where the source numbers its messages the number and the time are enough (a restarted device reuses
    numbers, not times). Otherwise it is the measurement itself. Commands carry their own idempotency key.

    >>> identity(Count(at=5.0, source="ctr-01", seq=7, counter="ctr-01", kind="event", forward=1))
    'count|1|7|5.0'
    """
    match fact:
        case Count(kind="window"):
            return f"window|{fact.line}|{fact.start}|{fact.end}"
        case Count(seq=-1):
            return f"{fact.kind}|{fact.line}|{fact.at}|{fact.forward}|{fact.backward}"
        case Count():
            return f"count|{fact.line}|{fact.seq}|{fact.at}"
        case Recounted() | Acknowledged() | Shelved() | RuleChanged() if fact.command:
            return f"command|{fact.command}"
        case Presence():
            return f"presence|{fact.beacon}|{fact.zone}|{fact.at}"
        case Sighting():
            return f"sighting|{fact.beacon}|{fact.receiver}|{fact.at}"
        case ZoneCount():
            return f"zone|{fact.zone}|{fact.at}"
        case QueueReading():
            return f"queue|{fact.queue}|{fact.at}"
        case Served() | DesksOpen():
            return f"desk|{fact.queue}|{fact.seq}|{fact.at}"
        case _:
            return f"{type(fact).__name__}|{fact.seq}|{fact.at}"
