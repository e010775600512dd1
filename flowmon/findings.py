"""Findings: what the core concludes. The only output of the core, and all that screens and history ever see.

Every estimate carries an interval (`lo`..`hi`, nominally 90 %), a quality and an age. `unknown` is a legal answer.
A finding is published under its `subject`; the latest one of a subject replaces the one before, except for
episodes, corrections and rejects, which are never conflated.
"""

from typing import Literal

from msgspec import Struct

Quality = Literal["good", "estimated", "stale", "bad"]
Level = Literal["normal", "high", "over", "unknown"]
EpisodeState = Literal["NORM", "UNACK", "ACKED", "RTNUN", "SHLVD"]
Severity = Literal["critical", "high", "medium", "low"]
CorrectionReason = Literal["recount", "negative", "closing", "zone-sensor", "late", "beacons", "neighbour", "usual"]
DeviceHealthState = Literal["good", "late", "silent", "fault", "suspect", "unknown"]


class FindingBase(Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True, gc=False):
    """`at` is the time of the journal the finding holds for (a watermark or a fact's time), UTC seconds."""

    at: float
    simulated: bool = False


class ZoneState(FindingBase, frozen=True, kw_only=True, tag="zone_state", gc=False):
    """People in a zone. A provisional state moves the shown number at once; the closed one follows the watermark.

    density: people per square metre. inflow, outflow: people per minute over the last five minutes.
    truth_age_s: seconds since somebody or something last knew the true number; None when never.
    raw: the plain in - out balance, shown beside the estimate for audit (may be negative).
    method, inputs: what made the number (`filter`, `balance`), of what (`counters`, `beacons`, the last truth's kind).
    """

    zone: str
    occupancy: float | None
    lo: float
    hi: float
    capacity: int
    density: float | None = None
    inflow: float = 0.0
    outflow: float = 0.0
    level: Level = "normal"
    quality: Quality = "good"
    truth_age_s: float | None = None
    method: str = "raw"
    inputs: list[str] = []
    raw: int = 0
    beacons: int = 0
    provisional: bool = False


class VenueState(FindingBase, frozen=True, kw_only=True, tag="venue_state", gc=False):
    """People in the whole venue. `entered` counts everyone who came in since opening.

    count_next: the zone whose recount would take most from the uncertainty of all numbers.
    """

    occupancy: float | None
    lo: float
    hi: float
    capacity: int
    inflow: float = 0.0
    outflow: float = 0.0
    entered: int = 0
    level: Level = "normal"
    quality: Quality = "good"
    truth_age_s: float | None = None
    count_next: str = ""
    provisional: bool = False


class QueueState(FindingBase, frozen=True, kw_only=True, tag="queue_state", gc=False):
    """A queue. Experienced and projected waits are kept apart (ACRIS QueueMeasurement).

    wait_leaving_s: mean wait of those who left in the last five minutes. wait_p50_s, wait_p90_s: for whoever
    joins now. throughput: people served per minute. None means unknown, and 0 is said of an empty queue.
    sign_s: what to promise in public, the 80 % point of the projected wait rounded up to five minutes.
    """

    queue: str
    length: float | None
    lo: float
    hi: float
    wait_leaving_s: float | None = None
    wait_p50_s: float | None = None
    wait_p90_s: float | None = None
    throughput: float | None = None
    desks: int | None = None
    quality: Quality = "good"
    method: str = "length-over-throughput"
    sign_s: float | None = None


class Forecast(FindingBase, frozen=True, kw_only=True, tag="forecast", gc=False):
    """Occupancy of a zone, or of the whole `venue`, expected `horizon_s` seconds after `at`.

    method: model, or clim_dev where the model knows less or lost for a week; climatology while the number of now is
    not believed; persistence on a day like none before; closed after closing time.
    p_over: probability (0..1) that the capacity is reached then; None without a capacity.
    """

    zone: str
    horizon_s: float
    occupancy: float
    lo: float
    hi: float
    method: str
    p_over: float | None = None


class Flow(FindingBase, frozen=True, kw_only=True, tag="flow", gc=False):
    """People who went from one zone to a neighbour in the closed window `start`..`at`.

    late: told after that window was; these people come on top of what was told of it, and history is the sum of both.
    counter: who told them late, as counters of one portal see the same people ("" when not late).
    """

    portal: str
    origin: str
    destination: str
    people: int
    start: float
    late: bool = False
    counter: str = ""


class Dwell(FindingBase, frozen=True, kw_only=True, tag="dwell", gc=False):
    """How long beacon carriers stayed in a zone, over the closed window `start`..`at`. `visits` is at least five."""

    zone: str
    visits: int
    p50_s: float
    p90_s: float
    start: float


class EpisodeChanged(FindingBase, frozen=True, kw_only=True, tag="episode", gc=False):
    """One raise-to-resolve of one rule at one subject. Every change has its own revision.

    text is a code; screens render it with `value`, `limit` and `unit` in the user's language.
    cause: the idempotency key of the command that caused the change, when one did.
    """

    episode: str
    rule: str
    subject: str
    state: EpisodeState
    severity: Severity
    revision: int
    raised_at: float
    text: str
    value: float | None = None
    limit: float | None = None
    unit: str = "people"
    quality: Quality = "good"
    by: str = ""
    note: str = ""
    until: float | None = None
    cause: str = ""


class DeviceState(FindingBase, frozen=True, kw_only=True, tag="device_state", gc=False):
    """A counter or receiver: its health since when and why, what it blinds or makes doubtful, and its clock.

    clock_skew_s: gateway - device. time_source: whose time its reports are given: its own, its own shifted by a
    known error, or the gateway's. messages, rejected, worst: of the gateway, messages of the last minute, those refused
    and the commonest reason; None of other devices.
    """

    device: str
    kind: Literal["counter", "receiver", "gateway"]
    health: DeviceHealthState
    since: float
    reason: str = ""
    last_at: float | None = None
    zones: list[str] = []
    clock_skew_s: float | None = None
    time_source: Literal["device", "shifted", "gateway"] = "device"
    messages: int | None = None
    rejected: int | None = None
    worst: str = ""


class Correction(FindingBase, frozen=True, kw_only=True, tag="correction", gc=False):
    """A number was changed by something else than a crossing: who, why, and by how much.

    beacons: carriers are elsewhere than the doors say. neighbour: a truth next door. negative: fewer than nobody.
    usual: a door beside it does not see.
    """

    zone: str
    before: float
    after: float
    reason: CorrectionReason
    by: str
    note: str = ""
    cause: str = ""


class DoorAccount(Struct, frozen=True, kw_only=True, gc=False):
    """People a counter brought into a zone and out of it, gains applied. gain: people per counted person.

    counted_in, counted_out: what the counter itself said since the base. Several counters of one portal share its
    people; a silent one is taken at its usual rate.
    """

    counter: str
    entered: float
    left: float
    gain_in: float
    gain_out: float
    counted_in: int = 0
    counted_out: int = 0


class Explained(FindingBase, frozen=True, kw_only=True, tag="explained", gc=False):
    """Why a zone's closed number is what it is: value = base + entered - left over `doors` + all of `evidence`.

    The number shown is `value`, cut at zero. base: the number after the last truth of this zone, at `base_at`, told by
    `base_by` (`start` when never). evidence: people that beacons, an impossible number (`negative`) or a truth next
    door (`truth`) brought since; `lent`: lent by neighbours to an impossible number; `window`: probably seen by
    counters since their last report; `balance`: what the plain balance says otherwise while it is shown instead.
    beacon_share: people per person who carry a beacon, where beacons are used.
    """

    zone: str
    value: float
    sd: float
    base: float
    base_by: str
    base_at: float | None = None
    doors: list[DoorAccount] = []
    evidence: dict[str, float] = {}
    beacon_share: float | None = None
    method: str = "filter"


class Rejected(FindingBase, frozen=True, kw_only=True, tag="rejected", gc=False):
    """A fact or message that could not be used, with the reason in words that say what to do about it.

    raw: the scrubbed, bounded bytes (base64) where they came from outside. device, headers: who sent them, as far as
    the route knew, and what HTTP said of them. cause: a refused command's key, or the reject that was read again.
    """

    source: str
    reason: str
    topic: str = ""
    dialect: str = ""
    raw: str = ""
    cause: str = ""
    device: str = ""
    headers: dict[str, str] = {}


Finding = (
    ZoneState
    | VenueState
    | QueueState
    | Forecast
    | Flow
    | Dwell
    | EpisodeChanged
    | DeviceState
    | Correction
    | Explained
    | Rejected
)


def subject(finding: Finding) -> str:  # noqa: C901 -- one line for each type
    """The key a finding is published under, within its venue: `zone/foyer`, `episode/zone-full.foyer.3`.

    >>> subject(Flow(at=1.0, portal="p1", origin="foyer", destination="hall", people=3, start=0.0))
    'flow/p1/foyer'
    """
    match finding:
        case ZoneState():
            return f"zone/{finding.zone}"
        case VenueState():
            return "venue"
        case QueueState():
            return f"queue/{finding.queue}"
        case Forecast():
            return f"forecast/{finding.zone}/{finding.horizon_s:g}"
        case Flow(late=True):
            return f"flow/{finding.portal}/{finding.origin}/{finding.counter}"
        case Flow():
            return f"flow/{finding.portal}/{finding.origin}"
        case Dwell():
            return f"dwell/{finding.zone}"
        case EpisodeChanged():
            return f"episode/{finding.episode}"
        case DeviceState():
            return f"device/{finding.device}"
        case Correction():
            return f"correction/{finding.zone}"
        case Explained():
            return f"explained/{finding.zone}"
        case Rejected():
            return f"rejected/{finding.source}"


class Published(Struct, frozen=True, gc=False):
    """A finding with the name of the state it comes from: `(venue, offset, index)` is unique and repeatable.

    `offset` is the journal record whose application produced it, `index` its place among that record's findings.
    Whoever sees the same name twice has the same bytes twice, and drops the second.
    """

    venue: str
    offset: int
    index: int
    finding: Finding
