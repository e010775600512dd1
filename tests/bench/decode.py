"""What it costs to decode a typical message of each dialect, against the least it could cost.

JSON: `json.loads` of the same bytes, and µs; text of XML and binary bodies: `int.from_bytes` of the same bytes, and µs.
Both sides take turns in one process, in batches long enough for the clock; the figure of a repeat is the median of its
batches. Of a dialect's messages of one kind the dearest counts, so a cheap status cannot hide a dear report.
"""

import json
import statistics
import time
from collections.abc import Callable

from sensors.dialects import DIALECTS
from sensors.dialects.port import Dialect, Message
from tests.bench.bench import Bench
from tests.bench.figures import Row, judged, spread
from tests.typical import DEVICE, TYPICAL

#: Most µs a message may take: JSON and XML are text of some hundred bytes, binary (and bare words) of some ten.
LIMITS_US = {"JSON": 50.0, "XML": 50.0, "binary": 20.0}
_BATCH_S = 0.002
_BATCHES = 15


async def measure(bench: Bench) -> list[Row]:
    """A row a dialect and kind of body, dearest first."""
    rows = []
    for name, dialect in DIALECTS.items():
        bench.tell(f"decode: {name}")
        by_kind: dict[str, list[Message]] = {}
        for message in TYPICAL[name]:
            by_kind.setdefault(_kind(message.payload), []).append(message)
        for kind, messages in by_kind.items():
            costs = [_cost(dialect, message, bench.repeats) for message in messages]
            rows.append(_row(name, kind, *max(costs, key=lambda cost: statistics.median(cost[1]))))
    return sorted(rows, key=lambda row: -row.value)


def _row(name: str, kind: str, message: Message, ours: list[float], least: list[float]) -> Row:
    peer = "json.loads" if kind == "JSON" else "int.from_bytes"
    ratios = spread([own / other for own, other in zip(ours, least, strict=True)])
    return judged(
        Row(
            measure="decode",
            what=f"{name}: {len(message.payload)} bytes of {kind}, {ratios.median:.3g} × {peer}",
            value=statistics.median(ours),
            unit="µs",
            bound="at most",
            target=LIMITS_US[kind],
            figures={"decode µs": spread(ours), f"{peer} µs": spread(least), "ratio": ratios},
        )
    )


def _kind(payload: bytes) -> str:
    if payload.lstrip().startswith(b"<"):
        return "XML"
    try:
        json.loads(payload)
    except ValueError:
        return "binary"
    return "JSON"


def _cost(dialect: Dialect, message: Message, repeats: int) -> tuple[Message, list[float], list[float]]:
    """(message, µs of decoding it, µs of the least) as often as `repeats`."""
    payload = message.payload
    least: Callable[[], object] = (
        (lambda: json.loads(payload)) if _kind(payload) == "JSON" else (lambda: int.from_bytes(payload, "big"))
    )
    ours, others = [], []
    for _ in range(repeats):
        pairs = [(_timed(lambda: dialect.decode(message, DEVICE)), _timed(least)) for _ in range(_BATCHES)]
        ours.append(statistics.median(own for own, _ in pairs))
        others.append(statistics.median(other for _, other in pairs))
    return message, ours, others


def _timed(call: Callable[[], object]) -> float:
    """µs of processor time a call, of a batch of about _BATCH_S."""
    began = time.perf_counter()
    call()
    times = max(1, min(10_000, int(_BATCH_S / max(time.perf_counter() - began, 1e-7))))
    spent = time.process_time_ns()
    for _ in range(times):
        call()
    return (time.process_time_ns() - spent) / times / 1e3
