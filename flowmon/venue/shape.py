"""The shape pass: plain dictionaries of TOML to typed structs, every mismatch with its full path.

Table by table and field by field, because msgspec alone says `$.zones[...].capacity` and hides which zone.
A field that cannot be read gets a neutral stand-in, so that the meaning pass can still run over the rest;
`audit` is told which fields those are and keeps quiet about them.
"""

import math
import re
from difflib import get_close_matches
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct, structs

from flowmon.venue.model import Problem

S = TypeVar("S", bound=Struct)

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "list": "a list",
    "array": "a list",
    "dict": "a table",
    "object": "a table",
}

_EXAMPLES = {
    "id": 'id = "museum"',
    "name": 'name = "City Museum"',
    "timezone": 'timezone = "Europe/Paris"',
    "floors": "[floors.ground]",
    "zones": "[zones.foyer]",
    "portals": "[portals.main-entrance]",
    "floor": 'floor = "ground"',
    "capacity": "capacity = 120",
    "outline": "outline = [[0, 0], [12, 0], [12, 10], [0, 10]]",
    "between": 'between = ["outside", "foyer"]',
    "portal": 'portal = "main-entrance"',
    "towards": 'towards = "foyer"',
    "zone": 'zone = "foyer"',
    "at": "at = [6, 4]",
    "desks": "desks = 3",
    "watches": 'watches = "zone"',
    "severity": 'severity = "high"',
    "opens": 'opens = "10:00"',
    "closes": 'closes = "18:00"',
    "topic": 'topic = "xovis/#"',
    "dialect": 'dialect = "xovis"',
}


class Shape:
    """One walk over plain dictionaries, gathering `problems`. Use it once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def struct(self, kind: type[S], table: object, path: str) -> S:
        """A struct from a table; what cannot be read is reported and stands in as a neutral value."""
        if not isinstance(table, dict):
            self._say(path, f"should be a table, not {_word(table)}", f"write it as [{path}]")
            table = {}
            reported = True
        else:
            reported = False
        fields = structs.fields(kind)
        known = [field.name for field in fields]
        for key in table:
            if key not in known:
                self._say(join(path, key), "is an unknown key", _did_you_mean(key, known))
        values: dict[str, Any] = {}
        for field in fields:
            where = join(path, field.name)
            if field.name in table:
                values[field.name] = self._value(field.type, table[field.name], where)
            elif field.required:
                values[field.name] = _neutral(field.type)
                if not reported:
                    example = _EXAMPLES.get(field.name, f"add {field.name}")
                    self._say(where, "is missing", f"add it, e.g. {example}")
        return kind(**values)

    def _value(self, kind: Any, value: object, path: str) -> Any:
        match get_origin(kind), get_args(kind):
            case (origin, (_, item)) if origin is dict:
                if not isinstance(value, dict):
                    self._say(path, f"should be a table of tables, not {_word(value)}", f"write [{path}.some-id]")
                    return {}
                return {key: self.struct(item, entry, join(path, key)) for key, entry in value.items()}
            case (origin, (item,)) if origin is list and _is_struct(item):
                if not isinstance(value, list):
                    self._say(path, f"should be a list of tables, not {_word(value)}", f"write [[{path}]]")
                    return []
                return [self.struct(item, entry, f"{path}[{n}]") for n, entry in enumerate(value)]
        if _is_struct(kind):
            return self.struct(kind, value, path)
        return self._plain(kind, value, path)

    def _plain(self, kind: Any, value: object, path: str) -> Any:
        try:
            result = msgspec.convert(value, kind)
        except (msgspec.ValidationError, OverflowError, RecursionError) as error:
            message, _, inner = str(error).partition(" - at `$")
            self._say(path + inner.removesuffix("`"), _plainly(message), _wanted(kind, value))
            return _neutral(kind)
        if not _finite(result):
            self._say(path, "is not a finite number", "write an ordinary number")
            return _neutral(kind)
        return result

    def _say(self, path: str, message: str, hint: str) -> None:
        self.problems.append(Problem(path=path, message=message, hint=hint))


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def join(path: str, key: str) -> str:
    """A path one key deeper; keys that TOML would quote are quoted."""
    part = key if _BARE_KEY.fullmatch(key) else ascii(key)
    return f"{path}.{part}" if path else part


def _finite(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)


def _did_you_mean(key: str, known: list[str]) -> str:
    close = get_close_matches(key[:64], known, n=1)
    return f"did you mean {close[0]}?" if close else f"the keys here are {', '.join(known)}"


def _plainly(message: str) -> str:
    """Msgspec's words to ours: "Expected `int`, got `str`" to "should be a whole number, not a text"."""
    match = re.fullmatch(r"Expected `([^`]+)`, got `([^`]+)`", message)
    if match is None:
        return message[:1].lower() + message[1:]
    want, got = (_WORDS.get(word.removesuffix(" | null"), word) for word in match.groups())
    if match[1] == "int" and match[2] == "float":
        got = "a decimal one"
    return f"should be {want}, not {got}"


def _word(value: object) -> str:
    return _WORDS.get(type(value).__name__, "a date")


def _wanted(kind: Any, value: object) -> str:
    if get_origin(kind) is Literal:
        choices = [str(choice) for choice in get_args(kind)]
        close = get_close_matches(str(value)[:64], choices, n=1)
        return f"did you mean {close[0]}?" if close else f"use one of {', '.join(choices)}"
    examples = {int: "a whole number without quotes, like 120", str: 'a text in quotes, like "foyer"'}
    examples |= {float: "a number without quotes, like 2.5", bool: "true or false, without quotes"}
    if kind in examples:
        return f"write {examples[kind]}"
    if kind == list[str]:
        return 'write a list of texts, like ["foyer", "hall"]'
    if kind == list[int]:
        return "write a list of whole numbers, like [0, 1, 2]"
    if get_origin(kind) is tuple and get_args(kind)[0] is str:
        return 'write two zones, like ["outside", "foyer"]'
    return "write points in metres, like [12.5, 3]; an outline is a list of them"


def _neutral(kind: Any) -> Any:
    """A value of this type that stands in for one that could not be read."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return args[0]
    if origin is tuple:
        return tuple(_neutral(item) for item in args)
    if NoneType in args or kind is Any:
        return None
    if _is_struct(kind):
        return Shape().struct(kind, {}, "")
    return kind() if origin is None else origin()
