"""What every process counts about itself, in Prometheus' words. The only home of prometheus_client.

Labels come from venue files and from fixed lists, never from payloads: a label outside its bound is filed
under `other`, so that rubbish on the wire cannot fill the memory of whoever scrapes it.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from flowmon.errors import FlowmonError
from flowmon.findings import Finding

CONTENT_TYPE = CONTENT_TYPE_LATEST

#: Most different values a label may take before new ones become `other`.
LABELS_MAX = 100
ZONES_MAX = 2_000

_registry = CollectorRegistry()
for _collector in (ProcessCollector, PlatformCollector, GCCollector):
    _collector(registry=_registry)

_FAST = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_messages = Counter("flowmon_messages", "Messages received", ["dialect"], registry=_registry)
_lost = Counter("flowmon_messages_lost", "Messages of QoS 0 that came faster than they were read", registry=_registry)
_http = Counter("flowmon_http_requests", "Requests of devices that post, answered", ["status"], registry=_registry)
_http_now = Gauge("flowmon_http_in_flight", "Requests of devices being answered", registry=_registry)
_rejected = Counter("flowmon_rejected", "Messages and facts refused", ["reason"], registry=_registry)
_facts = Counter("flowmon_facts", "Facts applied by the core", registry=_registry)
_findings = Counter("flowmon_findings", "Findings published", ["type"], registry=_registry)
_apply = Histogram("flowmon_apply_seconds", "Applying one record", buckets=_FAST, registry=_registry)
_append = Histogram("flowmon_journal_append_seconds", "Until a record is durable", buckets=_FAST, registry=_registry)
_lag_records = Gauge("flowmon_journal_lag_records", "Records written but not applied", ["venue"], registry=_registry)
_lag_seconds = Gauge("flowmon_lag_seconds", "Now minus the newest finding", ["venue"], registry=_registry)
_clients = Gauge("flowmon_feed_clients", "Screens connected", registry=_registry)
_sent = Counter("flowmon_feed_sent_bytes", "Bytes written to screens", registry=_registry)
_cut = Counter("flowmon_feed_closed", "Connections the feed closed", ["code"], registry=_registry)
_paint = Histogram("flowmon_feed_paint_seconds", "Receive to paint, as screens say", buckets=_FAST, registry=_registry)
_age = Gauge("flowmon_zone_data_age_seconds", "Age of a zone's number", ["venue", "zone"], registry=_registry)


class _Bound:
    """Keeps a label to its first `most` values."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        if value in self._seen:
            return value
        if len(self._seen) >= self._most:
            return "other"
        self._seen.add(value)
        return value


_dialects, _reasons, _venues, _zones = (
    _Bound(LABELS_MAX),
    _Bound(LABELS_MAX),
    _Bound(ZONES_MAX),
    _Bound(ZONES_MAX),
)


def message_in(dialect: str, count: int = 1) -> None:
    """`count` messages of a dialect (`native`, `xovis`) arrived."""
    _messages.labels(_dialects(dialect)).inc(count)


def lost(count: int) -> None:
    """`count` messages of QoS 0 found no room and are gone."""
    _lost.inc(count)


def http_answered(status: int) -> None:
    """A device that posts was answered with one of our statuses (a fixed list)."""
    _http.labels(str(status)).inc()


def http_in_flight(count: int) -> None:
    """How many requests of devices are being answered."""
    _http_now.set(count)


def rejected(reason: str, count: int = 1) -> None:
    """Something was refused. Of `reason` the words before the first `:` are kept, at most 60 characters."""
    _rejected.labels(_reasons(reason.partition(":")[0].strip()[:60] or "unknown")).inc(count)


def applied(seconds: float, facts: int = 1) -> None:
    """The core applied a record of `facts` facts in `seconds`."""
    _apply.observe(seconds)
    _facts.inc(facts)


def appended(seconds: float) -> None:
    """A record was durable `seconds` after it was handed to the journal."""
    _append.observe(seconds)


def found(findings: Iterable[Finding]) -> None:
    """Findings were published; counted by their type."""
    for tag, count in Tally(finding.__struct_config__.tag for finding in findings).items():
        _findings.labels(str(tag)).inc(count)


def journal_lag(venue: str, records: int) -> None:
    """How many records of a venue's journal are not applied yet."""
    _lag_records.labels(_venues(venue)).set(records)


def lag(venue: str, seconds: float) -> None:
    """How far the newest finding of a venue is behind the clock."""
    _lag_seconds.labels(_venues(venue)).set(seconds)


def clients(count: int) -> None:
    """How many screens are connected."""
    _clients.set(count)


def sent(size: int) -> None:
    """`size` bytes went to a screen."""
    _sent.inc(size)


def closed(code: int) -> None:
    """The feed closed a connection with one of its own codes (a fixed list)."""
    _cut.labels(str(code)).inc()


def painted(seconds: float) -> None:
    """A screen says how long a message took from arrival to paint."""
    _paint.observe(seconds)


def zone_age(venue: str, zone: str, seconds: float) -> None:
    """How old the number of a zone is."""
    _age.labels(_venues(venue), _zones(zone)).set(seconds)


def render() -> bytes:
    """All metrics of this process in the text format, to be served as CONTENT_TYPE."""
    return generate_latest(_registry)


def start(port: int, host: str = "127.0.0.1") -> Callable[[], None]:
    """Serve the metrics on `host:port` from a thread; 0 serves nothing. Returns what stops it.

    Raises FlowmonError when the port is taken.
    """
    if port == 0:
        return lambda: None
    try:
        server, thread = start_http_server(port, addr=host, registry=_registry)
    except OSError as error:
        raise FlowmonError(
            f"metrics cannot listen on {host}:{port} ({error.strerror}): "
            "set FLOWMON_METRICS_PORT to a free port, or to 0 for none"
        ) from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)

    return stop
