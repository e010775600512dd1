"""The contract as JSON Schema 2020-12, one document per union, made from the structs themselves."""

import inspect
from typing import Any, get_args

import msgspec
from msgspec import Struct

from flowmon import __version__
from flowmon.commands import Command
from flowmon.facts import Count, DeviceStatus, Fact, Sighting
from flowmon.feed import messages
from flowmon.findings import Finding
from flowmon.schema import frames

Schema = dict[str, Any]
Documents = dict[str, Schema]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Contract version: the one every 0.1.x release can read.
VERSION = ".".join(__version__.split(".")[:2])

#: Last level of a native MQTT topic -> the fact it carries. `sensors.dialects.native` speaks this.
NATIVE = {
    "count": "Count",
    "zone": "ZoneCount",
    "queue": "QueueReading",
    "sighting": "Sighting",
    "presence": "Presence",
    "served": "Served",
    "desks": "DesksOpen",
    "status": "DeviceStatus",
    "booked": "Booked",
    "interaction": "Interaction",
}
#: Fields that a native payload leaves out, because the topic or the gateway knows them.
_NOT_NATIVE = ("type", "source", "seen")
#: Fields that a native payload may leave out.
_OPTIONAL = {Count.__name__: "counter", Sighting.__name__: "receiver", DeviceStatus.__name__: "at"}


def documents() -> Documents:
    """File name -> JSON Schema of everything that flowmon reads or writes."""
    facts = _union("facts", "Fact", Fact, "What happened: one object of the journal.")
    facts["$defs"]["Record"] = {
        "description": "A journal record: facts of one venue, in order, never empty, applied whole.",
        "type": "array",
        "items": {"$ref": "#/$defs/Fact"},
        "minItems": 1,
    }
    facts["$defs"]["Sightings"] = {
        "description": "Sightings of one beacon, in order.",
        "type": "array",
        "items": {"$ref": "#/$defs/Sighting"},
        "minItems": 1,
    }
    return {
        "facts.schema.json": facts,
        "findings.schema.json": _union("findings", "Finding", Finding, "What flowmon concludes."),
        "commands.schema.json": _commands(),
        "native.schema.json": _native(facts["$defs"]),
        "feed.schema.json": _feed(),
    }


def _head(name: str, title: str, description: str) -> Schema:
    return {"$schema": DIALECT, "$id": f"urn:flowmon:{VERSION}:{name}", "title": title, "description": description}


def _union(name: str, title: str, union: Any, description: str) -> Schema:
    (schema,), definitions = msgspec.json.schema_components([union], ref_template="#/$defs/{name}")
    definitions = {key: _tidy(value) for key, value in definitions.items()}
    definitions[title] = schema
    return {**_head(name, title, description), "$ref": f"#/$defs/{title}", "$defs": definitions}


def _commands() -> Schema:
    document = _union("commands", "Command", Command, "What staff may ask, as sent on a feed socket.")
    for kind in get_args(Command):
        definition = document["$defs"][kind.__name__]
        definition["properties"] = {"t": {"enum": ["cmd"]}, **definition["properties"]}
        definition["required"] = ["t", *definition["required"]]
    return document


def _native(facts: dict[str, Schema]) -> Schema:
    """Payloads of flowmon's own MQTT dialect: a fact without what topic and gateway know, or an array of them."""
    definitions = {}
    for what, name in NATIVE.items():
        fact = facts[name]
        optional = (*_NOT_NATIVE, _OPTIONAL.get(name, ""))
        one = {
            "title": name,
            "description": fact["description"],
            "type": "object",
            "properties": {key: value for key, value in fact["properties"].items() if key not in _NOT_NATIVE},
            "required": [key for key in fact["required"] if key not in optional],
        }
        if not one["required"]:
            del one["required"]
        definitions[name] = one
        definitions[what] = {
            "description": f"flowmon/v1/<venue>/<device>/{what}",
            "anyOf": [
                {"$ref": f"#/$defs/{name}"},
                {"type": "array", "items": {"$ref": f"#/$defs/{name}"}},
            ],
        }
    description = "What devices publish in flowmon's own MQTT dialect; fields as in facts.schema.json."
    choices = [{"$ref": f"#/$defs/{what}"} for what in NATIVE]
    return {**_head("native", "Native", description), "anyOf": choices, "$defs": definitions}


def feed_types() -> list[type[Struct]]:
    """What clients say and what the feed says, apart from commands."""
    said: list[type[Struct]] = [messages.Hello, messages.Sub, messages.Unsub, messages.Ok]
    told: list[type[Struct]] = [frames.Welcome, frames.Snap, frames.Delta, frames.Ev, frames.Res, frames.Hb]
    return [*said, *told, *frames.CHANNELS.values()]


def _feed() -> Schema:
    kinds = feed_types()
    _, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    definitions = {key: _tidy(value) for key, value in definitions.items()}
    frame = [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds if kind.__struct_config__.tag is not None]
    description = "Frames of a flowmon.v1 feed socket: one JSON object each, `t` says which."
    return {**_head("feed", "Frame", description), "anyOf": frame, "$defs": definitions}


def _tidy(schema: Schema) -> Schema:
    """Docstrings lose their indentation; what `msgspec` says twice is said once."""
    if "description" in schema:
        schema = {**schema, "description": inspect.cleandoc(schema["description"])}
    return schema
