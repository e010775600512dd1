"""Rules to episodes: who must know that a limit is passed, until when, and what became of it.

Theory of operation (ISA-18.2, as far as this release goes)

    state   input      next     what the input is
    NORM    raise      UNACK    value at or above the limit for `hold_s`
    UNACK   ack        ACKED    a person took it over, having seen the current revision
    UNACK   clear      RTNUN    value under `clear` for `clear_hold_s`
    ACKED   clear      NORM
    RTNUN   ack        NORM
    RTNUN   raise      UNACK    back before anybody saw it
    UNACK,ACKED,RTNUN  shelve   SHLVD    put aside with a reason, at most two hours
    SHLVD   expire     UNACK    still above
    SHLVD   lapse      NORM     no longer above

    Between `clear` and the limit nothing changes (dead-band), and both holds must pass without interruption, so a
    count that hovers at the limit raises one episode. Every change has a new revision; a command that names an old
    one is refused. Values of bad quality neither raise nor clear: they freeze the episode.
    When half of all devices are silent at once it is one outage, not many: one episode on the subject `all`.

Failure mode: `hold_s` and the lateness are the price of calm; a rule for danger sets `hold_s = 0`.
Source: ANSI/ISA-18.2; Alertmanager's grouping.
"""

from collections.abc import Iterator

from msgspec import Struct, field

from flowmon.facts import Acknowledged, RuleChanged, Shelved
from flowmon.findings import EpisodeChanged, EpisodeState, Quality
from flowmon.monitor.intake import Refused
from flowmon.venue.model import Rule, Venue

TRANSITIONS: dict[tuple[EpisodeState, str], EpisodeState] = {
    ("NORM", "raise"): "UNACK",
    ("UNACK", "ack"): "ACKED",
    ("UNACK", "clear"): "RTNUN",
    ("ACKED", "clear"): "NORM",
    ("RTNUN", "ack"): "NORM",
    ("RTNUN", "raise"): "UNACK",
    ("UNACK", "shelve"): "SHLVD",
    ("ACKED", "shelve"): "SHLVD",
    ("RTNUN", "shelve"): "SHLVD",
    ("SHLVD", "expire"): "UNACK",
    ("SHLVD", "lapse"): "NORM",
}
SHELVE_MAX_S = 7_200.0
OUTAGE_SHARE = 0.5
OUTAGE_MIN = 3
TEXTS = {"zone": "zone_above", "venue": "venue_above", "queue": "queue_above", "device": "device_silent"}
UNITS = {"zone": "people", "venue": "people", "queue": "minutes", "device": "seconds"}


class Measure(Struct, frozen=True):
    """A subject's value against 100 % of its limit (`scale`); None when unknown."""

    subject: str
    value: float | None
    scale: float
    quality: Quality


class Episode(Struct):
    """One rule at one subject: its state, and since when the value has been above or under its limits."""

    state: EpisodeState = "NORM"
    id: str = ""
    revision: int = 0
    raised_at: float = 0.0
    above_since: float | None = None
    under_since: float | None = None
    value: float | None = None
    limit: float | None = None
    quality: Quality = "good"
    by: str = ""
    note: str = ""
    until: float | None = None


class AlertsState(Struct):
    """episodes: rule -> subject -> episode; limits: rules changed by staff -> (above, clear)."""

    episodes: dict[str, dict[str, Episode]] = field(default_factory=dict)
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)


class Alerts:
    """Every rule of a venue at every subject it watches."""

    def __init__(self, venue: Venue, state: AlertsState | None = None) -> None:
        self.state = state or AlertsState()
        self._rules = venue.rules
        for name in venue.rules:
            self.state.episodes.setdefault(name, {})

    def close(self, watches: str, measures: list[Measure], at: float) -> list[EpisodeChanged]:
        """Judge the rules that watch zones, the venue, queues or devices, on closed values."""
        changed = []
        for name, rule in self._rules.items():
            if rule.watches != watches:
                continue
            relevant = [m for m in measures if m.subject in rule.only] if rule.only else measures
            if watches == "device":
                relevant = _one_outage(relevant)
            above, clear = self.state.limits.get(name, (rule.above, rule.clear))
            episodes = self.state.episodes[name]
            for measure in relevant:
                if measure.subject in episodes or (
                    measure.value is not None and measure.value >= above * measure.scale
                ):
                    changed += self._judge(name, measure, above * measure.scale, clear * measure.scale, at)
        return changed

    def acknowledge(self, fact: Acknowledged, at: float) -> EpisodeChanged:
        """A person takes an episode over. Raises Refused when it is unknown or has moved on."""
        name, subject, episode = self._find(fact.episode, fact.revision)
        if (episode.state, "ack") not in TRANSITIONS:
            raise Refused(f"not_open: episode {fact.episode} is {episode.state}, nothing to acknowledge")
        episode.by, episode.note = fact.by, fact.note
        return self._move(name, subject, episode, "ack", at, cause=fact.command)

    def shelve(self, fact: Shelved, at: float) -> EpisodeChanged:
        """A person puts an episode aside. Raises Refused when it is unknown, has moved on, or for too long."""
        name, subject, episode = self._find(fact.episode, fact.revision)
        if (episode.state, "shelve") not in TRANSITIONS:
            raise Refused(f"not_open: episode {fact.episode} is {episode.state}, nothing to shelve")
        if not at < fact.until <= at + SHELVE_MAX_S + 60.0:
            raise Refused("too_long: an episode is shelved for two hours at most")
        episode.by, episode.note, episode.until = fact.by, fact.reason, fact.until
        return self._move(name, subject, episode, "shelve", at, cause=fact.command)

    def change_rule(self, fact: RuleChanged) -> None:
        """A person moves a rule's limits. Raises Refused for an unknown rule or limits without a dead-band."""
        if fact.rule not in self._rules:
            raise Refused(f"unknown: there is no rule {fact.rule!r}")
        if not 0 <= fact.clear < fact.above:
            raise Refused("invalid: `clear` must be below `above`, or the alarm would flutter")
        self.state.limits[fact.rule] = (fact.above, fact.clear)

    def leap(self) -> None:
        """The clock was set: holds start again."""
        for _, _, episode in self._all():
            episode.above_since = episode.under_since = None

    def open_episodes(self, at: float) -> list[EpisodeChanged]:
        """Every episode that is not over, as it stands."""
        return [self._told(name, subject, e, at) for name, subject, e in self._all() if e.state != "NORM"]

    def _judge(self, name: str, measure: Measure, limit: float, clear: float, at: float) -> list[EpisodeChanged]:
        episodes, value = self.state.episodes[name], measure.value
        episode = episodes.setdefault(measure.subject, Episode())
        episode.quality = measure.quality
        if value is not None and measure.quality != "bad":
            episode.value, episode.limit = round(value, 2), round(limit, 2)
            episode.above_since = _since(episode.above_since, value >= limit, at)
            episode.under_since = _since(episode.under_since, value < clear, at)
        told = []
        verdict = self._verdict(self._rules[name], episode, at)
        if verdict is not None:
            if episode.state == "NORM":
                episode.id, episode.revision = f"{name}.{measure.subject}.{at:.0f}", 0
                episode.raised_at, episode.by, episode.note = at, "", ""
            told.append(self._move(name, measure.subject, episode, verdict, at))
        if episode.state == "NORM" and episode.above_since is None:
            del episodes[measure.subject]
        return told

    @staticmethod
    def _verdict(rule: Rule, episode: Episode, at: float) -> str | None:
        """The input of the transition table that the value and the time amount to."""
        above = episode.above_since is not None and at - episode.above_since >= rule.hold_s
        under = episode.under_since is not None and at - episode.under_since >= rule.clear_hold_s
        if episode.state == "SHLVD":
            if episode.until is None or at < episode.until:
                return None
            return "expire" if episode.above_since is not None else "lapse"
        if above and (episode.state, "raise") in TRANSITIONS:
            return "raise"
        if under and (episode.state, "clear") in TRANSITIONS:
            return "clear"
        return None

    def _move(
        self, name: str, subject: str, episode: Episode, verdict: str, at: float, cause: str = ""
    ) -> EpisodeChanged:
        episode.state = TRANSITIONS[episode.state, verdict]
        episode.revision += 1
        if episode.state != "SHLVD":
            episode.until = None
        return self._told(name, subject, episode, at, cause)

    def _told(self, name: str, subject: str, episode: Episode, at: float, cause: str = "") -> EpisodeChanged:
        rule = self._rules[name]
        return EpisodeChanged(
            at=at,
            episode=episode.id,
            rule=name,
            subject=subject,
            state=episode.state,
            severity=rule.severity,
            revision=episode.revision,
            raised_at=episode.raised_at,
            text=TEXTS[rule.watches],
            value=episode.value,
            limit=episode.limit,
            unit=UNITS[rule.watches],
            quality=episode.quality,
            by=episode.by,
            note=episode.note,
            until=episode.until,
            cause=cause,
        )

    def _find(self, episode_id: str, revision: int) -> tuple[str, str, Episode]:
        for name, subject, episode in self._all():
            if episode.id == episode_id and episode.state != "NORM":
                if episode.revision != revision:
                    raise Refused(f"stale_rev: the episode is at revision {episode.revision}, look again")
                return name, subject, episode
        raise Refused(f"unknown: there is no open episode {episode_id!r}")

    def _all(self) -> Iterator[tuple[str, str, Episode]]:
        for name, episodes in self.state.episodes.items():
            for subject, episode in episodes.items():
                yield name, subject, episode


def _since(since: float | None, holds: bool, at: float) -> float | None:
    """Since when a condition has held without interruption."""
    if not holds:
        return None
    return at if since is None else since


def _one_outage(measures: list[Measure]) -> list[Measure]:
    """Many silent devices at once are one outage: the subject `all` speaks for them."""
    silent = [m for m in measures if m.value is not None and m.value >= m.scale]
    outage = len(silent) >= max(OUTAGE_MIN, OUTAGE_SHARE * len(measures))
    if outage:
        measures = [Measure(m.subject, 0.0, m.scale, "bad") if m in silent else m for m in measures]
    longest = max((m.value or 0.0 for m in silent), default=0.0)
    return [*measures, Measure("all", longest if outage else 0.0, 1.0, "good")]
