"""Who went where: people per minute into and out of each zone, and people through each portal per closed window.

A window closes when the watermark passes its end; a crossing that comes later is counted in the balance but never
reopens a window (it is told as `late` in the correction of the day).
"""

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
        for name, counter in venue.counters.items():
            out_of = other_side(venue.portals[counter.portal], counter.towards)
            self._ways[name] = (counter.portal, out_of, counter.towards)

    def close(self, ripe: list[Crossing], watermark: float) -> list[Flow]:
        """Take in closed crossings; returns the flow windows the watermark has passed."""
        flows = self._close_window(watermark)
        for crossing in ripe:
            portal, out_of, into = self._ways[crossing.counter]
            bucket = int(crossing.at // BUCKET_S)
            for origin, destination, people in (
                (out_of, into, crossing.forward),
                (into, out_of, crossing.backward),
            ):
                if people:
                    self._add(destination, bucket, people, 0)
                    self._add(origin, bucket, 0, people)
                    if not crossing.late:
                        way = f"{portal}|{origin}|{destination}"
                        self.state.window[way] = self.state.window.get(way, 0) + people
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
        minutes = RATE_WINDOW_S / 60.0
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
        self.state.window_start, self.state.window = current, {}
        return [
            Flow(at=end, start=start, portal=portal, origin=origin, destination=destination, people=people)
            for (portal, origin, destination), people in sorted((tuple(k.split("|")), n) for k, n in window.items())
        ]
