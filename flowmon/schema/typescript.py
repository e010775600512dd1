"""The contract as TypeScript declarations, for the browser's editors and `tsc --checkJs`."""

import inspect
from typing import get_args

import msgspec
from msgspec import Struct
from msgspec import inspect as types

from flowmon.commands import Command
from flowmon.facts import Fact
from flowmon.findings import Finding
from flowmon.schema.frames import CHANNELS
from flowmon.schema.jsonschema import feed_types

_HEADER = """\
// Made by `flowmon schema` from flowmon/facts.py, findings.py, commands.py and feed/messages.py. Do not edit.
// Facts and findings: times are seconds since the epoch. Feed frames: times are milliseconds since the epoch.
"""


def declarations() -> str:
    """`types.d.ts`: an interface of every fact, finding, command and feed frame, and their unions."""
    parts = [_HEADER]
    seen: set[str] = set()
    for title, union in (("Fact", Fact), ("Finding", Finding), ("Command", Command)):
        kinds = get_args(union)
        parts += [_interface(kind, seen) for kind in kinds]
        parts.append(f"export type {title} = {' | '.join(kind.__name__ for kind in kinds)};\n")
    parts += [_interface(kind, seen) for kind in feed_types()]
    rows = "".join(f"  {channel}: {kind.__name__};\n" for channel, kind in CHANNELS.items())
    parts.append(f"/** What each channel of the feed shows. */\nexport interface Channels {{\n{rows}}}\n")
    return "\n".join(part for part in parts if part)


def _interface(kind: type[Struct], seen: set[str]) -> str:
    """One interface, before it those of the structs it holds; empty when it has been written already."""
    if kind.__name__ in seen:
        return ""
    seen.add(kind.__name__)
    info = types.type_info(kind)
    assert isinstance(info, types.StructType)
    before = [_interface(nested, seen) for field in info.fields for nested in _structs(field.type)]
    lines = [_comment(kind), f"export interface {kind.__name__} {{"]
    if info.tag_field is not None:
        # Commands are told apart by `do`; on the socket they are frames and have a `t` like the others.
        lines += ['  t: "cmd";'] if info.tag_field == "do" else []
        lines.append(f'  {info.tag_field}: "{info.tag}";')
    for field in info.fields:
        mark = "" if field.required else "?"
        lines.append(f"  {field.encode_name}{mark}: {_type(field.type)};")
    return "\n".join([part for part in before if part] + ["\n".join([*lines, "}\n"])])


def _comment(kind: type[Struct]) -> str:
    text = inspect.cleandoc(kind.__doc__ or "").replace("*/", "* /").splitlines()
    if len(text) == 1:
        return f"/** {text[0]} */"
    return "\n".join(["/**", *(f" * {line}".rstrip() for line in text), " */"])


def _structs(info: types.Type) -> list[type[Struct]]:
    match info:
        case types.StructType():
            return [info.cls]
        case types.UnionType():
            return [kind for one in info.types for kind in _structs(one)]
        case types.DictType():
            return _structs(info.value_type)
        case types.ListType() | types.VarTupleType():
            return _structs(info.item_type)
        case _:
            return []


def _type(info: types.Type) -> str:
    match info:
        case types.StrType():
            return "string"
        case types.IntType() | types.FloatType():
            return "number"
        case types.BoolType():
            return "boolean"
        case types.NoneType():
            return "null"
        case types.AnyType():
            return "unknown"
        case types.LiteralType():
            return " | ".join(msgspec.json.encode(value).decode() for value in info.values)
        case types.StructType():
            return info.cls.__name__
        case types.ListType() | types.VarTupleType():
            return _array(info.item_type)
        case types.DictType():
            return f"Record<string, {_type(info.value_type)}>"
        case types.UnionType():
            return " | ".join(_type(one) for one in info.types)
        case _:
            raise NotImplementedError(f"no TypeScript for {info!r}: add it to flowmon/schema/typescript.py")


def _array(item: types.Type) -> str:
    text = _type(item)
    return f"({text})[]" if " | " in text else f"{text}[]"
