"""How fast a line moves: the servers that are active, how long they take, and how many there usually are later.

Theory of operation
    S     service time: finish - start where both are told; else the time between two services of one server when the
          second customer had waited, as the server was then never idle. EW mean and variance, rate .005, after a plain
          mean; a time beyond 8 means is a break, not a service.
    c     servers: as told (planned or observed); else the distinct servers active lately (30 min, or 4 E[S] while the
          line never emptied that long); unknown when servers have no names.
    gap   E[S]/c, seconds between services while somebody waits. Without names and counts it is measured as such: a gap
          that began with an empty line says nothing and is not learned.
          A line that stands still for more than 4 gaps moves slower than was thought: gap >= standstill / 4.
    plan  EW mean of c by ten minutes of the day: breaks and closings that come back every day are foreseen,
              find W: ∫_t^{t+W} c · plan(u)/plan(t) / E[S] du = Q + 1

Assumptions: servers are alike; days resemble each other in their desks. Failure modes: a server who goes for a break
counts until the window has passed; a change of plan is believed after a few days (and of the clock, as slots are of
the day of UTC unless the caller shifts the times). Whoever uses the plan keeps the plan-free answer beside it.

Source: Ibrahim & Whitt 2009 (QL); Ibrahim & Whitt 2011, time-varying staffing.
"""

import math

from msgspec import Struct, field

ACTIVE_S = 1_800.0
RATE = 0.005
GAP_RATE = 0.05
SERVICES_MIN = 5  # before that many nothing is said
BREAK = 8.0  # times the mean
SERVERS_MAX = 200
SLOT_S, SLOTS = 600.0, 144
PLAN_RATE = 0.15
HORIZON_S = 3.0 * 3_600.0
CV2 = 0.6  # until services were seen


class ServersState(Struct):
    """servers: name -> (last start or nan, last sign of life); told: servers as told; plan: (mean servers, days).

    mean, square: of service times over `services`; gap: seconds between services in a busy line, over `gaps`.
    slot: (number since the epoch, sum of servers, observations) of the ten minutes that run.
    """

    servers: dict[str, tuple[float | None, float]] = field(default_factory=dict)
    told: int | None = None
    services: int = 0
    mean: float = 0.0
    square: float = 0.0
    gap: float = 0.0
    gaps: int = 0
    last: float | None = None
    plan: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)] * SLOTS)
    slot: tuple[int, float, int] = (-1, 0.0, 0)


class Servers:
    """The servers of one line.

    >>> servers = Servers()
    >>> for turn in range(30):
    ...     for desk in ("a", "b"): servers.start(desk, at=60.0 * turn, waited=True, batch=1.0)
    >>> servers.service_s, servers.count(at=1800.0, busy_since=0.0), servers.gap_s(1740.0, 0.0)
    (60.0, 2.0, 30.0)
    """

    def __init__(self, state: ServersState | None = None) -> None:
        self.state = state or ServersState()

    @property
    def service_s(self) -> float | None:
        """Mean seconds of a service; None until enough were seen."""
        return self.state.mean if self.state.services >= SERVICES_MIN else None

    @property
    def cv2(self) -> float:
        """Squared coefficient of variation of services, .05 to 4."""
        known = self.state
        if known.services < 20 or known.mean <= 0.0:
            return CV2
        return min(4.0, max(0.05, known.square / known.mean**2 - 1.0))

    def start(self, server: str, at: float, *, waited: bool, batch: float) -> None:
        """A service began at `server` ("" when it has no name); `waited`: its customer had stood in line.

        batch: customers served at once in units of the usual service; spreads the gap, never the service time.
        """
        state = self.state
        if waited and state.last is not None and at >= state.last:
            self._learn_gap((at - state.last) / max(batch, 1e-3))
        state.last = at
        if not server:
            return
        begun, _ = state.servers.get(server, (None, at))
        if begun is not None and waited and at > begun:
            self._learn_service(at - begun)
        state.servers.pop(server, None)
        state.servers[server] = (at, at)
        if len(state.servers) > SERVERS_MAX:
            del state.servers[next(iter(state.servers))]

    def finish(self, server: str, at: float) -> None:
        """A service at `server` ended."""
        begun, _ = self.state.servers.get(server, (None, at))
        if begun is not None and at > begun:
            self._learn_service(at - begun)
        if server in self.state.servers:
            self.state.servers[server] = (None, at)

    def open(self, servers: int) -> None:
        """From now on so many servers are open; the measured gap scales at once."""
        state = self.state
        if state.told and servers > 0:
            state.gap *= state.told / servers
        state.told = max(servers, 0)

    def count(self, at: float, busy_since: float | None) -> float | None:
        """Active servers at `at`; busy_since: since when the line has not been empty. None when nobody can know."""
        if self.state.told is not None:
            return float(self.state.told)
        if not self.state.servers:
            return None
        window = ACTIVE_S
        if busy_since is not None and self.service_s is not None:
            window = min(ACTIVE_S, max(300.0, 4.0 * self.service_s, 0.0))
            if at - busy_since < window:
                window = ACTIVE_S
        active = sum(at - seen <= window for _, seen in self.state.servers.values())
        return float(max(1, active))

    def gap_s(self, at: float, busy_since: float | None) -> float | None:
        """Seconds between services while somebody waits; None when unknown or nobody serves."""
        if self.state.told == 0:
            return None
        count = self.count(at, busy_since)
        service = self.service_s
        if service is not None and count:
            gap = service / count
        elif self.state.gaps >= SERVICES_MIN:
            gap = self.state.gap
        else:
            return None
        if busy_since is not None and self.state.last is not None:
            gap = max(gap, (at - max(self.state.last, busy_since)) / 4.0)
        return gap

    def observe(self, at: float, busy_since: float | None) -> None:
        """Learn the day's plan of servers from what is active at `at`."""
        count = self.count(at, busy_since)
        if count is None:
            return
        number = int(at // SLOT_S)
        slot, total, seen = self.state.slot
        if number != slot:
            if seen:
                mean, days = self.state.plan[slot % SLOTS]
                rate = max(PLAN_RATE, 1.0 / (days + 1))
                self.state.plan[slot % SLOTS] = (mean + rate * (total / seen - mean), min(days + 1, 1_000))
            slot, total, seen = number, 0.0, 0
        self.state.slot = (slot, total + count, seen + 1)

    def fluid(self, at: float, customers: float, gap: float) -> float:
        """Seconds until `customers` services have begun, with the servers that the plan foresees from `at` on."""
        here, days = self.state.plan[int(at // SLOT_S) % SLOTS]
        if not days or here <= 0.0:
            return customers * gap
        need, seconds = customers * gap, 0.0
        while seconds < HORIZON_S:
            slot = int((at + seconds) // SLOT_S)
            mean, known = self.state.plan[slot % SLOTS]
            pace = min(3.0, max(0.3, mean / here)) if known else 1.0
            left = (slot + 1) * SLOT_S - (at + seconds)
            if need <= pace * left:
                return seconds + need / pace
            need -= pace * left
            seconds += left
        return seconds + need

    def _learn_service(self, seconds: float) -> None:
        state = self.state
        if state.services >= SERVICES_MIN and seconds > BREAK * state.mean:
            return
        state.services = min(state.services + 1, 1_000_000)
        rate = max(RATE, 1.0 / state.services)
        state.mean += rate * (seconds - state.mean)
        state.square += rate * (seconds**2 - state.square)

    def _learn_gap(self, seconds: float) -> None:
        state = self.state
        if not math.isfinite(seconds):
            return
        state.gaps = min(state.gaps + 1, 1_000_000)
        if state.gaps > 20:
            seconds = min(seconds, BREAK * state.gap)
        state.gap += max(GAP_RATE, 1.0 / state.gaps) * (seconds - state.gap)
