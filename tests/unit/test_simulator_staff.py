"""Simulated staff take every alert, with the revision the core expects, and change nothing else."""

from flowmon.facts import Acknowledged, Fact, Record
from flowmon.findings import Rejected
from flowmon.monitor.core import Monitor
from simulator.staff import attended
from tests import small


def test_every_alert_is_taken_once_and_the_core_accepts_it() -> None:
    facts: list[Fact] = [small.cross("ctr-gate", 1, 1, 50), small.cross("ctr-door", 2, 1, 40), *small.ticks(3, 200)]
    records: list[Record] = [[fact] for fact in facts]
    told = list(attended(small.venue(), records))
    taken = [fact for record in told for fact in record if isinstance(fact, Acknowledged)]
    assert [record for record in told if not isinstance(record[0], Acknowledged)] == records
    assert [fact.revision for fact in taken] == [1]
    assert all(fact.simulated for fact in taken)
    monitor = Monitor(small.venue())
    findings = [finding for record in told for finding in monitor.apply_record(record)]
    assert [finding for finding in findings if isinstance(finding, Rejected)] == []
    assert [episode.state for episode in monitor._alerts.open_episodes(0)] == ["ACKED"]
