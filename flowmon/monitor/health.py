"""Which devices can be believed: silent, faulty, or with a clock that lies; and what each of them blinds.

Proof of life is anything a device says, at the time of the tick after which it was heard (never its own clock).
A device is silent when nothing came for `silent_after_s`; its last will makes it silent at once.

A device that speaks, but of whom something is odd (its clock, its registers, a direction that cannot be), is suspect:
its counts are used, and what is odd is told with the zones it touches, until it ends; what happened once, for ten
minutes.

The gateway is a device too, from its first word on: it sees no zone, and is suspect while it refuses messages.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from flowmon.facts import GATEWAY, DeviceStatus
from flowmon.findings import DeviceHealthState, DeviceState
from flowmon.monitor.clocks import Clock, TimeSource
from flowmon.names import OUTSIDE
from flowmon.venue.model import Venue

Kind = Literal["counter", "receiver", "gateway"]

REPEAT_S = 60.0
BLIND = {"silent", "fault"}
DOUBT_LASTS_S = 600.0
GATEWAY_SILENT_S = 180.0  # it speaks once a minute
WORST_MAX = 100


class Doubt(Struct):
    """One odd thing about a device. until: when it is over by itself, None when somebody says so."""

    reason: str
    since: float
    until: float | None


class Device(Struct):
    """What is known of one device. `heard`: tick of the last word, None when it never spoke."""

    health: DeviceHealthState = "unknown"
    since: float = 0.0
    reason: str = ""
    heard: float | None = None
    told: float = -1e18
    told_health: DeviceHealthState | None = None
    told_reason: str = ""
    skew: float | None = None
    time_source: TimeSource = "device"
    doubts: dict[str, Doubt] = field(default_factory=dict)
    messages: int | None = None
    rejected: int | None = None
    worst: str = ""


class HealthState(Struct):
    """born: first tick; devices by the name they publish under."""

    born: float | None = None
    devices: dict[str, Device] = field(default_factory=dict)


class Health:
    """Every configured counter and receiver of a venue."""

    def __init__(self, venue: Venue, state: HealthState | None = None) -> None:
        self.state = state or HealthState()
        self.clocks: Mapping[str, Clock] = {}  # of devices that count; intake keeps them
        self._silent_after: dict[str, float] = {}
        self._kind: dict[str, Kind] = {}
        self._zones: dict[str, list[str]] = {}
        self._counters: dict[str, list[str]] = {}
        for name, counter in venue.counters.items():
            device = counter.device or name
            blinded = [zone for zone in venue.portals[counter.portal].between if zone != OUTSIDE]
            self._add(device, "counter", counter.silent_after_s, blinded)
            self._counters.setdefault(device, []).append(name)
        for name, receiver in venue.receivers.items():
            self._add(receiver.device or name, "receiver", receiver.silent_after_s, [receiver.zone])
        self._of_file = frozenset(self._kind)
        if GATEWAY in self.state.devices:
            self._learn_gateway()
        self._blinded: dict[str, tuple[bool, bool]] | None = None
        self._watchers: dict[str, list[str]] = {}
        for device, kind in self._kind.items():
            if kind == "counter":
                for zone in self._zones[device]:
                    self._watchers.setdefault(zone, []).append(device)

    def heard(self, source: str, now: float) -> None:
        """A device said something between the tick `now` and the next."""
        device = self.state.devices.get(source)
        if device is not None:
            device.heard = now

    def clock(self, source: str, skew_s: float, reason: str, time_source: TimeSource, now: float) -> None:
        """What its time stamps say of a device's clock; reason '' when it can be believed."""
        device = self.state.devices.get(source)
        if device is not None:
            device.skew, device.time_source = skew_s, time_source
            if reason or "clock" in device.doubts:
                self.doubt(source, "clock", reason, now, lasting=True)

    def doubt(self, source: str, code: str, reason: str, now: float, *, lasting: bool = False) -> None:
        """Something is odd about a device: for ten minutes, or (lasting) until the same code comes with reason ''."""
        device = self.state.devices.get(source)
        if device is None:
            return
        if not reason:
            device.doubts.pop(code, None)
            return
        known = device.doubts.get(code)
        device.doubts[code] = Doubt(reason, known.since if known else now, None if lasting else now + DOUBT_LASTS_S)

    def status(self, fact: DeviceStatus, now: float) -> None:
        """A device's own word: a fault stays until it says it is online."""
        if fact.source == GATEWAY and not fact.historical:
            self._learn_gateway()
        device = self.state.devices.get(fact.source)
        if device is None:
            return
        match fact.health:
            case "online" if fact.historical:
                pass  # a retained message says how it was, not that the device lives
            case "online":
                device.heard, device.reason = now, ""
                if self._kind[fact.source] == "gateway":
                    self._refusals(device, fact, now)
                if device.health == "fault":
                    self._turn(device, "good", "", now)
            case "offline":
                device.heard = None
                self._turn(device, "silent", fact.reason or "last will: the connection to the broker was lost", now)
            case "fault":
                device.heard = now
                self._turn(device, "fault", fact.reason or "the device reports a fault", now)

    def leap(self, now: float) -> None:
        """The clock was set: silence is measured from now on."""
        self.state.born = now
        for device in self.state.devices.values():
            device.heard = None if device.heard is None else now
            device.told, device.since = -1e18, min(device.since, now)
            for doubt in device.doubts.values():
                doubt.since, doubt.until = min(doubt.since, now), None if doubt.until is None else now + DOUBT_LASTS_S

    def close(self, now: float) -> list[DeviceState]:
        """Judge every device at a tick; returns those that changed, and each one once a minute."""
        if self.state.born is None:
            self.state.born = now
            for device in self.state.devices.values():  # heard before there was any time
                device.heard = None if device.heard is None else now
        told = []
        for name, device in self.state.devices.items():
            self._judge(name, device, now)
            changed = device.health != device.told_health or device.reason != device.told_reason
            if changed or now - device.told >= REPEAT_S:
                device.told, device.told_health, device.told_reason = now, device.health, device.reason
                told.append(self.device_state(name, now))
        return told

    def device_state(self, name: str, at: float) -> DeviceState:
        """What is said of one device."""
        device, clock = self.state.devices[name], self.clocks.get(name)
        skew = clock.lag if clock else device.skew
        return DeviceState(
            at=at,
            device=name,
            kind=self._kind[name],
            health=device.health,
            since=device.since,
            reason=device.reason,
            last_at=device.heard,
            zones=self._zones[name] if device.health in BLIND or device.health == "suspect" else [],
            clock_skew_s=None if skew is None else round(skew, 1),
            time_source=clock.source if clock else device.time_source,
            messages=device.messages,
            rejected=device.rejected,
            worst=device.worst,
        )

    @property
    def devices(self) -> list[str]:
        """Names of all configured devices."""
        return list(self.state.devices)

    def blind_counters(self) -> set[str]:
        """Counters (by their name in the venue file) that do not see at present."""
        return {
            counter
            for name, device in self.state.devices.items()
            if device.health in BLIND
            for counter in self._counters.get(name, [])
        }

    def blinded(self, zone: str) -> tuple[bool, bool]:
        """Whether (any, all) of the counters of a zone do not see at present."""
        if self._blinded is None:
            self._blinded = {}
            for name, watchers in self._watchers.items():
                blind = [self.state.devices[device].health in BLIND for device in watchers]
                self._blinded[name] = any(blind), all(blind)
        return self._blinded.get(zone, (False, False))

    def _add(self, device: str, kind: Kind, silent_after: float, zones: list[str]) -> None:
        self._kind[device] = kind
        self._silent_after[device] = max(silent_after, self._silent_after.get(device, 0.0))
        known = self._zones.setdefault(device, [])
        known += [zone for zone in zones if zone not in known]
        self.state.devices.setdefault(device, Device())

    def _learn_gateway(self) -> None:
        """No venue file lists the gateway, so it is known by its word. A device of that name stays what it is."""
        if GATEWAY not in self._of_file:
            self._add(GATEWAY, "gateway", GATEWAY_SILENT_S, [])

    def _refusals(self, device: Device, fact: DeviceStatus, now: float) -> None:
        device.messages, device.rejected = max(0, fact.messages), max(0, fact.rejected)
        device.worst = fact.worst[:WORST_MAX] if device.rejected else ""
        device.told = -1e18  # every word is news: figures of a minute ago are not shown as the last minute's
        said = f"{device.rejected} of {device.messages} messages refused in the last minute: {device.worst}"
        self.doubt(fact.source, "refused", f"{said}; see flowmon rejects" if device.rejected else "", now, lasting=True)

    def _judge(self, name: str, device: Device, now: float) -> None:
        limit = self._silent_after[name]
        born = self.state.born if self.state.born is not None else now
        if device.heard is None:
            if device.health == "unknown" and now - born > limit:
                self._turn(device, "silent", "never heard since the start: check its power, network and topic", now)
        elif now - device.heard > limit:
            if device.health != "fault":
                self._turn(device, "silent", f"nothing heard for {limit:.0f} s", device.heard)
        elif device.health != "fault":
            if device.doubts:
                for code in [c for c, d in device.doubts.items() if d.until is not None and d.until <= now]:
                    del device.doubts[code]
            if device.doubts:
                reason = "; ".join(doubt.reason for doubt in device.doubts.values())
                if device.health != "suspect" or device.reason != reason:
                    self._turn(device, "suspect", reason, min(doubt.since for doubt in device.doubts.values()))
            elif device.health != "good":
                self._turn(device, "good", "", now)

    def _turn(self, device: Device, health: DeviceHealthState, reason: str, since: float) -> None:
        self._blinded = None
        if device.health != health:
            device.since = since
        device.health, device.reason = health, reason
