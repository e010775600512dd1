import socket
import urllib.request

import pytest

from flowmon import metrics
from flowmon.errors import FlowmonError
from flowmon.findings import VenueState, ZoneState


def value(name: str) -> float:
    """The value of one line of the text format, 0 when it is not there yet."""
    for line in metrics.render().decode().splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


def test_findings_are_counted_by_type() -> None:
    before = value('flowmon_findings_total{type="zone_state"}')
    zone = ZoneState(at=1.0, zone="foyer", occupancy=3.0, lo=2.0, hi=4.0, capacity=10)
    metrics.found([zone, zone, VenueState(at=1.0, occupancy=3.0, lo=2.0, hi=4.0, capacity=10)])
    assert value('flowmon_findings_total{type="zone_state"}') == before + 2


def test_the_value_in_a_reason_is_no_label() -> None:
    before = value('flowmon_rejected_total{reason="not JSON"}')
    for number in range(5):
        metrics.rejected(f"not JSON: byte {number}")
    assert value('flowmon_rejected_total{reason="not JSON"}') == before + 5


def test_a_flood_of_reasons_ends_under_other() -> None:
    for number in range(metrics.LABELS_MAX * 3):
        metrics.rejected(f"reason {number}: with a value {number}")
    lines = [line for line in metrics.render().decode().splitlines() if line.startswith("flowmon_rejected_total{")]
    assert len(lines) <= metrics.LABELS_MAX + 1
    assert value('flowmon_rejected_total{reason="other"}') > 0


def test_every_process_can_say_how_it_is() -> None:
    metrics.message_in("native", 3)
    metrics.applied(0.002, facts=4)
    metrics.appended(0.01)
    metrics.journal_lag("museum", 7)
    metrics.lag("museum", 0.4)
    metrics.clients(2)
    metrics.sent(100)
    metrics.closed(4410)
    metrics.painted(0.016)
    metrics.zone_age("museum", "foyer", 1.5)
    assert value('flowmon_journal_lag_records{venue="museum"}') == 7
    assert value('flowmon_zone_data_age_seconds{venue="museum",zone="foyer"}') == 1.5
    assert value("flowmon_feed_clients") == 2


def test_the_listener_serves_and_stops_and_says_when_its_port_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(FlowmonError, match="FLOWMON_METRICS_PORT"):
            metrics.start(taken.getsockname()[1])
        port = taken.getsockname()[1]
    stop = metrics.start(port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert b"flowmon_messages" in answer.read()
    stop()
    metrics.start(0)()
