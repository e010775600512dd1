"""A venue as its file describes it: frozen values, no behaviour. Times of day are local to `timezone`."""

import hashlib
from typing import Literal

import msgspec
from msgspec import Struct

from flowmon.findings import Severity

Point = tuple[float, float]
Auth = Literal["none", "bearer", "basic", "digest", ""]
Profile = Literal["gallery", "queue", "hall"]


class Problem(Struct, frozen=True):
    """One thing wrong with a venue file: where (`zones.foyer.capacity`), what, and how to mend it."""

    path: str
    message: str
    hint: str
    file: str = ""
    severity: Literal["error", "warning"] = "error"


class Floor(Struct, frozen=True, forbid_unknown_fields=True):
    """A floor plan in metres; `order` sorts floors from the ground up."""

    outline: list[Point]
    name: str = ""
    order: int = 0


class Zone(Struct, frozen=True, forbid_unknown_fields=True):
    """A place people can be. capacity: most people allowed; outline: polygon on its floor, metres."""

    floor: str
    capacity: int
    outline: list[Point]
    name: str = ""
    profile: Profile = "gallery"


class Portal(Struct, frozen=True, forbid_unknown_fields=True):
    """An opening between exactly two zones (`outside` is one). `at` is where it is drawn, metres."""

    between: tuple[str, str]
    name: str = ""
    at: Point | None = None


class Counter(Struct, frozen=True, forbid_unknown_fields=True):
    """A people counter at a portal. `towards` is the zone that `forward` crossings enter.

    Counters that share a portal watch the same crossings and are averaged; two halves of a wide door are two portals.

    credit: which kind of count moves people, when a device sends several; exactly one per line.
    invert: the device hangs the other way round, its in is our backward. backward_line: the line of the same device
    whose forward counts are this counter's backward ones, where one line counts one direction only.
    silent_after_s: seconds without a word from the device before it is called silent.
    sees: share of the people it counts, as its commissioning test found (0.5 to 1.2); the product learns on from there.
    """

    portal: str
    towards: str
    line: str = "1"
    device: str = ""
    dialect: str = "native"
    credit: Literal["event", "window", "cumulative"] = "event"
    invert: bool = False
    backward_line: str = ""
    silent_after_s: float = 90.0
    sees: float = 1.0


class Receiver(Struct, frozen=True, forbid_unknown_fields=True):
    """A fixed Bluetooth receiver in a zone. `device` is the name it publishes under (default: its id).

    rack: it hangs at the charging rack or drawer; beacons that are next to it are carried by nobody.
    """

    zone: str
    at: Point
    device: str = ""
    dialect: str = "espresense"
    silent_after_s: float = 120.0
    rack: bool = False


class Heard(Struct, frozen=True, forbid_unknown_fields=True):
    """What a receiver hears of a beacon in a zone: median and spread (dBm, dB), share of seconds without a word."""

    zone: str
    receiver: str
    median_dbm: float
    spread_db: float
    silent: float


class Radio(Struct, frozen=True, forbid_unknown_fields=True):
    """How radio travels here. calibration: a file of `flowmon calibrate`, beside the venue file, whose rows `heard`
    are; without it the plan's distances and walls must do."""

    calibration: str = ""
    heard: list[Heard] = []


class Queue(Struct, frozen=True, forbid_unknown_fields=True):
    """People waiting in a zone for `desks` service points.

    device: the sensor that measures the queue itself, where there is one.
    """

    zone: str
    desks: int
    name: str = ""
    device: str = ""


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """When an episode is raised.

    watches `zone` or `venue`: occupancy / capacity above `above`; cleared below `clear` (0.9 = 90 %).
    watches `queue`: projected p90 wait in minutes. watches `device`: silent devices (limits unused).
    only: the subjects it applies to; empty means all of that kind.
    """

    watches: Literal["zone", "venue", "queue", "device"]
    severity: Severity
    above: float = 1.0
    clear: float = 0.9
    hold_s: float = 30.0
    clear_hold_s: float = 60.0
    only: list[str] = []
    name: str = ""


class Hours(Struct, frozen=True, forbid_unknown_fields=True):
    """Opening hours, `HH:MM` local; `days` are 0 (Monday) to 6."""

    opens: str
    closes: str
    days: list[int] = msgspec.field(default_factory=lambda: list(range(7)))


class Route(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which dialect is spoken on which MQTT topics, or by what is posted to which HTTP path: one of the two.

    topic: an MQTT filter, `+` and `#` allowed. path: of an HTTP URL without its first slash, `+` for one level; the
    last `+` of either stands where the device is named. device: who speaks there, where neither `+` nor payload says.
    auth: how whoever posts proves who it is, HTTP only; the secrets themselves are never in this file.
    """

    topic: str = ""
    path: str = ""
    dialect: str
    device: str = ""
    auth: Auth = ""


class Privacy(Struct, frozen=True, forbid_unknown_fields=True):
    """What the gateway may keep of beacons; the strictest that serves is the default.

    A venue without receivers is count-only whatever stands here: there is nothing that beacons could tell it.
    beacons: those the museum hands out, as `flowmon decode` names them, whole or the front part ("iBeacon:e2c5…-1");
    with `consent` no other is kept, nor with another mode when any are listed.
    """

    mode: Literal["count-only", "anon-5min", "pseudo-24h", "consent"] = "pseudo-24h"
    beacons: list[str] = []


class Venue(Struct, frozen=True, forbid_unknown_fields=True):
    """A museum: its plan, its devices, its rules. Dictionaries are in the order of the file.

    capacity: most people in the whole venue; 0 means the sum of its zones. lateness_s: how late a crossing may be told.
    """

    id: str
    name: str
    timezone: str
    floors: dict[str, Floor]
    zones: dict[str, Zone]
    portals: dict[str, Portal]
    counters: dict[str, Counter] = {}
    receivers: dict[str, Receiver] = {}
    queues: dict[str, Queue] = {}
    rules: dict[str, Rule] = {}
    routes: list[Route] = []
    hours: list[Hours] = []
    capacity: int = 0
    lateness_s: float = 2.0
    simulated: bool = False
    privacy: Privacy = Privacy()
    radio: Radio = Radio()


def fingerprint(venue: Venue) -> str:
    """Sixteen hex digits that change whenever the venue does; kept in recordings and checkpoints."""
    return hashlib.sha256(msgspec.json.encode(venue)).hexdigest()[:16]
