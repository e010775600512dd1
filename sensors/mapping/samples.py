"""Samples of a mapping file, run: what came of each message against what must come of it. Reads sample files only."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact
from sensors.dialects.port import Message, Unwanted
from sensors.mapping.dialect import BODY_MAX, Mapped
from sensors.mapping.model import Sample

_TIMES = ("at", "start", "end", "expires")


class Outcome(Struct, frozen=True):
    """One sample. passed: as expected. difference: lines that say what is not, each as `- expected` or `+ found`."""

    says: str
    passed: bool
    difference: list[str] = []


def run(mapped: Mapped, folder: Path) -> list[Outcome]:
    """Every sample of a mapping. folder: where sample files are looked for, beside the mapping."""
    return [_outcome(mapped, sample, folder) for sample in mapped.mapping.samples]


def _outcome(mapped: Mapped, sample: Sample, folder: Path) -> Outcome:
    try:
        message = _message(sample, folder)
        wanted = _wanted(sample)
    except _Unusable as error:
        return Outcome(sample.says, passed=False, difference=[f"! {error}"])
    try:
        found: list[Fact] = mapped.decode(message, sample.device)
    except Undecodable as error:
        difference = _refused(sample, error)
    else:
        difference = _compared(wanted, [_plain(fact) for fact in found], sample)
    return Outcome(sample.says, passed=not difference, difference=difference)


class _Unusable(Exception):
    """A sample that cannot be run; says what to mend."""


def _message(sample: Sample, folder: Path) -> Message:
    given = [name for name in ("payload", "hex", "file") if getattr(sample, name)]
    if len(given) > 1:
        raise _Unusable(f"the payload is given by {' and '.join(given)}: keep one")
    headers = {} if sample.headers is UNSET else sample.headers
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise _Unusable('headers are a table of texts, like { "x-serial" = "7" }')
    return Message(
        topic=sample.topic,
        payload=_payload(sample, folder),
        seen=sample.seen,
        retained=sample.retained,
        headers={name.lower(): value for name, value in headers.items()},
    )


def _payload(sample: Sample, folder: Path) -> bytes:
    if sample.hex:
        try:
            return bytes.fromhex(sample.hex)
        except ValueError:
            raise _Unusable("hex is not hex digits, two a byte") from None
    if not sample.file:
        return sample.payload.encode()
    try:
        with (folder / sample.file).open("rb") as stream:
            return stream.read(BODY_MAX + 1)
    except (OSError, ValueError) as error:
        raise _Unusable(f"{sample.file} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _wanted(sample: Sample) -> list[dict[str, Any]] | None:
    """The expected facts in full: what a sample leaves out of a fact is what follows from the sample itself."""
    if (sample.facts is None) == (not sample.refused):
        raise _Unusable('say what must come of it: facts = [ … ], or refused = "words of the reason"')
    if sample.facts is None:
        return None
    wanted = []
    for number, table in enumerate(sample.facts):
        if not isinstance(table, dict):
            raise _Unusable(f"facts[{number}] is not a table")
        fields = {name: _time(value) if name in _TIMES else value for name, value in table.items()}
        fields.setdefault("source", sample.device)
        fields.setdefault("at", fields.get("end", sample.seen) if fields.get("kind") == "window" else sample.seen)
        fields["seen"] = sample.seen
        if fields.get("type") == "count":
            fields.setdefault("counter", fields["source"])
        try:
            wanted.append(_plain(msgspec.convert(fields, Fact)))
        except msgspec.ValidationError as error:
            raise _Unusable(f"facts[{number}] is no fact: {error}") from None
        if unknown := set(fields) - set(_names(fields)):
            raise _Unusable(f"facts[{number}] has fields that no {fields['type']} has: {', '.join(sorted(unknown))}")
    return wanted


def _names(fields: dict[str, Any]) -> tuple[str, ...]:
    kind = next(kind for kind in Fact.__args__ if kind.__struct_config__.tag == fields["type"])
    return (*kind.__struct_fields__, "type")


def _time(value: Any) -> Any:
    """A time of a sample: seconds, a TOML date-time with an offset, or such a text."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise _Unusable(f"{value.isoformat()} has no offset: write it like 2026-05-02T14:01:00Z")
        return value.timestamp()
    return value


def _plain(fact: Fact) -> dict[str, Any]:
    table: dict[str, Any] = msgspec.to_builtins(fact)
    if isinstance(fact, Count):  # nobody who reads a difference should have to know what is left out
        table = {"forward": 0, "backward": 0, "line": "1"} | table
    return table


def _refused(sample: Sample, error: Undecodable) -> list[str]:
    unwanted = isinstance(error, Unwanted)
    if not sample.refused:
        return [f"+ refused: {error.reason}"]
    found = [] if sample.refused in error.reason else [f"- refused: {sample.refused}", f"+ refused: {error.reason}"]
    if unwanted != sample.unwanted:
        words = {True: "unwanted (counted, not kept)", False: "a reject (kept)"}
        found += [f"- {words[sample.unwanted]}", f"+ {words[unwanted]}"]
    return found


def _compared(wanted: list[dict[str, Any]] | None, found: list[dict[str, Any]], sample: Sample) -> list[str]:
    if wanted is None:
        return [f"- refused: {sample.refused}", *(f"+ {_line(fact)}" for fact in found)]
    if wanted == found:
        return []
    lines = []
    for place in range(max(len(wanted), len(found))):
        want = wanted[place] if place < len(wanted) else None
        have = found[place] if place < len(found) else None
        if want == have:
            continue
        if want is not None and have is not None and want["type"] == have["type"]:
            lines += _fields(place, want, have)
        else:
            lines += [f"{sign} {_line(fact)}" for sign, fact in (("-", want), ("+", have)) if fact is not None]
    return lines


def _fields(place: int, want: dict[str, Any], have: dict[str, Any]) -> list[str]:
    lines = []
    for name in dict.fromkeys((*want, *have)):
        if want.get(name, UNSET) != have.get(name, UNSET):
            lines += [
                f"- facts[{place}].{name} = {_value(want, name)}",
                f"+ facts[{place}].{name} = {_value(have, name)}",
            ]
    return lines


def _value(fact: dict[str, Any], name: str) -> str:
    return msgspec.json.encode(fact[name]).decode() if name in fact else "(default)"


def _line(fact: dict[str, Any]) -> str:
    return msgspec.json.encode(fact).decode()
