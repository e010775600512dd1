"""Simulated staff: somebody takes every alert a minute after it was told."""

from collections.abc import Iterable, Iterator

from flowmon.facts import Acknowledged, Record
from flowmon.findings import EpisodeChanged, Finding
from flowmon.monitor.core import Monitor
from flowmon.venue.model import Venue

REACTION_S = 60.0
NAME = "simulated-staff"


def attended(venue: Venue, records: Iterable[Record]) -> Iterator[Record]:
    """The same records, and among them an acknowledgement for each alert. The core itself says what is open."""
    monitor = Monitor(venue)
    open_alerts: dict[str, EpisodeChanged] = {}
    for record in records:
        now = record[0].seen or record[0].at
        due: Record = [_taken(alert, now) for alert in open_alerts.values() if now - alert.at >= REACTION_S]
        for step in (due, record) if due else (record,):
            yield step
            _note(open_alerts, monitor.apply_record(step))


def _note(open_alerts: dict[str, EpisodeChanged], findings: list[Finding]) -> None:
    for finding in findings:
        if isinstance(finding, EpisodeChanged):
            open_alerts.pop(finding.episode, None)
            if finding.state in {"UNACK", "RTNUN"}:
                open_alerts[finding.episode] = finding


def _taken(alert: EpisodeChanged, now: float) -> Acknowledged:
    return Acknowledged(
        at=now,
        seen=now,
        source=f"user:{NAME}",
        simulated=True,
        episode=alert.episode,
        revision=alert.revision,
        by=NAME,
        command=f"{NAME}-{alert.episode}-{alert.revision}",
    )
