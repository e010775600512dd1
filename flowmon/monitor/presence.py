"""Sightings to presences: which zone each beacon is in. Runs apart from the venue's state; alone reads sightings.

Sightings are gathered into steps of half a second, as a beacon that speaks once a second should not wait for the end of
it; the first sighting of a later step, of any beacon, closes the step for all (`flowmon.estimators.radio`), so that
time moves by the sightings themselves. A presence is told when a beacon is believed in another zone than before, and
again every 30 s while it is heard; it carries its own expiry (90 s), so that whoever listens needs no clock of ours. A
last one with probability 0 says that a beacon is in its zone no more: unheard, at a charging rack, or lying still for
an hour; it expires when the beacon was last heard or moved.

Time is the gateway's (`seen`) where there is one: receivers rarely know the time. A sighting up to five seconds late
joins the step under way. A leap of more than ten minutes is believed when three sightings on end agree.
"""

import math

import msgspec
from msgspec import Struct

from flowmon.estimators.radio import PlaceFilter, PlaceFilterState
from flowmon.facts import Presence, Sighting
from flowmon.monitor.radiomap import radio_map
from flowmon.venue.model import Venue, fingerprint

STEP_S = 0.5
LATE_STEPS = 10
REPEAT_S = 30.0
EXPIRY_S = 90.0
LEAP_S, LEAP_AGREE, LEAP_SIGHTINGS = 600.0, 60.0, 3
BEACONS_MAX = 20_000
LEAST_DBM, MOST_DBM = -127.0, 20.0
VERSION = 2


class Told(Struct):
    """zone: told last of a beacon, "" when it is in none; at: when. simulated: as of its last sighting."""

    zone: str = ""
    at: float = 0.0
    simulated: bool = False


class PresencesState(Struct):
    """step: under way. heard: beacon -> receiver's column -> [sum of dBm, readings] in it. leap: times not believed."""

    version: int = VERSION
    fingerprint: str = ""
    places: PlaceFilterState = PlaceFilterState()
    told: dict[str, Told] = {}
    step: int = -1
    heard: dict[str, dict[int, tuple[float, int]]] = {}
    leap: list[float] = []


class Presences:
    """Which zone each beacon is believed in."""

    def __init__(self, venue: Venue, state: PresencesState | None = None) -> None:
        self._state = state or PresencesState(fingerprint=fingerprint(venue))
        self._map = radio_map(venue)
        self._places = self._filter(self._state.places)

    def apply(self, sighting: Sighting) -> list[Presence]:
        """One sighting in; presences of all beacons out when it ends a step. A receiver nobody configured is none."""
        column = self._map.devices.get(sighting.receiver)
        at = sighting.seen or sighting.at
        if column is None or not (LEAST_DBM <= sighting.rssi_dbm <= MOST_DBM) or not 0.0 <= at < 1e11:
            return []
        step = int(at // STEP_S)
        told = self._until(step, at, sighting.seen)
        state = self._state
        if step < state.step - LATE_STEPS or (sighting.beacon not in state.heard and len(state.heard) >= BEACONS_MAX):
            return told
        levels = state.heard.setdefault(sighting.beacon, {})
        total, readings = levels.get(column, (0.0, 0))
        levels[column] = total + sighting.rssi_dbm, readings + 1
        state.told.setdefault(sighting.beacon, Told()).simulated = sighting.simulated
        return told

    def shifted(self) -> dict[str, float]:
        """Receivers (as named in sightings) that were moved or blocked: dB off their calibration in every zone."""
        names = {column: device for device, column in self._map.devices.items()}
        return {names[column]: off for column, off in self._places.shifted().items() if column in names}

    def snapshot(self) -> bytes:
        """Everything remembered, as versioned MessagePack."""
        self._state.places = self._places.state
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def restore(cls, venue: Venue, data: bytes) -> "Presences":
        """Go on from a snapshot. Raises ValueError when it belongs to another version or venue file."""
        message = "the snapshot belongs to another version or venue file: rebuild from the journal"
        try:
            state = msgspec.msgpack.decode(data, type=PresencesState)
        except msgspec.MsgspecError as error:
            raise ValueError(message) from error
        if state.version != VERSION or state.fingerprint != fingerprint(venue):
            raise ValueError(message)
        return cls(venue, state)

    def _filter(self, state: PlaceFilterState | None = None) -> PlaceFilter:
        found = self._map
        return PlaceFilter(
            found.table,
            found.adjacent,
            found.dwell_s,
            step_s=STEP_S,
            lag=0,  # where a beacon was three seconds ago is no use to a live number
            calibrated=found.calibrated,
            tags_max=BEACONS_MAX,
            state=state,
        )

    def _until(self, step: int, at: float, seen: float) -> list[Presence]:
        """Time goes on to a step, when it is a later one and believed."""
        state = self._state
        away = abs(step - state.step) * STEP_S
        if state.step < 0:
            state.step = step
        elif away > LEAP_S:
            agree = [time for time in state.leap if math.fabs(time - at) <= LEAP_AGREE]
            state.leap = [*agree, at][-LEAP_SIGHTINGS:]
            if len(state.leap) == LEAP_SIGHTINGS:
                return self._leap(step, seen)
        elif step > state.step:
            state.leap = []
            told = self._close(seen)
            state.step = step
            return told
        return []

    def _leap(self, step: int, seen: float) -> list[Presence]:
        """Time is another one: a long silence, or a clock that was set. Backwards, everything begins anew."""
        state = self._state
        state.leap = []
        told = self._close(seen)
        if step < state.step:
            self._places = self._filter()
            state.told = {}
        state.step = step
        return told

    def _close(self, seen: float) -> list[Presence]:
        """End the step under way; say what is new, and again what was said long ago. seen: when that became known."""
        state, places = self._state, self._places
        levels = {
            beacon: {column: total / readings for column, (total, readings) in heard.items()}
            for beacon, heard in state.heard.items()
        }
        state.heard = {}
        at = (state.step + 1) * STEP_S
        changed = places.learn(levels, at - 0.5 * STEP_S)
        told = [self._say(beacon, at, seen) for beacon in dict.fromkeys([*changed, *levels])]
        if len(state.told) > len(places):
            state.told = {beacon: last for beacon, last in state.told.items() if beacon in places}
        return [presence for presence in told if presence is not None]

    def _say(self, beacon: str, at: float, seen: float) -> Presence | None:
        """What is to be told of a beacon now, if anything."""
        last = self._state.told.setdefault(beacon, Told())
        place, heard, moved = -1, at, at
        if beacon in self._places:
            place, heard, moved = self._places.of(beacon)
        zone = self._map.zones[place] if place >= 0 else ""
        still = bool(zone) and self._places.still(beacon, at)
        if zone and not still:
            if zone == last.zone and at - last.at < REPEAT_S:
                return None
            last.zone, last.at = zone, at
            return _presence(beacon, last, zone, (at, seen, at + EXPIRY_S), self._places.probability(beacon))
        if not last.zone:
            return None
        left, last.zone, last.at = last.zone, "", at
        expires = moved if still else heard if place < 0 else at
        return _presence(beacon, last, left, (at, seen, expires), 0.0)


def _presence(beacon: str, last: Told, zone: str, times: tuple[float, float, float], probability: float) -> Presence:
    at, seen, expires = times
    return Presence(
        at=at,
        seen=seen,
        source=f"beacon:{beacon}",
        simulated=last.simulated,
        beacon=beacon,
        zone=zone,
        probability=probability,
        expires=expires,
    )
