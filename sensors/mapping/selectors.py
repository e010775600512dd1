"""Selectors: texts of a mapping file to functions that find a value. Compiled once; finding is pure and bounded.

JSON is searched with JMESPath (jmespath.org); a plain path such as `a.b[0]` becomes direct look-ups, which are ten
times faster. XML is searched with steps by local name: `a/b`, `a/@id`, `a/*`, `//b`, `.` and one test a step,
`b[@kind='in']` or `b[name='in']`. The columns of CSV, the fields of a form and the groups of a text have names.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

import jmespath
from jmespath.exceptions import JMESPathError

from flowmon.errors import Undecodable

#: A selector: what is searched, to the value there, or MISSING.
Find = Callable[[Any], Any]


class Missing:
    """What a selector gives where nothing is (JSON's null is something)."""

    def __repr__(self) -> str:
        return "nothing"


MISSING = Missing()
LENGTH_MAX = 500
NODES_MAX = 80
#: Each may double what the next one sees.
LISTS_MAX = 4
_PLAIN = re.compile(r'(?:[A-Za-z_]\w*|"[^"\\]*")(?:\.(?:[A-Za-z_]\w*|"[^"\\]*")|\[\d{1,6}\])*', re.ASCII)
_PART = re.compile(r'([A-Za-z_]\w*)|"([^"\\]*)"|\[(\d+)\]', re.ASCII)
_STEP = re.compile(r"(\*|[\w.-]+)(?:\[(@?[\w.-]+)\s*=\s*'([^']*)'\])?")
#: What JMESPath's functions raise for values of the wrong kind.
_BROKEN = (JMESPathError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


class BadSelector(Exception):
    """A selector that cannot be used; `hint` says what to write."""

    def __init__(self, message: str, hint: str) -> None:
        self.hint = hint
        super().__init__(message)


def json_path(text: str) -> Find:
    """A selector into a JSON value. Raises BadSelector."""
    if text == "@":
        return lambda value: value
    if len(text) > LENGTH_MAX:
        raise BadSelector("is too long", f"a selector has at most {LENGTH_MAX} characters")
    if _PLAIN.fullmatch(text):
        return _plain([_key(part) for part in _PART.finditer(text)])
    try:
        compiled = jmespath.compile(text)
    except _BROKEN as error:
        reason = str(error).partition("\n")[0][:120]
        raise BadSelector(f"is no JMESPath: {reason}", "see jmespath.org; keys with - or blanks need quotes") from None
    nodes = list(_nodes(compiled.parsed))
    lists = sum(node in {"multi_select_list", "multi_select_dict"} for node in nodes)
    if len(nodes) > NODES_MAX or lists > LISTS_MAX:
        raise BadSelector("asks for too much work", f"at most {NODES_MAX} parts and {LISTS_MAX} […] or {{…}}")

    def find(value: Any) -> Any:
        try:
            found = compiled.search(value)
        except _BROKEN:
            return MISSING
        return MISSING if found is None else found

    return find


def _nodes(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if "type" in tree:
            yield str(tree["type"])
        for child in tree.get("children", ()):
            yield from _nodes(child)


def _key(part: re.Match[str]) -> str | int:
    name, quoted, place = part.groups()
    return int(place) if place is not None else (name or quoted or "")


def _plain(keys: list[str | int]) -> Find:
    if len(keys) == 1 and isinstance(key := keys[0], str):
        return lambda value: value.get(key, MISSING) if isinstance(value, dict) else MISSING

    def find(value: Any) -> Any:
        for place, key in enumerate(keys):
            if isinstance(value, dict):
                value = value.get(key, MISSING)
            elif isinstance(key, int) and isinstance(value, list) and key < len(value):
                value = value[key]
            elif value is MISSING or value is None:
                return MISSING
            else:
                return _other(value, key, str(keys[place - 1]) if place else "the row")
        return value

    return find


def _other(value: object, key: str | int, holder: str) -> Missing:
    if isinstance(key, int) and isinstance(value, list):
        return MISSING
    return Mismatch(f"{holder} is not a JSON {'array' if isinstance(key, int) else 'object'}")


class Mismatch(Missing):
    """A way that ends in a value of the wrong kind: nothing for a condition, an error for a field."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def name(text: str) -> Find:
    """A column, field or group by its name."""
    if not text or len(text) > LENGTH_MAX:
        raise BadSelector("is no name", "write a column, field or group of the message")
    return lambda row: row.get(text, MISSING) if isinstance(row, dict) else MISSING


def xml_path(text: str) -> Find:
    """A selector into an element: its first match as text, or as an element for further steps. Raises BadSelector."""
    every = xml_rows(text)
    attribute = text.rpartition("/")[2].removeprefix("@") if _attribute(text) else ""

    def find(element: Any) -> Any:
        for found in every(element):
            if not attribute:
                return (found.text or "").strip()
            if attribute in found.attrib:
                return found.attrib[attribute]
        return MISSING

    return find


def xml_rows(text: str) -> Callable[[Element], list[Element]]:
    """A selector of elements, all of them in order. Raises BadSelector."""
    steps = _xml_steps(text)
    deep = text.startswith("//")

    def find(element: Element) -> list[Element]:
        found = list(element.iter()) if deep else [element]
        for place, (want, key, value) in enumerate(steps):
            below = found if deep and place == 0 else [child for one in found for child in one]
            found = [one for one in below if want in {"*", one.tag} and (not key or _holds(one, key, value))]
            if not found:
                break
        return found

    return find


def _attribute(text: str) -> bool:
    return text.rpartition("/")[2].startswith("@")


def _xml_steps(text: str) -> list[tuple[str, str, str]]:
    body = text.removeprefix("//").removeprefix("./")
    parts = re.split(r"/(?![^\[]*\])", body) if body not in {"", "."} else []
    if parts and parts[-1].startswith("@"):
        parts.pop()
    steps = [_STEP.fullmatch(part) for part in parts]
    if not text or len(text) > LENGTH_MAX or len(steps) > 16 or not all(steps):
        raise BadSelector("is no path", "write steps by local name, like peopleCounting/enter, a/@id, //Count")
    return [(found[1], found[2] or "", found[3] or "") for found in steps if found]


def _holds(element: Element, key: str, value: str) -> bool:
    if key.startswith("@"):
        return element.get(key[1:]) == value
    return any((child.text or "").strip() == value for child in element.iterfind(key))


def strict(value: Any) -> Any:
    """A value for a field. Raises Undecodable where the way to it ends in a value of the wrong kind."""
    if isinstance(value, Mismatch):
        raise Undecodable(value.reason)
    return value
