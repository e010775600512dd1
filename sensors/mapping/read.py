"""Bytes of a mapping file to a dialect: TOML, shape, meaning; every problem at once, as for a venue file."""

import re
import tomllib
from pathlib import Path

from msgspec import structs

from flowmon.errors import FlowmonError
from flowmon.venue.model import Problem
from flowmon.venue.shape import Shape
from sensors.mapping.build import Builder
from sensors.mapping.dialect import Mapped
from sensors.mapping.model import Mapping

SIZE_MAX = 256 << 10
# tomllib takes quadratic time over the parts of one dotted key; no key here has more than two.
_ENDLESS_KEY = re.compile(rb"(?<![\w-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){64}")


class MappingInvalid(FlowmonError):
    """A mapping file with problems."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        lines = (f"{': '.join(filter(None, (p.file, p.path)))}: {p.message} ({p.hint})" for p in problems)
        super().__init__("the mapping file has problems:\n" + "\n".join(lines))


def load(path: Path) -> Mapped:
    """The dialect in a file. Raises MappingInvalid with all its problems; a file that cannot be read is one."""
    mapped, problems = read(path)
    if mapped is None:
        raise MappingInvalid(problems)
    return mapped


def read(path: Path) -> tuple[Mapped | None, list[Problem]]:
    """The dialect (None when there are problems) and the problems. Never raises."""
    try:
        with path.open("rb") as stream:
            data = stream.read(SIZE_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "give the path of a mapping file (.toml) that you may read"
        return None, [Problem(path="", message=f"cannot be read: {reason}", hint=hint, file=str(path))]
    return parse(data, str(path))


def parse(data: bytes, file: str = "") -> tuple[Mapped | None, list[Problem]]:
    """Like `read`, for bytes. file: the name to put into the problems."""
    mapped, problems = _parse(data)
    return (None if problems else mapped), [structs.replace(problem, file=file) for problem in problems]


def _parse(data: bytes) -> tuple[Mapped | None, list[Problem]]:
    if len(data) > SIZE_MAX:
        return None, [Problem(path="", message="is too large", hint=f"the limit is {SIZE_MAX} bytes")]
    if _ENDLESS_KEY.search(data):
        return None, [Problem(path="", message="has a key of more than 64 parts", hint="a key has two parts at most")]
    try:
        table = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        hint = "mend the line named here; selectors and texts need quotes, tables [brackets]"
        return None, [Problem(path="", message=f"is no TOML: {error}", hint=hint)]
    shape = Shape()
    mapping = shape.struct(Mapping, table, "")
    if shape.problems:
        return None, shape.problems
    builder = Builder(mapping)
    return builder.build(), builder.problems
