"""Who went where: people per minute into and out of each zone, and people through each portal per closed window.

A window closes when the watermark passes its end; a crossing that comes later never reopens it: it is told as a `late`
flow, which history adds. So every crossing is in exactly one flow, and the sum of all flows of a time is what is known
of it now, while the sum of those told until then is what was known then.

Counters that share a portal see the same people: each has an equal part in its flows and rates, and what is left of a
person when a window closes goes into the next one. Late flows are whole, and name their counter.
"""

import math

from msgspec import Struct, field

from flowmon.findings import Flow
from flowmon.monitor.intake import Crossing
from flowmon.names import OUTSIDE
from flowmon.venue.graph import other_side
from flowmon.venue.model import Venue

BUCKET_S = 10.0
RATE_WINDOW_S = 300.0
FLOW_WINDOW_S = 300.0


class FlowsState(Struct):
    """buckets: per place, [bucket number, people in, people out] of the last five minutes; window: per direction."""

    buckets: dict[str, list[list[int]]] = field(default_factory=dict)
    window_start: float | None = None
    window: dict[str, int] = field(default_factory=dict)


class Flows:
    """Rates and flow windows over the portals."""

    def __init__(self, venue: Venue, state: FlowsState | None = None) -> None:
        self.state = state or FlowsState()
        self._rates: dict[str, tuple[int, tuple[float, float]]] = {}  # zone -> oldest bucket counted, rates
        self._ways = {}
        sharing: dict[str, int] = {}
        for counter in venue.counters.values():
            sharing[counter.portal] = sharing.get(counter.portal, 0) + 1
        self._whole = math.lcm(*sharing.values())
        self._part = {name: self._whole // sharing[counter.portal] for name, counter in venue.counters.items()}
        for name, counter in venue.counters.items():
            out_of = other_side(venue.portals[counter.portal], counter.towards)
            self._ways[name] = (counter.portal, out_of, counter.towards)

    def close(self, ripe: list[Crossing], watermark: float) -> list[Flow]:
        """Take in closed crossings; returns the flow windows the watermark has passed."""
        ending = watermark // FLOW_WINDOW_S * FLOW_WINDOW_S
        late = self._take([crossing for crossing in ripe if crossing.at < ending])
        flows = self._close_window(watermark)
        self._take([crossing for crossing in ripe if crossing.at >= ending])
        return [*flows, *self.told_late(late)] if late else flows

    def _take(self, crossings: list[Crossing]) -> list[Crossing]:
        """Count crossings in; returns those whose window was closed before."""
        opened = self.state.window_start or 0.0
        for crossing in crossings:
            portal, out_of, into = self._ways[crossing.counter]
            part = self._part[crossing.counter]
            bucket = int(crossing.at // BUCKET_S)
            for origin, destination, people in (
                (out_of, into, crossing.forward),
                (into, out_of, crossing.backward),
            ):
                if people:
                    self._add(destination, bucket, part * people, 0)
                    self._add(origin, bucket, 0, part * people)
                    if crossing.at >= opened:
                        way = f"{portal}|{origin}|{destination}"
                        self.state.window[way] = self.state.window.get(way, 0) + part * people
        return [crossing for crossing in crossings if crossing.at < opened]

    def told_late(self, crossings: list[Crossing]) -> list[Flow]:
        """The flows of crossings that were told after their window."""
        flows = []
        for crossing in crossings:
            portal, out_of, into = self._ways[crossing.counter]
            for origin, destination, people in ((out_of, into, crossing.forward), (into, out_of, crossing.backward)):
                if people:
                    flows.append(
                        Flow(
                            at=crossing.at,
                            start=crossing.at - crossing.period_s,
                            portal=portal,
                            origin=origin,
                            destination=destination,
                            people=people,
                            late=True,
                            counter=crossing.counter,
                        )
                    )
        return flows

    def touched(self, ripe: list[Crossing]) -> set[str]:
        """The zones on either side of these crossings."""
        return {end for crossing in ripe for end in self._ways[crossing.counter][1:]}

    def leap(self) -> None:
        """The clock was set: rates and the open window start again."""
        self._rates.clear()
        self.state.buckets.clear()
        self.state.window.clear()
        self.state.window_start = None

    def rates(self, zone: str, watermark: float) -> tuple[float, float]:
        """People per minute into and out of a zone over the five minutes before the watermark."""
        buckets = self.state.buckets.get(zone)
        if not buckets:
            return 0.0, 0.0
        oldest = int((watermark - RATE_WINDOW_S) // BUCKET_S)
        known = self._rates.get(zone)
        if known is not None and known[0] == oldest:
            return known[1]
        if buckets[0][0] <= oldest:
            buckets[:] = [b for b in buckets if b[0] > oldest]
        minutes = RATE_WINDOW_S / 60.0 * self._whole
        rates = round(sum(b[1] for b in buckets) / minutes, 2), round(sum(b[2] for b in buckets) / minutes, 2)
        self._rates[zone] = oldest, rates
        return rates

    def venue_rates(self, watermark: float) -> tuple[float, float]:
        """People per minute into and out of the whole venue."""
        out, into = self.rates(OUTSIDE, watermark)
        return into, out

    def _add(self, zone: str, bucket: int, came: int, left: int) -> None:
        self._rates.pop(zone, None)
        buckets = self.state.buckets.setdefault(zone, [])
        for known in reversed(buckets):
            if known[0] == bucket:
                known[1] += came
                known[2] += left
                return
            if known[0] < bucket:
                break
        buckets.append([bucket, came, left])
        buckets.sort()

    def _close_window(self, watermark: float) -> list[Flow]:
        start = self.state.window_start
        current = watermark // FLOW_WINDOW_S * FLOW_WINDOW_S
        if start is None:
            self.state.window_start = current
            return []
        if current <= start:
            return []
        end, window = start + FLOW_WINDOW_S, self.state.window
        self.state.window_start = current
        self.state.window = {way: parts % self._whole for way, parts in window.items() if parts % self._whole}
        return [
            Flow(at=end, start=start, portal=portal, origin=origin, destination=destination, people=n // self._whole)
            for (portal, origin, destination), n in sorted((tuple(k.split("|")), n) for k, n in window.items())
            if n >= self._whole
        ]
