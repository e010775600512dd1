"""What the feed says on a socket, written down for its readers: JSON Schema, AsyncAPI and the browser's types.

The feed itself builds these frames from dictionaries, because a delta has any subset of the fields; a contract
test holds what it builds against what is written here. Times are milliseconds since the epoch, waits and ages
seconds, `null` is unknown.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from flowmon.commands import Role
from flowmon.findings import DeviceHealthState, EpisodeState, Level, Quality, Severity


class ShownBase(Struct, frozen=True, kw_only=True):
    """`at`: the time it holds for. `sim`: true when simulated."""

    at: int
    sim: bool | UnsetType = UNSET


class ZoneShown(ShownBase, frozen=True, kw_only=True):
    """Channel `zones`, key: the zone. See ZoneState for what the fields mean."""

    occ: float | None
    lo: float
    hi: float
    cap: int
    dens: float | None
    in_: float = field(name="in")
    out: float
    lvl: Level
    q: Quality
    age: float | None
    m: str
    inp: list[str]
    raw: int
    bcn: int
    prov: bool


class VenueShown(ShownBase, frozen=True, kw_only=True):
    """Channel `kpi`, key `venue`. See VenueState."""

    occ: float | None
    lo: float
    hi: float
    cap: int
    in_: float = field(name="in")
    out: float
    entered: int
    lvl: Level
    q: Quality
    age: float | None
    next: str
    prov: bool


class DoorShown(Struct, frozen=True, kw_only=True):
    """What a counter (`c`) brought into a room and out of it since its base. See DoorAccount.

    gi, go: gains; ni, no: what it counted itself.
    """

    c: str
    in_: float = field(name="in")
    out: float
    gi: float
    go: float
    ni: int
    no: int


class WhyShown(ShownBase, frozen=True, kw_only=True):
    """Channel `why`, key: the zone. Told once a minute. See Explained: v = base + doors + all of ev.

    v: the closed number, which is shown as zero when below; t: when the base was known, by: what told it.
    """

    v: float
    sd: float
    base: float
    by: str
    t: int | None
    doors: list[DoorShown]
    ev: dict[str, float]
    share: float | None
    m: str


class QueueShown(ShownBase, frozen=True, kw_only=True):
    """Channel `queues`, key: the queue. See QueueState."""

    len: float | None
    lo: float
    hi: float
    leaving: float | None
    p50: float | None
    p90: float | None
    thr: float | None
    desks: int | None
    q: Quality
    m: str
    sign: float | None


class DeviceShown(ShownBase, frozen=True, kw_only=True):
    """Channel `sensors`, key: the counter, receiver or gateway. See DeviceState.

    msgs, rej, worst: only of the gateway: messages of the last minute, those refused, the commonest reason.
    """

    kind: Literal["counter", "receiver", "gateway"]
    health: DeviceHealthState
    since: int
    reason: str
    last: int | None
    zones: list[str]
    skew: float | None
    time: Literal["device", "shifted", "gateway"]
    msgs: int | UnsetType = UNSET
    rej: int | UnsetType = UNSET
    worst: str | UnsetType = UNSET


class ForecastShown(ShownBase, frozen=True, kw_only=True):
    """Channel `forecast`, key `zone/horizon`. See Forecast."""

    zone: str
    horizon: float
    occ: float | None
    lo: float
    hi: float
    m: str
    over: float | None


class AlertShown(ShownBase, frozen=True, kw_only=True):
    """Channel `alerts`. See EpisodeChanged."""

    id: str
    key: str
    rule: str
    subject: str
    state: EpisodeState
    pri: Severity
    rev: int
    raised: int
    text: str
    value: float | None
    limit: float | None
    unit: str
    q: Quality
    by: str
    note: str
    until: int | None


#: What each channel shows.
CHANNELS: dict[str, type[ShownBase]] = {
    "zones": ZoneShown,
    "queues": QueueShown,
    "sensors": DeviceShown,
    "forecast": ForecastShown,
    "kpi": VenueShown,
    "why": WhyShown,
    "alerts": AlertShown,
}


class VenueName(Struct, frozen=True):
    """A venue that this feed tells of."""

    id: str
    name: str


class Welcome(Struct, frozen=True, kw_only=True, tag_field="t", tag="welcome"):
    """The first frame of the feed. `at`, `now`: the venue's clock; `rate`: its seconds per second.

    hb_ms: a heartbeat comes so often. can: the commands this client may give. min_ver: the oldest page.
    """

    sid: str
    epoch: str
    now: str
    at: int
    hb_ms: int
    mode: str
    rate: float
    simulated: bool
    venue: str
    venues: list[VenueName]
    role: Role
    by: str
    can: list[str]
    ver: str
    min_ver: str


class Hb(Struct, frozen=True, kw_only=True, tag_field="t", tag="hb"):
    """Proof of life. seq: where each subscription stands. lag_ms: the venue's clock minus the newest finding."""

    at: int
    seq: dict[str, int]
    lag_ms: int | None
    simulated: bool | UnsetType = UNSET


class Snap(Struct, frozen=True, kw_only=True, tag_field="t", tag="snap"):
    """Everything a channel shows, key to fields; with `partial`, what changed since the client was here.

    id: of the subscription it answers. gap: events of a log channel were lost for ever.
    """

    ch: str
    epoch: str
    seq: int
    at: int
    z: dict[str, dict[str, Any] | None]
    id: int = 0
    venue: str | UnsetType = UNSET
    partial: bool | UnsetType = UNSET
    gap: bool | UnsetType = UNSET


class Delta(Struct, frozen=True, kw_only=True, tag_field="t", tag="delta"):
    """What changed: an absent field is unchanged, a key with `null` is gone.

    `from`..`to` covers merged and filtered-out changes too: unless `from` follows the last `to`, subscribe again.
    """

    ch: str
    from_: int = field(name="from")
    to: int
    at: int
    z: dict[str, dict[str, Any] | None]
    venue: str | UnsetType = UNSET


class Ev(Struct, frozen=True, kw_only=True, tag_field="t", tag="ev"):
    """One event of a log channel, in order, none left out: `alert` on `alerts`, `audit` on `audit`."""

    ch: str
    seq: int
    alert: AlertShown | UnsetType = UNSET
    audit: dict[str, Any] | UnsetType = UNSET
    venue: str | UnsetType = UNSET


class Res(Struct, frozen=True, kw_only=True, tag_field="t", tag="res"):
    """The answer to a command, once the core has taken or refused it.

    rev: the episode's new revision. code, reason: why not. retry: whether trying again can help. cur: the
    episode as it stands.
    """

    id: int
    ok: bool
    rev: int | UnsetType = UNSET
    code: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    retry: bool | UnsetType = UNSET
    cur: dict[str, Any] | UnsetType = UNSET
