"""What stands in a mapping file, as frozen values. `Pick` tables stay raw here; `sensors.mapping.picks` reads them."""

from typing import Any, Literal

from msgspec import UNSET, Struct

Format = Literal["json", "xml", "csv", "form", "text"]
FactType = Literal[
    "count", "zone_count", "queue_reading", "sighting", "device_status", "served", "desks_open", "booked", "interaction"
]

#: Most rows of one message, whatever a mapping says.
ROWS_MAX = 5_000


class About(Struct, frozen=True, forbid_unknown_fields=True):
    """The `[family]` table; see `Family` in `sensors/dialects/port.py`. The kinds follow from the facts."""

    name: str
    transports: list[str]
    source: str
    privacy: str = "nothing of a person is in the payload"
    tested: str = ""


class Match(Struct, frozen=True, forbid_unknown_fields=True):
    """Which messages are this sensor's. All of it must hold, or the message is refused.

    where: conditions. topic: an MQTT filter. says: the reason to give. unwanted: what does not match is dropped and
    counted, not kept as a reject (sister topics of the same device).
    """

    where: list[Any] = []
    topic: str = ""
    says: str = ""
    unwanted: bool = False


class Pick(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a value comes from (exactly one of the first eight) and how it is read.

    path: a selector from the row. root: one from the whole document. topic: a level of the topic, from 0, or from the
    end as -1. header: of an HTTP request. route: the device the route names. value: a constant.
    text: a text with `{device}`, `{row}` (from 1) and `{selector}` in it. first: picks; the first found counts.

    regex: keep its first group. map: text as it comes -> value; others are refused. default: when nothing is there.
    spelt: "slug" (an id of a venue file) or "mac" (12 capitals). digits: numbers may be text. base: of such text.
    unit: what a duration is in. time: "auto", "rfc3339", "unix" (s, ms or µs by magnitude), "s", "ms", "us", or a
    pattern of strptime; zone: IANA name for times without offset; fold: which of the two, on the day with 25 hours.
    or_seen: the gateway's clock where the time cannot be read. over: a selector of the whole of which this is a part.
    equals, differs, one_of, there: for conditions. there = true wants anything, false nothing (null is nothing);
    without any of them something must be there that is not false.
    """

    path: str = ""
    root: str = ""
    topic: int | None = None
    header: str = ""
    route: bool = False
    text: str = ""
    first: list[Any] = []
    value: Any = UNSET
    regex: str = ""
    map: Any = UNSET
    default: Any = UNSET
    spelt: Literal["", "slug", "mac"] = ""
    digits: bool = False
    base: Literal[10, 16] = 10
    unit: Literal["", "s", "ms", "us", "min", "h"] = ""
    time: str = ""
    zone: str = ""
    fold: Literal["refuse", "first", "second", "nearest"] = "refuse"
    or_seen: bool = False
    over: str = ""
    equals: Any = UNSET
    differs: Any = UNSET
    one_of: Any = UNSET
    there: bool | None = None


class FactTable(Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[facts]]` table: one fact for each row for which `where` holds. Fields are picks: text is a selector.

    each: selector of the rows ("" is the message itself). rows_max: more rows are refused. window_s: length of the
    window of a count where the payload tells only one end. invert: forward and backward change places.
    """

    type: FactType
    each: str = ""
    rows_max: int = ROWS_MAX
    where: list[Any] = []
    device: Any = None
    at: Any = None
    seq: Any = None
    historical: Any = None
    kind: Literal["", "event", "window", "cumulative"] = ""
    invert: bool = False
    window_s: float = 0.0
    line: Any = None
    forward: Any = None
    backward: Any = None
    start: Any = None
    end: Any = None
    complete: Any = None
    zone: Any = None
    people: Any = None
    queue: Any = None
    length: Any = None
    wait_s: Any = None
    outflow: Any = None
    receiver: Any = None
    rssi_dbm: Any = None
    advert: Any = None
    uuid: Any = None
    major: Any = None
    minor: Any = None
    health: Any = None
    reason: Any = None
    firmware: Any = None
    battery: Any = None
    desk: Any = None
    waited_s: Any = None
    desks: Any = None
    item: Any = None


class Sample(Struct, frozen=True, forbid_unknown_fields=True):
    """A message and what must come of it: `facts` (all of them), or `refused`, words of the reason.

    payload: its text; or hex: its bytes; or file: a file beside the mapping. device: as the route names it.
    seen: the gateway's clock. unwanted: the refusal is one that is not kept as a reject.
    """

    says: str
    payload: str = ""
    hex: str = ""
    file: str = ""
    topic: str = ""
    device: str = ""
    headers: Any = UNSET
    retained: bool = False
    seen: float = 1_777_730_461.0
    facts: list[Any] | None = None
    refused: str = ""
    unwanted: bool = False


class Columns(Struct, frozen=True, forbid_unknown_fields=True):
    """How a CSV text is cut: delimiter "" is found out; decimal: the mark in numbers; names: where it has no header."""

    delimiter: str = ""
    decimal: Literal[".", ","] = "."
    names: list[str] = []


class Mapping(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole mapping file.

    device: picks in order of preference; the default is the route's device. zone: IANA name for times without offset.
    body: what JSON payloads must be ("object", "array" or "any"). root: local name of the outermost XML element.
    pattern: of a text, a regular expression with named groups; without one its only name is `text`.
    """

    name: str
    format: Format
    family: About
    facts: list[FactTable]
    match: Match = Match()
    device: list[Any] = []
    zone: str = ""
    body: Literal["object", "array", "any"] = "object"
    root: str = ""
    pattern: str = ""
    csv: Columns = Columns()
    samples: list[Sample] = []
