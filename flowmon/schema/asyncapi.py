"""The contract as AsyncAPI 3.0: MQTT topics in, Kafka topics between, the feed's socket out; payloads by `$ref`."""

from typing import Any

from flowmon import __version__
from flowmon.feed.messages import SUBPROTOCOL
from flowmon.names import FACTS_TOPIC, FINDINGS_TOPIC, REJECTS_TOPIC, SIGHTINGS_TOPIC
from flowmon.schema import frames
from flowmon.schema.jsonschema import NATIVE

Part = dict[str, Any]

_SAID = ("Hello", "Sub", "Unsub", "Ok")
_TOLD = ("Welcome", "Snap", "Delta", "Ev", "Res", "Hb")
_KAFKA = {
    # topic: (channel, message, payload, key, what it is)
    FACTS_TOPIC: ("facts", "record", "facts.schema.json#/$defs/Record", "the venue", "Journal records of a venue"),
    SIGHTINGS_TOPIC: (
        "sightings",
        "sightings",
        "facts.schema.json#/$defs/Sightings",
        "venue/beacon",
        "Sightings of a beacon, before presence is made of them",
    ),
    FINDINGS_TOPIC: (
        "findings",
        "finding",
        "findings.schema.json#/$defs/Finding",
        "venue/subject",
        "Findings; compacted, so the latest of each subject stays",
    ),
    REJECTS_TOPIC: (
        "rejects",
        "reject",
        "findings.schema.json#/$defs/Rejected",
        "the venue",
        "Messages that could not be read, with the reason",
    ),
}


def document() -> Part:
    """The whole document. `$ref`s to schemas are relative: keep it in the folder of the JSON Schemas."""
    mqtt, kafka, feed = _mqtt(), _kafka(), _feed()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "flowmon",
            "version": __version__,
            "description": "Live visitor-flow monitor for museums. Readers ignore unknown fields.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "mqtt": _server("localhost:1883", "mqtt", "Your broker: devices publish, the gateway reads"),
            "kafka": _server("localhost:9092", "kafka", "The journal of the cluster engine"),
            "feed": _server("localhost:8080", "ws", "Screens and programs"),
        },
        "channels": mqtt["channels"] | kafka["channels"] | feed["channels"],
        "operations": mqtt["operations"] | kafka["operations"] | feed["operations"],
        "components": {"messages": mqtt["messages"] | kafka["messages"] | feed["messages"]},
    }


def _server(host: str, protocol: str, description: str) -> Part:
    return {"host": host, "protocol": protocol, "description": description}


def _message(name: str, title: str, payload: str, **more: Any) -> Part:
    return {"name": name, "title": title, "contentType": "application/json", "payload": {"$ref": payload}, **more}


def _channel(address: str, server: str, description: str, messages: dict[str, str], **more: Any) -> Part:
    return {
        "address": address,
        "servers": [{"$ref": f"#/servers/{server}"}],
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{key}"} for name, key in messages.items()},
        **more,
    }


def _operation(action: str, channel: str, messages: list[str], summary: str, **more: Any) -> Part:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
        **more,
    }


def _mqtt() -> Part:
    parts: Part = {"channels": {}, "operations": {}, "messages": {}}
    parameters = {
        "venue": {"description": "The venue's id"},
        "device": {"description": "The name of the device, as in venue.toml"},
    }
    for what, fact in NATIVE.items():
        channel = f"native-{what}"
        address = f"flowmon/v1/{{venue}}/{{device}}/{what}"
        retained = what == "status"
        parts["messages"][channel] = _message(fact, f"{what} of a device", f"native.schema.json#/$defs/{what}")
        parts["channels"][channel] = _channel(
            address, "mqtt", f"{fact}, one or an array", {fact: channel}, parameters=parameters
        )
        bindings = {"mqtt": {"qos": 1, "retain": retained, "bindingVersion": "0.2.0"}}
        parts["operations"][f"receive-{channel}"] = _operation(
            "receive", channel, [fact], f"The gateway reads {what} messages", bindings=bindings
        )
    return parts


def _kafka() -> Part:
    parts: Part = {"channels": {}, "operations": {}, "messages": {}}
    for topic, (channel, message, payload, key, what) in _KAFKA.items():
        binding = {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": "0.5.0"}}
        more: Part = {"bindings": binding}
        if topic == FINDINGS_TOPIC:
            more["headers"] = cloud_event()
        parts["messages"][message] = _message(message, what, payload, **more)
        topic_binding = {"kafka": {"topic": topic, "bindingVersion": "0.5.0"}}
        parts["channels"][channel] = _channel(topic, "kafka", what, {message: message}, bindings=topic_binding)
        for action in ("send", "receive"):
            parts["operations"][f"{action}-{channel}"] = _operation(action, channel, [message], what)
    return parts


def cloud_event() -> Part:
    """Headers of a finding: CloudEvents binary mode, and the name of the state it comes from."""
    text = {
        "ce_specversion": "1.0",
        "ce_id": "venue/offset/index: the same however often it is published",
        "ce_source": "/flowmon/venue",
        "ce_type": "flowmon. and the finding's type",
        "content-type": "application/json",
        "offset": "journal record whose application produced it, in ASCII digits",
        "index": "its place among that record's findings, in ASCII digits",
    }
    properties = {name: {"type": "string", "description": description} for name, description in text.items()}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _feed() -> Part:
    commands = ("Acknowledge", "Shelve", "Recount", "ChangeRule")
    messages = {name: _message(name, name, f"feed.schema.json#/$defs/{name}") for name in (*_SAID, *_TOLD)}
    messages |= {name: _message(name, name, f"commands.schema.json#/$defs/{name}") for name in commands}
    shown = ", ".join(f"{channel}: {kind.__name__}" for channel, kind in frames.CHANNELS.items())
    description = f"WebSocket, subprotocol {SUBPROTOCOL}; text frames. Shown by channel: {shown}"
    channel = _channel("/feed", "feed", description, {name: name for name in messages})
    reply = {
        "channel": {"$ref": "#/channels/feed"},
        "messages": [{"$ref": "#/channels/feed/messages/Res"}],
    }
    operations = {
        "receive-frames": _operation("receive", "feed", list(_SAID), "Clients subscribe and give credit"),
        "receive-commands": _operation("receive", "feed", list(commands), "Staff command", reply=reply),
        "send-frames": _operation("send", "feed", list(_TOLD), "The feed tells snapshots, deltas and events"),
    }
    return {"channels": {"feed": channel}, "operations": operations, "messages": messages}
