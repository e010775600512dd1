"""Picks: where a value comes from and what is done to it, compiled to one function. Pure.

A pick gives MISSING where nothing is; what may not be missing is refused by the field that reads it.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import UNSET, Struct

from flowmon.errors import Undecodable
from sensors.dialects import bodies
from sensors.dialects.port import Message
from sensors.mapping.model import Format, Pick
from sensors.mapping.selectors import MISSING, BadSelector, Find, Missing, json_path, name, strict, xml_path

_SOURCES = ("path", "root", "topic", "header", "route", "text", "first", "value")
_UNITS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}
_NAMED = re.compile(r"\{([^{}]+)\}")
_COSTLY = re.compile(r"\)[*+{]|\\[1-9]|\(\?P=")
_QUANTIFIER = re.compile(r"(?<!\\)[*+]|\{\d*,\d*\}")
_OPTIONAL = re.compile(r"(?<![\\(])\?")
#: Longest text that is searched, so that two quantifiers cost some milliseconds at worst.
_TEXT_MAX = 200


class Scene(Struct, gc=False):
    """One message while it is read. device: "" until it is known. route: the device as the route names it."""

    message: Message
    document: Any
    route: str
    device: str = ""


class Place(NamedTuple):
    """Where a pick stands: a row of a message, counted from 1."""

    scene: Scene
    row: Any
    number: int


Read = Callable[[Place], Any]
SELECT: dict[Format, Callable[[str], Find]] = {
    "json": json_path, "xml": xml_path, "csv": name, "form": name, "text": name,
}  # fmt: skip


def source(pick: Pick, form: Format, inner: Callable[[Any], Read]) -> Read:
    """The value a pick stands for, before any reading. inner: compiles the picks inside `first`. Raises BadSelector."""
    given = [field for field in _SOURCES if _is_given(getattr(pick, field))]
    if len(given) != 1:
        raise BadSelector(f"comes from {len(given)} places", f"give one of {', '.join(_SOURCES)}")
    match given[0]:
        case "path" | "root" as which:
            return _found(SELECT[form](getattr(pick, which)), getattr(pick, which), whole=which == "root")
        case "topic":
            return _level(pick.topic or 0)
        case "header":
            wanted = pick.header.lower()
            return lambda place: place.scene.message.headers.get(wanted, MISSING)
        case "route":
            return lambda place: place.scene.route or MISSING
        case "text":
            return _composed(pick, form)
        case "first":
            return _alternatives([inner(each) for each in pick.first])
    return lambda _: pick.value


def _is_given(value: object) -> bool:
    return value is not UNSET and value is not None and value is not False and value not in ("", [])


def _found(find: Find, text: str, *, whole: bool) -> Read:
    if whole:
        return lambda place: strict(find(place.scene.document))
    if text == "@":
        return lambda place: place.row
    return lambda place: strict(find(place.row))


def _level(number: int) -> Read:
    def read(place: Place) -> Any:
        levels = place.scene.message.topic.split("/")
        return levels[number] if -len(levels) <= number < len(levels) else MISSING

    return read


def _alternatives(reads: list[Read]) -> Read:
    def read(place: Place) -> Any:
        for each in reads:
            if (value := each(place)) is not MISSING and value is not None and value != "":
                return value
        return MISSING

    return read


def _composed(pick: Pick, form: Format) -> Read:
    pieces = _NAMED.split(pick.text)
    parts: list[str | Read] = [
        piece if place % 2 == 0 else _part(piece, form, pick.spelt) for place, piece in enumerate(pieces)
    ]
    return lambda place: "".join(part if isinstance(part, str) else part(place) for part in parts)


def _part(piece: str, form: Format, spelt: str) -> Read:
    if piece == "row":
        return lambda place: str(place.number)
    find = SELECT[form](piece)

    def read(place: Place) -> str:
        value = place.scene.device if piece == "device" else strict(find(place.row))
        text = bodies.name(value, piece)
        if spelt == "slug" and not (text := bodies.slug(text)):
            raise Undecodable(f"{piece} has no letter or digit in its name")
        return text

    return read


def changes(pick: Pick, read: Read, what: str) -> Read:
    """`regex`, `map` and `default` of a pick around its value. Raises BadSelector."""
    if pick.regex:
        read = _cut(read, regex(pick.regex, 2), what)
    if pick.map is not UNSET:
        if not isinstance(pick.map, dict) or not pick.map:
            raise BadSelector("map is no table", 'write { "as it comes" = "as it is meant", … }')
        read = _mapped(read, pick.map, what)
    return read if pick.default is UNSET else _or(read, pick.default)


def regex(text: str, most: int) -> re.Pattern[str]:
    """A regular expression that cannot run away, of at most so many quantifiers. Raises BadSelector."""
    optional = len(_OPTIONAL.findall(text))
    if len(text) > 200 or _COSTLY.search(text) or len(_QUANTIFIER.findall(text)) > most or optional > 6:
        hint = f"no repeated groups, no back references, at most {most} of * + {{n,m}} and six ?"
        raise BadSelector("could take too long", hint)
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadSelector(f"is no regular expression: {error}", "see the re module of Python") from None


def _cut(read: Read, pattern: re.Pattern[str], what: str) -> Read:
    def cut(place: Place) -> Any:
        value = read(place)
        if value is MISSING:
            return value
        if not isinstance(value, str) or len(value) > _TEXT_MAX or (match := pattern.search(value[:_TEXT_MAX])) is None:
            raise Undecodable(f"{what} does not match {pattern.pattern[:60]}")
        return match[1] if pattern.groups else match[0]

    return cut


def _mapped(read: Read, table: dict[str, Any], what: str) -> Read:
    def mapped(place: Place) -> Any:
        value = read(place)
        if value is MISSING:
            return value
        known = table.get(as_text(value), MISSING)
        if known is MISSING:
            raise Undecodable(f"{what} is none of {', '.join(table)}"[:200])
        return known

    return mapped


def as_text(value: object) -> str:
    """A scalar as a TOML key names it: true, false, null, 7, text."""
    if isinstance(value, bool) or value is None:
        return str(value).lower().replace("none", "null")
    return str(value) if isinstance(value, str | int | float) else ""


def _or(read: Read, default: object) -> Read:
    def known(place: Place) -> Any:
        value = read(place)
        return default if value is MISSING else value

    return known


def spelling(value: Any, spelt: str, what: str) -> str:
    """A name as a pick wants it spelt. Raises Undecodable."""
    text = bodies.name(value, what)
    if spelt == "mac":
        return bodies.mac(text)
    if spelt == "slug" and not (text := bodies.slug(text)):
        raise Undecodable(f"{what} has no letter or digit in its name")
    return text


def scale(unit: str) -> float:
    """Seconds in one of a unit."""
    return _UNITS[unit]


def holds(pick: Pick, read: Read) -> Callable[[Place], bool]:
    """A condition. Something true must be there, or what `equals`, `differs` or `one_of` say."""

    def value(place: Place) -> Any:
        try:
            return read(place)
        except Undecodable:
            return MISSING

    if pick.there is not None:
        return lambda place: (_or_null(value(place)) is not None) is pick.there
    if pick.equals is not UNSET:
        return lambda place: value(place) == pick.equals
    if pick.differs is not UNSET:
        return lambda place: value(place) != pick.differs
    if pick.one_of is not UNSET:
        wanted = pick.one_of if isinstance(pick.one_of, list) else [pick.one_of]
        return lambda place: value(place) in wanted
    return lambda place: _is_there(value(place))


def _is_there(value: object) -> bool:
    # An empty text, list or object, or 0, is there all the same: DataQ's {} says that the scene is clear.
    return _or_null(value) is not None and value is not False


def _or_null(value: Any) -> Any:
    return None if isinstance(value, Missing) else value
