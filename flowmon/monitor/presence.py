"""Sightings to presences, beacon by beacon; runs apart from the venue's state and is the only reader of sightings.

A presence is told when a beacon is believed in another zone than before, and again every 30 s while it is heard, so
that whoever listens needs no clock of ours: a presence carries its own expiry (90 s).
Time is the gateway's (`seen`) where there is one: receivers rarely know the time.
"""

import msgspec
from msgspec import Struct, field

from flowmon.estimators.radio import StrongestReceiver, TagState
from flowmon.facts import Presence, Sighting
from flowmon.venue.model import Venue, fingerprint

REPEAT_S = 30.0
EXPIRY_S = 90.0
FORGET_S = 600.0
BEACONS_MAX = 20_000
VERSION = 1


class Tag(Struct):
    """One beacon: the estimator's memory, and what was told last."""

    radio: TagState = field(default_factory=TagState)
    zone: str = ""
    told: float = 0.0
    heard: float = 0.0


class PresencesState(Struct):
    """Beacons in the order they were last heard."""

    version: int = VERSION
    fingerprint: str = ""
    tags: dict[str, Tag] = field(default_factory=dict)


class Presences:
    """Which zone each beacon is believed in."""

    def __init__(self, venue: Venue, state: PresencesState | None = None) -> None:
        self.state = state or PresencesState(fingerprint=fingerprint(venue))
        self._zone_of = {r.device or name: r.zone for name, r in venue.receivers.items()}

    def apply(self, sighting: Sighting) -> list[Presence]:
        """One sighting in, at most one presence out. A receiver nobody configured is no evidence."""
        zone = self._zone_of.get(sighting.receiver)
        if zone is None:
            return []
        at = sighting.seen or sighting.at
        tag = self._tag(sighting.beacon, at)
        if at < tag.heard:
            return []
        tag.heard = at
        radio = StrongestReceiver(tag.radio)
        radio.learn(sighting.receiver, sighting.rssi_dbm, at)
        receiver, probability = radio.estimate(at)
        believed = self._zone_of.get(receiver)
        if believed is None or (believed == tag.zone and at - tag.told < REPEAT_S):
            return []
        tag.zone, tag.told = believed, at
        return [
            Presence(
                at=at,
                seen=sighting.seen,
                source=f"beacon:{sighting.beacon}",
                simulated=sighting.simulated,
                beacon=sighting.beacon,
                zone=believed,
                probability=probability,
                expires=at + EXPIRY_S,
            )
        ]

    def snapshot(self) -> bytes:
        """Everything remembered, as versioned MessagePack."""
        return msgspec.msgpack.encode(self.state)

    @classmethod
    def restore(cls, venue: Venue, data: bytes) -> "Presences":
        """Go on from a snapshot. Raises ValueError when it belongs to another version or venue file."""
        state = msgspec.msgpack.decode(data, type=PresencesState)
        if state.version != VERSION or state.fingerprint != fingerprint(venue):
            raise ValueError("the snapshot belongs to another version or venue file: rebuild from the journal")
        return cls(venue, state)

    def _tag(self, beacon: str, at: float) -> Tag:
        tags = self.state.tags
        tag = tags.pop(beacon, None) or Tag()
        tags[beacon] = tag
        oldest = next(iter(tags))
        if len(tags) > BEACONS_MAX or (at - tags[oldest].heard > FORGET_S and oldest != beacon):
            del tags[oldest]
        return tag
