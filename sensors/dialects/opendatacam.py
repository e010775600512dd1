"""OpenDataCam: who crossed the counting areas of a recording, as its JSON or its CSV export.

Source: opendatacam/opendatacam server.js (MIT), `/recording/:id/counter` and its CSV.

Count kinds: `event`, one a person and area. The line is the area's name, or its id where no name is told.
`leftright_topbottom` is forward, `rightleft_bottomtop` backward.

Pitfalls:
* It counts what its network knows: only `person` is read. A recording of cars says nothing, and is no error.
* counterHistory is a list of lists, one a frame. Recordings of version 2 have no `countingDirection`: refused with
  what to do. `counterSummary` sums both directions over a recording, so it is not read.
* `id` numbers the tracks of one recording: a person who is lost and found again has two. Identity is area, time, id.
* Nothing in it names the device: the route must.
* It is fetched, or written to a file: no such device pushes, so it is read only.
"""

import csv
from collections.abc import Iterator, Sequence

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact
from sensors.dialects import bodies
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="OpenDataCam",
    transports=("HTTP",),
    kinds=("event",),
    privacy="track numbers of one recording, kept to know a repeat; nothing else of single people is sent",
    tested="documents of 3.0",
    source="opendatacam/opendatacam server.js",
)

_WAYS = {"leftright_topbottom": (1, 0), "rightleft_bottomtop": (0, 1)}
_CSV = ["Timestamp", "Counter area", "ObjectClass", "UniqueID", "CountingDirection"]
_ROW_MAX = 2_000

Body = dict[str, object]


def decode(message: Message, device: str) -> list[Fact]:
    """See the port. Reads a recording, an array of recordings, or the CSV of one."""
    text = message.payload.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b'"Timestamp"', b"Timestamp,")):
        crossings = list(_rows(text))
    else:
        body = bodies.document(message.payload)
        recordings = body if isinstance(body, list) else [body]
        if not recordings:
            raise Undecodable("opendatacam: no recording in it")
        crossings = [row for item in recordings for row in _recording(bodies.table(item, "recording"))]
    if not device:
        raise Undecodable("opendatacam: the payload names no device; name it on its route")
    device = bodies.name(device, "device")
    return [_count(row, area, device, message.seen) for row, area in crossings if row.get("name") == "person"]


def _recording(body: Body) -> Iterator[tuple[Body, str]]:
    if "counterHistory" not in body:
        raise Undecodable("opendatacam: no counterHistory; export the counter of a recording")
    areas = bodies.table(body.get("areas") or {}, "areas")
    for frame in bodies.rows(body["counterHistory"], "counterHistory"):
        for item in frame if isinstance(frame, list) else [frame]:
            row = bodies.table(item, "crossing")
            area = bodies.name(row.get("area"), "area")
            known = areas.get(area)
            title = known.get("name") if isinstance(known, dict) else None
            yield row, bodies.name(title, "area name") if title else area


def _rows(text: bytes) -> Iterator[tuple[Body, str]]:
    try:
        lines = text.decode().splitlines()
    except UnicodeDecodeError:
        raise Undecodable("opendatacam: the CSV is not UTF-8 text") from None
    if any(len(line) > _ROW_MAX for line in lines):
        raise Undecodable(f"opendatacam: a row of the CSV is longer than {_ROW_MAX} characters")
    try:
        rows = list(csv.reader(lines, strict=True))
    except csv.Error as error:
        raise Undecodable(f"opendatacam: not CSV: {error}") from None
    if not rows or rows[0] != _CSV:
        raise Undecodable("opendatacam: the CSV has other columns than Timestamp, Counter area, ObjectClass, …")
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != len(_CSV):
            raise Undecodable(f"opendatacam: a truncated row in the CSV: row {number}")
        timestamp, area, label, track, way = row
        told: Body = {"timestamp": timestamp, "name": label, "id": track, "countingDirection": way}
        yield told, bodies.name(area, "Counter area")


def _count(row: Body, line: str, device: str, seen: float) -> Count:
    way = _WAYS.get(str(row.get("countingDirection")))
    if way is None:
        raise Undecodable("opendatacam: no countingDirection; draw the area as a line with a direction (version 3)")
    track = bodies.digits(row.get("id"), "id")
    return Count(
        at=bodies.instant(row.get("timestamp"), "timestamp"),
        source=device,
        seen=seen,
        counter=device,
        kind="event",
        line=line,
        forward=way[0],
        backward=way[1],
        seq=bodies.people(2 * track + way[1], "id"),
    )


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. Read only, for no such device pushes: any fact raises ValueError."""
    if facts:
        raise ValueError(f"opendatacam is read only: {device} of {venue} cannot be simulated in it")
    return []
