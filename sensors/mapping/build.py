"""A mapping as read to a dialect, every problem of it at once with its path and what to write instead."""

import re
from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from flowmon.venue.model import Problem
from flowmon.venue.shape import Shape
from sensors.dialects import bodies
from sensors.dialects.port import Family
from sensors.mapping.dialect import Mapped, named
from sensors.mapping.documents import opener
from sensors.mapping.fields import HEALTHS, KINDS, Kind, Reading, reader
from sensors.mapping.model import ROWS_MAX, FactTable, Mapping, Match, Pick
from sensors.mapping.picks import SELECT, Place, Read, changes, holds, regex, source, spelling
from sensors.mapping.rules import Field, Rows, Rule, single
from sensors.mapping.selectors import MISSING, BadSelector, strict, xml_rows
from sensors.mapping.times import zone_of

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
#: A compiled condition.
Test = Callable[[Place], bool]
_TEXT_FORMATS = {"xml", "csv", "form", "text"}


class Builder:
    """Compiles one mapping, gathering `problems`. Use it once."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._shape = Shape()

    @property
    def problems(self) -> list[Problem]:
        """What is wrong, in the order in which it was found."""
        return self._shape.problems

    def build(self) -> Mapped:
        """The dialect; only to be used when there are no `problems`."""
        mapping = self._mapping
        self._head()
        early, late = self._match(mapping.match)
        devices = mapping.device or [{"route": True}]
        reads = [self._device(raw, f"device[{place}]") for place, raw in enumerate(devices)]
        rules = [self._rule(table, f"facts[{place}]") for place, table in enumerate(mapping.facts)]
        if not mapping.facts:
            self._say("facts", "has no table", 'add [[facts]] with type = "count", say')
        return Mapped(
            FAMILY=_family(mapping),
            name=mapping.name,
            open=self._try("pattern", lambda: opener(mapping)) or (lambda _: None),
            called=_all(early),
            matches=_all(late),
            says=mapping.match.says or "a message of another kind",
            unwanted=mapping.match.unwanted,
            device=named(reads),
            rules=rules,
            mapping=mapping,
        )

    def _say(self, path: str, message: str, hint: str) -> None:
        self.problems.append(Problem(path=path, message=message, hint=hint))

    def _try(self, path: str, compile_it: Callable[[], Any]) -> Any:
        try:
            return compile_it()
        except BadSelector as error:
            self._say(path, str(error), error.hint)
            return None

    def _head(self) -> None:
        mapping = self._mapping
        if not _SLUG.fullmatch(mapping.name) or len(mapping.name) > 60:
            self._say("name", f"{mapping.name!r:.60} is no name", "small letters, digits and -, like my-door-counter")
        if mapping.zone:
            self._try("zone", lambda: zone_of(mapping.zone))
        if mapping.pattern:
            if mapping.format != "text":
                self._say("pattern", f"is not for {mapping.format}", 'only format = "text" has a pattern')
            self._try("pattern", lambda: regex(mapping.pattern, 3))
        if (mapping.format == "xml") != bool(mapping.root):
            hint = 'XML needs the local name of its outermost element, like root = "Metrics"; nothing else has one'
            self._say("root", "is for XML, and XML needs it", hint)
        if len(mapping.csv.delimiter) > 1:
            self._say("csv.delimiter", "is not one character", 'write ";" or leave it out')

    def _match(self, match: Match) -> tuple[list[Test], list[Test]]:
        """The conditions that can be judged before the payload is opened, and the others."""
        early = self._where([raw for raw in match.where if not _needs_body(raw)], "match.where")
        late = self._where([raw for raw in match.where if _needs_body(raw)], "match.where")
        if match.topic:
            levels = match.topic.split("/")
            early.append(lambda place: fits(levels, place.scene.message.topic.split("/")))
        if not early and not late and not _guards(self._mapping):
            hint = 'name a field that only this sensor sends, like where = ["count_in"], so that others are refused'
            self._say("match", "accepts any message", hint)
        return early, late

    def _where(self, raws: list[Any], path: str) -> list[Test]:
        tests = []
        for number, raw in enumerate(raws):
            where = f"{path}[{number}]"
            if (pick := self._pick(raw, where)) is not None and (read := self._read(pick, where)) is not None:
                tests.append(holds(pick, read))
        return tests

    def _pick(self, raw: Any, path: str) -> Pick | None:
        """A pick as written: a text is a selector, a number or truth value a constant, a table says it all."""
        if isinstance(raw, str):
            return Pick(path=raw)
        if isinstance(raw, int | float):
            return Pick(value=raw)
        if isinstance(raw, dict):
            before = len(self.problems)
            pick = self._shape.struct(Pick, raw, path)
            return pick if len(self.problems) == before else None
        self._say(path, "is neither a selector nor a table", 'write "path.to.value" or { value = 1 }')
        return None

    def _read(self, pick: Pick, path: str) -> Read | None:
        def inner(raw: Any) -> Read:
            part = self._pick(raw, f"{path}.first")
            found = None if part is None else self._read(part, f"{path}.first")
            return found or (lambda _: MISSING)

        what = _what(pick, path)
        found: Read | None = self._try(path, lambda: changes(pick, source(pick, self._mapping.format, inner), what))
        return found

    def _device(self, raw: Any, path: str) -> Read:
        pick = self._pick(raw, path)
        read = None if pick is None else self._read(pick, path)
        if pick is None or read is None:
            return lambda _: MISSING
        what, spelt = _what(pick, path), pick.spelt

        def device(place: Place) -> Any:
            value = read(place)
            return MISSING if value is MISSING or value == "" else spelling(value, spelt, what)

        return device

    def _rule(self, table: FactTable, path: str) -> Rule:
        kind = KINDS[table.type]
        self._complete(table, kind, path)
        fields: dict[str, Field] = {}
        for name in _given(table):
            if name not in kind.known:
                self._say(f"{path}.{name}", f"is no field of a {table.type}", f"its fields are {', '.join(kind.known)}")
            elif name != "device" and (field := self._field(name, getattr(table, name), f"{path}.{name}")) is not None:
                fields[name] = field
        device = self._device(table.device, f"{path}.device") if table.device is not None else None
        return Rule(table, kind, self._rows(table, path), self._where(table.where, f"{path}.where"), fields, device)

    def _field(self, name: str, raw: Any, path: str) -> Field | None:
        pick = self._pick(raw, path)
        if pick is None or (read := self._read(pick, path)) is None:
            return None
        if name == "health":
            self._healths(pick, path)
        whole = None
        if pick.over:
            whole = self._read(Pick(path=pick.over), f"{path}.over")
        how = Reading(
            field=name,
            pick=pick,
            read=read,
            what=_what(pick, path),
            zone=self._mapping.zone,
            texts=self._mapping.format in _TEXT_FORMATS,
            comma=self._mapping.csv.decimal == ",",
            whole=whole,
        )
        found: Field | None = self._try(path, lambda: reader(how))
        return found

    def _healths(self, pick: Pick, path: str) -> None:
        told = list(pick.map.values()) if isinstance(pick.map, dict) else []
        told += [value for value in (pick.value, pick.default) if value is not UNSET]
        if wrong := [value for value in told if value not in HEALTHS]:
            self._say(path, f"{wrong[0]!r:.40} is no health", f"use one of {', '.join(HEALTHS)}")

    def _rows(self, table: FactTable, path: str) -> Rows:
        if not 0 < table.rows_max <= ROWS_MAX:
            self._say(f"{path}.rows_max", "is out of range", f"1 to {ROWS_MAX}")
        match self._mapping.format:
            case "csv":
                if table.each:
                    self._say(f"{path}.each", "is not for csv", "every row is one already: leave it out")
                return lambda document: document
            case "xml" if table.each:
                rows: Rows | None = self._try(f"{path}.each", lambda: xml_rows(table.each))
                return rows or single
            case "json" if table.each:
                find = self._try(f"{path}.each", lambda: SELECT["json"](table.each))
                return _json_rows(find, table.each) if find else single
        if table.each:
            self._say(f"{path}.each", f"is not for {self._mapping.format}", "such a message is one row: leave it out")
        return single

    def _complete(self, table: FactTable, kind: Kind, path: str) -> None:
        given = set(_given(table))
        for name in kind.must:
            if name not in given:
                self._say(f"{path}.{name}", "is missing", f'a {table.type} needs it, like {name} = "path.to.it"')
        if kind.one_of and not given & set(kind.one_of):
            self._say(path, f"has none of {', '.join(kind.one_of)}", "map one of them at least")
        if table.type == "count":
            self._counting(table, path)
        elif table.kind or table.invert or table.window_s:
            self._say(path, "kind, invert and window_s are for counts", f"leave them out of a {table.type}")
        if "uuid" in given and not {"major", "minor"} <= given:
            self._say(f"{path}.uuid", "needs major and minor beside it", "an iBeacon is named by all three")

    def _counting(self, table: FactTable, path: str) -> None:
        ends = (table.start is not None) + (table.end is not None)
        if not table.kind:
            hint = "event: people who just passed; window: between start and end; cumulative: a register"
            self._say(f"{path}.kind", "is missing", hint)
        elif table.kind == "window" and (ends == 0 or (ends == 1 and not table.window_s > 0)):
            self._say(f"{path}.start", "a window has a start and an end", "map both, or one and window_s = 60.0")
        elif table.kind != "window" and (ends or table.window_s):
            self._say(f"{path}.kind", f"{table.kind} counts have no window", 'map at, or write kind = "window"')


def _all(tests: list[Test]) -> Test:
    return lambda place: all(test(place) for test in tests)


def _needs_body(raw: Any) -> bool:
    """Whether a pick reads the payload; only topic, headers and route are known without."""
    if not isinstance(raw, dict):
        return True
    if isinstance(raw.get("first"), list):
        return any(map(_needs_body, raw["first"]))
    return not raw.keys() & {"topic", "header", "route"}


def _guards(mapping: Mapping) -> bool:
    """Whether the format itself refuses what is foreign: an XML root, or a pattern that texts must fit."""
    return bool(mapping.root or mapping.pattern)


def fits(pattern: list[str], levels: list[str]) -> bool:
    """Whether the levels of a topic fit an MQTT filter.

    >>> fits(["a", "+", "#"], ["a", "b", "c"]), fits(["a"], ["a", "b"])
    (True, False)
    """
    for place, want in enumerate(pattern):
        if want == "#":
            return True
        if place >= len(levels) or want not in {"+", levels[place]}:
            return False
    return len(pattern) == len(levels)


def _json_rows(find: Callable[[Any], Any], what: str) -> Rows:
    def rows(document: Any) -> list[Any]:
        found = find(document)
        if found is MISSING:
            return []
        return bodies.rows(strict(found), what)

    return rows


def _given(table: FactTable) -> list[str]:
    settings = {"type", "each", "rows_max", "where", "kind", "invert", "window_s"}
    return [name for name in FactTable.__struct_fields__ if name not in settings and getattr(table, name) is not None]


def _what(pick: Pick, path: str) -> str:
    """What reasons call a value: the last step of its selector, else the field."""
    selector = pick.path or pick.root
    words: list[str] = [] if selector == "text" else re.findall(r"[A-Za-z_][\w-]*", selector)
    return pick.header or (words[-1] if words else path.rpartition(".")[2])


def _family(mapping: Mapping) -> Family:
    about = mapping.family
    kinds = dict.fromkeys(table.kind if table.type == "count" else table.type for table in mapping.facts)
    return Family(
        name=about.name,
        transports=tuple(about.transports),
        kinds=tuple(kinds),
        privacy=about.privacy,
        tested=about.tested,
        source=about.source,
    )
