"""`flowmon decode FILE…`: what the dialects read in a message that somebody kept, and why they do not.

Standard output has one JSON object a line. With `--dialect`, or when exactly one dialect reads the bytes:

    {"type":"count",…}                                  a fact, in the encoding of the journal
    {"type":"unwanted","dialect":D,"reason":…}          understood, and not kept on purpose
    {"type":"rejected","file":F,"reason":…}             not read; without --dialect with each dialect's reason

A message that names no device is read as told by a device with the file's name, and standard error says so.

When several dialects read them, and always with `--json`, each fact says whose it is:

    {"file":F,"dialect":D,"fact":{"type":"count",…}}

Privacy: this is a tool for the operator's own files and writes nothing. What the dialects drop (names, faces, addresses
of telephones) is not shown. A badge's own id is shown as it was sent, where the gateway makes a keyed token of it;
hardware addresses in ids and reasons are masked.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from flowmon import wire
from flowmon.clock import Clock
from flowmon.errors import FlowmonError, Undecodable
from flowmon.facts import Fact, Presence, Sighting
from sensors import samplefile, scrub
from sensors.dialects import DIALECTS, bodies, find
from sensors.dialects.port import Dialect, Message, Unwanted

#: Dialects that read a message by its topic, and a topic such a device would use. Nothing is guessed for them.
TOPICS = {
    "native": "flowmon/v1/<venue>/<device>/count",
    "espresense": "espresense/devices/<beacon>/<room>",
    "frigate": "frigate/<zone>/person",
    "steinel": "<prefix>/<device>/DetectedPersonsZone",
    "dataq": "<prefix>/occupancy/<serial>",
    "tasmota": "tele/<device>/SENSOR",
    "openmqttgateway": "home/<gateway>/BTtoMQTT/<id>",
    "theengs": "home/<gateway>/BTtoMQTT/<id>",
}
#: Another reading of the same messages, which only the operator can choose: tried when it is named.
CHOSEN = {"milesight-registers"}
#: Stands for a topic where none is given: no dialect finds a device or a zone in it.
NEUTRAL = "sample"
#: Ends a reason when nothing but the device's name is missing.
NAMELESS = "; here: --device NAME"
_LATEST = 1e11


class Reading(Struct, frozen=True):
    """What one dialect made of a message. reason: why it is rejected or unwanted; "" when it was understood."""

    dialect: str
    facts: list[Fact] = []
    reason: str = ""
    unwanted: bool = False

    @property
    def understood(self) -> bool:
        """Facts, or nothing to tell, or nothing to be kept."""
        return self.unwanted or not self.reason


def read(dialect: str, module: Dialect, message: Message, device: str = "") -> Reading:
    """Decode with one dialect; a message without a topic goes to none that reads by it. Raises nothing."""
    if not message.topic and dialect in TOPICS:
        return Reading(dialect, reason=f"needs --topic like {TOPICS[dialect]}")
    try:
        facts = module.decode(structs.replace(message, topic=message.topic or NEUTRAL), device)
    except Unwanted as error:
        return Reading(dialect, reason=scrub.scrub_text(error.reason), unwanted=True)
    except Undecodable as error:
        named = device or not read(dialect, module, message, NEUTRAL).understood
        return Reading(dialect, reason=scrub.scrub_text(error.reason) + ("" if named else NAMELESS))
    except Exception as error:  # noqa: BLE001 -- a defect of a dialect, told as the gateway tells it
        return Reading(dialect, reason=f"defect in dialect {dialect}, please report it: {type(error).__name__}")
    return Reading(dialect, facts=[_masked(fact) for fact in facts])


def read_all(message: Message, device: str = "", dialects: Mapping[str, Dialect] = DIALECTS) -> list[Reading]:
    """What every dialect makes of it. Two names of one module are one dialect, by its first name."""
    modules = {id(module): name for name, module in reversed(list(dialects.items())) if name not in CHOSEN}
    names = set(modules.values())
    return [read(name, module, message, device) for name, module in dialects.items() if name in names]


def _named_by_file(reading: Reading, message: Message, path: str) -> Reading:
    """The reading again with the file's name as the device, where nothing but a name was missing."""
    if not reading.reason.endswith(NAMELESS):
        return reading
    return read(reading.dialect, find(reading.dialect), message, bodies.slug(Path(path).stem) or NEUTRAL)


def _masked(fact: Fact) -> Fact:
    if isinstance(fact, Sighting | Presence):
        return structs.replace(fact, beacon=scrub.address(fact.beacon))
    return fact


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE… and what the file does not say."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a message: as it was sent, or in hex; - is stdin")
    parser.add_argument("--dialect", metavar="D", help="only this one, or a mapping.toml; without it all are tried")
    parser.add_argument("--topic", default="", metavar="T", help="MQTT topic, or the path of an HTTP push")
    parser.add_argument("--header", action="append", default=[], metavar="K=V", help="an HTTP header; may be repeated")
    parser.add_argument("--device", default="", metavar="NAME", help="the name a route gives the device")
    parser.add_argument("--seen", type=float, metavar="EPOCH", help="when it was got, s UTC (default: now)")
    parser.add_argument("--json", action="store_true", help="the long form always, with file and dialect")
    parser.epilog = "The exit code is 0 when every file was understood, 1 when not, 2 when it could not be tried."


def run(args: argparse.Namespace) -> int:
    """Print what is read; see the exit codes above."""
    try:
        headers = _asked(args)
        only = find(args.dialect) if args.dialect else None
        payloads = [(path, *samplefile.read(path)) for path in args.files]
    except FlowmonError as error:
        print(f"flowmon decode: {error}", file=sys.stderr)
        return 2
    seen = Clock().now() if args.seen is None else args.seen
    failed = False
    for path, payload, written in payloads:
        if written:
            _note(f"{path}: hex, {len(payload)} bytes")
        message = Message(topic=args.topic, payload=payload, seen=seen, headers=headers)
        readings = [read(args.dialect, only, message, args.device)] if only else read_all(message, args.device)
        if not args.device and not any(reading.understood for reading in readings):
            named = [_named_by_file(reading, message, path) for reading in readings]
            if any(reading.understood for reading in named):
                _note(
                    f"{path}: the message names no device, so the file's name stands for it; --device NAME is another"
                )
                readings = named
        if not only:
            _tell(path, readings)
        lines, understood = report(path, payload, readings, long=args.json)
        failed |= not understood
        for line in lines:
            print(msgspec.json.encode(line).decode() if isinstance(line, dict) else wire.encode(line).decode())
        if any(isinstance(fact, Sighting) for reading in readings for fact in reading.facts):
            _note(f"{path}: beacon ids as they were sent; the gateway keeps keyed tokens of them instead")
    return 1 if failed else 0


def _asked(args: argparse.Namespace) -> dict[str, str]:
    """The headers; raises FlowmonError for what cannot be meant."""
    if args.seen is not None and not 0 <= args.seen < _LATEST:
        raise FlowmonError(f"--seen {args.seen} is no time in seconds since 1970")
    return dict(_header(text) for text in args.header)


def report(path: str, payload: bytes, readings: list[Reading], *, long: bool) -> tuple[list[Any], bool]:
    """(lines for standard output, whether it was understood): facts as they are, everything else as a dict."""
    spoken = [reading for reading in readings if reading.facts]
    if spoken:
        plain = len(spoken) == 1 and not long
        return [
            fact if plain else {"file": path, "dialect": reading.dialect, "fact": fact}
            for reading in spoken
            for fact in reading.facts
        ], True
    where = {"file": path} if long else {}
    if unwanted := [reading for reading in readings if reading.unwanted]:
        return [{"type": "unwanted", "dialect": r.dialect, "reason": r.reason, **where} for r in unwanted], True
    if any(reading.understood for reading in readings):
        return [], True
    return [{"type": "rejected", "file": path, **_refusal(payload, readings)}], False


def _refusal(payload: bytes, readings: list[Reading]) -> dict[str, object]:
    trouble = samplefile.json_trouble(payload)
    if len(readings) == 1:
        told = readings[0].reason
        return {"dialect": readings[0].dialect, "reason": f"{told}; {trouble}" if trouble else told}
    reasons = {reading.dialect: reading.reason for reading in readings}
    nearly = [f"{dialect}: {reason}" for dialect, reason in reasons.items() if reason.endswith(NAMELESS)]
    return {"reason": trouble or " | ".join(nearly) or "no dialect reads it", "dialects": reasons}


def _tell(path: str, readings: list[Reading]) -> None:
    """Which dialects accept the bytes, on standard error."""
    facts = [f"{reading.dialect} ({len(reading.facts)} facts)" for reading in readings if reading.facts]
    silent = [reading.dialect for reading in readings if not reading.facts and not reading.reason]
    unwanted = [reading.dialect for reading in readings if reading.unwanted]
    if facts:
        _note(f"{path}: read by {_listed(facts)}")
    if silent:
        _note(f"{path}: understood by {_listed(silent)}, and says nothing of people or devices")
    if unwanted:
        _note(f"{path}: understood by {_listed(unwanted)}, and not kept on purpose")
    if not (facts or silent or unwanted):
        waiting = [reading.dialect for reading in readings if reading.reason.startswith("needs --topic")]
        more = f"; {_listed(waiting)} read only with --topic" if waiting else ""
        _note(f"{path}: no dialect of {len(readings)} reads it{more}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _note(text: str) -> None:
    print(f"flowmon decode: {text}", file=sys.stderr)


def _header(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise FlowmonError(f"--header {text!r} is not NAME=VALUE, like content-type=application/xml")
    return name.strip().lower(), value
