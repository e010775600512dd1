"""Bytes of `venue.toml` to a `Venue`, in three passes: TOML, shape, meaning. All problems at once.

The shape pass converts table by table and field by field, because msgspec alone says `$.zones[...].capacity`
and hides which zone. A field that cannot be read gets a neutral stand-in, so that the meaning pass can still
run over the rest; `audit` is told which fields those are and keeps quiet about them.
"""

import math
import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct, structs

from flowmon.errors import VenueInvalid
from flowmon.venue.audit import audit
from flowmon.venue.model import Problem, Venue

S = TypeVar("S", bound=Struct)

SIZE_MAX = 1 << 20
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# tomllib takes quadratic time over the parts of one dotted key; a venue needs three.
_ENDLESS_KEY = re.compile(rb"""(?<![\w"' \t.-])(?:[\w"' \t-]++\.){64}""")

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


def load(path: Path) -> Venue:
    """The venue in a file. Raises VenueInvalid with all its problems; a file that cannot be read is one."""
    venue, found = read(path)
    return _valid(venue, found)


def parse(data: bytes, *, file: str = "") -> Venue:
    """The venue in these bytes of TOML. Raises VenueInvalid with all problems; warnings alone do not refuse.

    file: the name to put into the problems.
    """
    venue, found = problems(data, file)
    return _valid(venue, found)


def read(path: Path) -> tuple[Venue | None, list[Problem]]:
    """Like `problems`, for a file; never raises."""
    try:
        with path.open("rb") as stream:
            data = stream.read(SIZE_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "give the path of a venue file that you may read, e.g. deploy/venues/museum.toml"
        return None, [Problem(path="", message=f"cannot be read: {reason}", hint=hint, file=str(path))]
    return problems(data, str(path))


def problems(data: bytes, file: str = "") -> tuple[Venue | None, list[Problem]]:
    """The venue (None when any problem is an error) and every problem in the order of the file's tables."""
    table, found = _toml(data)
    venue = None
    if table is not None:
        shape = _Shape()
        venue = shape.struct(Venue, table, "")
        found = shape.problems + audit(venue, uncertain=frozenset(p.path for p in shape.problems))
    found = [structs.replace(problem, file=file) for problem in found]
    if any(problem.severity == "error" for problem in found):
        return None, found
    return venue, found


def _valid(venue: Venue | None, found: list[Problem]) -> Venue:
    if venue is None:
        raise VenueInvalid([problem for problem in found if problem.severity == "error"])
    return venue


def _toml(data: bytes) -> tuple[dict[str, Any] | None, list[Problem]]:
    if len(data) > SIZE_MAX:
        hint = f"the limit is {SIZE_MAX} bytes; is this really a venue file?"
        return None, [Problem(path="", message="is too large", hint=hint)]
    if _ENDLESS_KEY.search(data):
        hint = "a key has at most three parts, like zones.foyer.capacity"
        return None, [Problem(path="", message="has a key of more than 64 parts", hint=hint)]
    try:
        return tomllib.loads(data.decode()), []
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message, hint = f"is no UTF-8 text (line {line})", "save the file as UTF-8"
    except RecursionError:
        message, hint = "is nested too deeply", "outlines are lists of [x, y] points, nothing is deeper"
    except ValueError as error:
        message, hint = (
            f"is no TOML: {error}",
            "mend the line named here; strings need quotes, tables [brackets]",
        )
    return None, [Problem(path="", message=message, hint=hint)]


class _Shape:
    """One walk over the plain dictionaries, gathering problems."""

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
                self._say(_join(path, key), "is an unknown key", _did_you_mean(key, known))
        values: dict[str, Any] = {}
        for field in fields:
            where = _join(path, field.name)
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
                    self._say(
                        path, f"should be a table of tables, not {_word(value)}", f"write [{path}.some-id]"
                    )
                    return {}
                return {key: self.struct(item, entry, _join(path, key)) for key, entry in value.items()}
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


def _join(path: str, key: str) -> str:
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
    """Msgspec's words to the owner's: "Expected `int`, got `str`" -> "should be a whole number, not a text"."""
    words = {
        "int": "a whole number",
        "float": "a number",
        "str": "a text",
        "array": "a list",
        "bool": "true or false",
    }
    words |= {"object": "a table", "float | null": "a number"}
    match = re.fullmatch(r"Expected `([^`]+)`, got `([^`]+)`", message)
    if match is None:
        return message[:1].lower() + message[1:]
    want, got = (words.get(word, word) for word in match.groups())
    return f"should be {want}, not {got}"


def _word(value: object) -> str:
    words = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "a table",
    }
    return words.get(type(value), "a date")


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
    if NoneType in args:
        return None
    return kind() if origin is None else origin()
