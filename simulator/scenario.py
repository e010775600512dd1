"""A scenario: one day in a museum as a TOML file. Strict: unknown keys and impossible values are errors.

Everything a scenario does not say has a default, so that a file holds only what is special about its day.
Times of day are `HH:MM`, local to the venue. Shares are 0..1. One scenario serves many venues, therefore:

- `visitors` may be left out: then `turnover` people a day come for each place of the venue's capacity;
- `[queues.any]` holds for every queue, `[queues.<id>]` for one;
- `device` of a fault may be `busiest`, the interior counter on most ways from the entrance, `any-receiver`, the first
  receiver of a gallery, or `all` counters.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from flowmon.errors import FlowmonError

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Positive = Annotated[float, Meta(gt=0.0)]
NotNegative = Annotated[float, Meta(ge=0.0)]
MonthDay = Annotated[str, Meta(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Size = Annotated[int, Meta(ge=1, le=500)]
FaultKind = Literal["dropout", "loss", "knock", "reversed", "duplicates", "reorder", "late", "clock-step"]
Going = Literal["gallery", "hall"]  # profiles of zones that people go to on purpose

BUILT_IN = Path(__file__).parent / "scenarios"
BUSIEST, ANY_RECEIVER, ALL = "busiest", "any-receiver", "all"


class Coach(Struct, frozen=True, forbid_unknown_fields=True):
    """A party that arrives all at once."""

    at: TimeOfDay
    people: Size = 40


class Stay(Struct, frozen=True, forbid_unknown_fields=True):
    """How long people stay where they went to: lognormal, coefficient of variation `cv`.

    mean_s: seconds in a zone of the mean capacity of its profile; in proportion for larger and smaller ones.
    tail: above 1, stays are Lomax (Pareto II) of that index and the same mean instead: most are short, a few very long.
    """

    mean_s: Positive
    cv: Positive = 0.8
    tail: NotNegative = 0.0


class Service(Struct, frozen=True, forbid_unknown_fields=True):
    """A queue. A party is served at once: lognormal of mean `service_s + per_person_s * people`, given cv².

    share: part of the parties that have to queue here. desks: (from when, share of the venue's desks open).
    """

    share: Share = 1.0
    service_s: NotNegative = 45.0
    per_person_s: NotNegative = 5.0
    cv2: Positive = 0.6
    desks: list[tuple[TimeOfDay, Share]] = []


class DeviceErrors(Struct, frozen=True, forbid_unknown_fields=True):
    """How wrong counters are. A seed has one set of devices: what is drawn for them holds on all its days.

    miss: mean of the Beta draw for each door and direction; miss_spread: its standard deviation.
    shadow: extra miss of who follows within `shadow_s` of another. double: mean share counted twice, drawn likewise
    with half of it as deviation. group_double: extra share of those who follow, counted twice.
    staff_low..staff_high: crossings by staff, as a share of visitors' crossings. skew_s: standard deviation of device
    clocks. latency_s: mean time from a device to the broker.
    outages_week: mean outages of a counter in seven days, outage_s: their mean length (they vary, exponential).
    weather: standard deviation of a slow factor e^N on all misses of a device (light, dust, crowds), autocorrelated
    over `weather_s`; 0 for misses that are independent.
    """

    miss: Share = 0.03
    miss_spread: Share = 0.015
    shadow: Share = 0.15
    shadow_s: NotNegative = 0.4
    double: Share = 0.01
    group_double: Share = 0.0
    staff_low: Share = 0.02
    staff_high: Share = 0.04
    skew_s: NotNegative = 0.15
    latency_s: NotNegative = 0.02
    window_s: Positive = 60.0
    heartbeat_s: Positive = 30.0
    outages_week: NotNegative = 0.0
    outage_s: Positive = 1200.0
    weather: NotNegative = 0.0
    weather_s: Positive = 1800.0


class Radio(Struct, frozen=True, forbid_unknown_fields=True):
    """How radio travels: RSSI = P0 - 10 n log10(d) - walls - body + AR(1) shadow + fast fade, all in dB(m)."""

    at_1m_dbm: float = -59.0
    exponent: Positive = 2.2
    wall_db: NotNegative = 5.0
    ceiling_db: NotNegative = 18.0
    body_db: NotNegative = 12.0
    shadow_db: NotNegative = 4.0
    shadow_s: Positive = 10.0
    fade_db: NotNegative = 3.0
    loss: Share = 0.2
    hears_dbm: float = -95.0


class Fault(Struct, frozen=True, forbid_unknown_fields=True):
    """Something goes wrong with a device from `at` until `until`.

    dropout: silent, heartbeat included. loss: misses an extra share `amount` of one direction. knock: the same from
    `at` on, on all later days too. reversed: in and out swapped. duplicates: a share `amount` of messages twice.
    reorder: messages late by up to `amount` seconds. late: every message late by `amount` seconds, in order.
    clock-step: its clock is wrong by `amount` seconds.
    """

    kind: FaultKind
    at: TimeOfDay
    until: TimeOfDay = "23:59"
    device: str = BUSIEST
    amount: float = 0.3
    direction: Literal["forward", "backward"] = "forward"


class Attendance(Struct, frozen=True, forbid_unknown_fields=True):
    """How the number of visitors differs from day to day, used when several days are simulated in a row.

    weekday: factors from Monday on. season: the best week of the year (`peak_week`, 1..53) has 1 + season times the
    mean, the worst 1 - season. rain: share of rainy days, which come in spells; rain_factor: theirs. holidays: first
    and last day, `MM-DD`, of those with `holiday_factor`. noise: standard deviation of what nobody can explain (log).
    """

    weekday: tuple[Positive, Positive, Positive, Positive, Positive, Positive, Positive] = (
        0.85, 0.9, 0.95, 0.9, 0.95, 1.2, 1.25,
    )  # fmt: skip
    season: Share = 0.15
    peak_week: Annotated[int, Meta(ge=1, le=53)] = 29
    rain: Share = 0.35
    rain_factor: Positive = 1.12
    holidays: tuple[tuple[MonthDay, MonthDay], ...] = (("02-14", "02-28"), ("04-11", "04-25"), ("12-20", "12-31"))
    holiday_factor: Positive = 1.2
    noise: NotNegative = 0.06


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One day. `arrivals` are (share of the admission time gone, relative rate), straight lines in between.

    opens, closes: default the venue's hours of that day. groups: (people, weight).
    rooms, halls: share of the galleries, and of the other places, that a party goes to on purpose; but `most` of them.
    last_entry_s, sweep_s: before closing, when the doors close, and when people are first asked to leave.
    overstay_s: how long after closing the last are still there when nobody sweeps (then set sweep_s to 0).
    beacon_share: people who carry a beacon. beacon_drop: (`HH:MM`, share): another share from then on.
    group_beacons: part of the parties that get one beacon for all, with the same probability as a person.
    beacons_left: part of the carriers who leave theirs in some room, where it is heard until the day ends.
    beacons_by_entrance: factors on the share for the entrances in their order, the last for all others.
    bursts: share of the parties that come in bursts (a train, a shuttle) of `burst_s`, `burst_parties` at a time.
    entrances, exits: portals to outside; default as in `Layout`.
    """

    name: str
    title: str = ""
    day: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")] = "2026-03-17"
    opens: TimeOfDay | None = None
    closes: TimeOfDay | None = None
    visitors: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    turnover: NotNegative = 3.7
    arrivals: tuple[tuple[Share, NotNegative], ...] = ((0, 0.6), (0.15, 1), (0.35, 0.9), (0.6, 1), (1, 0.4))
    groups: tuple[tuple[Size, NotNegative], ...] = ((1, 0.3), (2, 0.4), (3, 0.13), (4, 0.12), (5, 0.05))
    coaches: list[Coach] = []
    dwell: dict[Going, Stay] = {}
    rooms: Share = 0.72
    halls: Share = 0.42
    most: Annotated[int, Meta(ge=1)] = 1000
    last_entry_s: NotNegative = 45 * 60
    sweep_s: NotNegative = 15 * 60
    overstay_s: Annotated[float, Meta(ge=0.0, le=3 * 3600.0)] = 0.0
    bursts: Share = 0.0
    burst_s: Positive = 90.0
    burst_parties: Positive = 15.0
    queues: dict[str, Service] = {}
    beacon_share: Share = 0.15
    beacon_drop: tuple[TimeOfDay, Share] | None = None
    group_beacons: Share = 0.0
    beacons_left: Share = 0.0
    beacons_by_entrance: tuple[NotNegative, ...] = ()
    attendance: Attendance = Attendance()
    devices: DeviceErrors = DeviceErrors()
    radio: Radio = Radio()
    faults: list[Fault] = []
    entrances: list[str] = []
    exits: list[str] = []

    def stay(self, profile: Going) -> Stay:
        """How long people stay in a zone of that profile."""
        return self.dwell.get(profile, Stay(315.0) if profile == "gallery" else Stay(420.0, 0.7))

    def service(self, queue: str) -> Service:
        """How a queue is served."""
        return self.queues.get(queue, self.queues.get("any", Service()))


def unused(scenario: Scenario, queues: Iterable[str]) -> list[str]:
    """Queues that a scenario speaks of and a venue (with these `queues`) does not have: perhaps misspelt."""
    known = {"any", *queues}
    return [queue for queue in scenario.queues if queue not in known]


def mismatched(scenario: Scenario) -> Scenario:
    """The same day with a physics that no estimator here assumes, so that a good score on it means something.

    Heavy-tailed stays, arrivals in bursts, misses that come and go together, parties counted twice, and beacons that
    are handed out at one entrance far more than at the others.
    """
    replace = msgspec.structs.replace
    dwell = {going: replace(scenario.stay(going), tail=1.8) for going in ("gallery", "hall")}
    devices = replace(scenario.devices, weather=0.6, group_double=0.05)
    share = (1.4, 0.6)
    return replace(scenario, dwell=dwell, devices=devices, bursts=0.5, beacons_by_entrance=share, group_beacons=0.3)


def built_in() -> list[str]:
    """Names of the scenarios that come with flowmon."""
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


def load(name: str) -> Scenario:
    """A built-in scenario by name, or a file by path. Raises FlowmonError with every problem that was found."""
    path = BUILT_IN / f"{name}.toml"
    if name not in built_in():
        path = Path(name)
        if path.suffix != ".toml":
            raise FlowmonError(f"no scenario {name!r}: use one of {', '.join(built_in())}, or a .toml file")
    try:
        return parse(path.read_bytes(), name=path.stem)
    except OSError as error:
        raise FlowmonError(f"cannot read the scenario {path}: {error.strerror}") from error
    except FlowmonError as error:
        raise FlowmonError(f"{path}: {error}") from error


def parse(data: bytes, *, name: str) -> Scenario:
    """Bytes of TOML to a scenario. Raises FlowmonError."""
    try:
        tree = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FlowmonError(f"is not TOML: {error}") from error
    tree.setdefault("name", name)
    try:
        # msgspec hides the keys of dictionaries from its messages, so queues are read one by one.
        queues = {key: _read(table, f"queues.{key}") for key, table in _table(tree, "queues").items()}
        scenario = msgspec.convert({**tree, "queues": {}}, Scenario)
    except msgspec.ValidationError as error:
        raise FlowmonError(str(error)) from error
    scenario = msgspec.structs.replace(scenario, queues=queues)
    problems = list(_audit(scenario))
    if problems:
        raise FlowmonError("; ".join(problems))
    return scenario


def _table(tree: Mapping[str, object], key: str) -> Mapping[str, object]:
    table = tree.get(key, {})
    if not isinstance(table, dict):
        raise FlowmonError(f"{key} must be a table")
    return table


def _read(table: object, path: str) -> Service:
    try:
        return msgspec.convert(table, Service)
    except msgspec.ValidationError as error:
        raise FlowmonError(f"{path}: {error}") from error


def _audit(scenario: Scenario) -> list[str]:
    problems = []
    moments = [moment for moment, _ in scenario.arrivals]
    if len(moments) < 2 or moments != sorted(moments) or not any(rate for _, rate in scenario.arrivals):
        problems.append("arrivals must be two points or more, in order of time, not all zero")
    if not any(weight for _, weight in scenario.groups):
        problems.append("groups must hold a size with a weight above zero")
    for queue, service in scenario.queues.items():
        if [at for at, _ in service.desks] != sorted(at for at, _ in service.desks):
            problems.append(f"queues.{queue}.desks must be in order of time")
        if service.service_s + service.per_person_s <= 0:
            problems.append(f"queues.{queue}: serving must take time; set service_s or per_person_s above zero")
    for number, fault in enumerate(scenario.faults):
        if fault.until <= fault.at:
            problems.append(f"faults[{number}].until must be after at ({fault.at})")
    if scenario.devices.staff_high < scenario.devices.staff_low:
        problems.append("devices.staff_high must not be below staff_low")
    return problems
