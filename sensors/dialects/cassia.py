"""Cassia Bluetooth gateways: scan results as server-sent events, as JSON, or over their MQTT bypass.

Source: reelyactive/barnowl-cassia (MIT); CassiaNetworks/CassiaSDKGuide (scan API and MQTT example).
`data: {"bdaddrs":[{"bdaddr":"FE:E1:…","bdaddrType":"random"}],"rssi":-72,"adData":"0201…","evtType":0,"chipId":0}`,
the same object bare, several of them, an array, or `{"action":"data.scan","data":[…]}`.
The gateway is known from the connection alone: name the device on its route.

Count kinds: none. Yields Sighting.

Pitfalls:
* There is no time in it: `at` is when it was got here.
* `chipId` (`chip` in the source's own simulator) is one of two radios in one box, not a receiver: not read.
* The advert is `adData`, with `scanData` (the scan response) in later events, each alone or both.
* `:keep-alive` comments say nothing. `name` and `bdaddr` are nobody's business.
"""

from collections.abc import Sequence

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import Fact, Sighting
from sensors.dialects import advertisements, bodies, hearing
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Cassia gateways",
    transports=("HTTP", "MQTT"),
    kinds=("sighting",),
    privacy="addresses, names and advertisements of telephones nearby",
    tested="scan events as barnowl-cassia reads them",
    source="reelyactive/barnowl-cassia, CassiaNetworks/CassiaSDKGuide",
)
_SSE = ("data:", ":", "event:", "id:", "retry:")
#: Other words of the MQTT bypass: of Bluetooth connections, which flowmon never asks for.
_SILENT = ("data.connection_state", "data.notification")


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    found: list[dict[str, object]] = []
    for value in _events(message.payload):
        found += _scans(value)
    if not found:
        return []
    if not device:
        raise Undecodable("cassia: the message does not say which gateway heard it; name the device on its route")
    return hearing.heard(found, lambda scan: _sighting(message, scan, device))


def _events(payload: bytes) -> list[object]:
    """The JSON values of a message; of a stream of server-sent events, those after `data:`."""
    lines = payload.strip().splitlines()
    if not lines or not lines[0].startswith(tuple(word.encode() for word in _SSE)):
        return bodies.documents(payload)
    if not all(not line.strip() or line.startswith(tuple(word.encode() for word in _SSE)) for line in lines):
        raise Undecodable("cassia: not a stream of server-sent events")
    data = b"\n".join(line.removeprefix(b"data:") for line in lines if line.startswith(b"data:"))
    return bodies.documents(data) if data.strip() else []


def _scans(value: object) -> list[dict[str, object]]:
    if isinstance(value, dict) and "action" in value:
        if value["action"] in _SILENT:
            return []
        if value["action"] != "data.scan":
            raise Undecodable("cassia: action is not data.scan")
        value = bodies.rows(value.get("data"), "data")
    scans = [bodies.table(scan, "scan event") for scan in (value if isinstance(value, list) and value else [value])]
    if not all(isinstance(scan.get("bdaddrs"), list) for scan in scans):
        raise Undecodable("cassia: a scan event has no bdaddrs")
    return scans


def _sighting(message: Message, scan: dict[str, object], receiver: str) -> Sighting:
    packets = [hearing.octets(scan[name], name) for name in ("adData", "scanData") if scan.get(name)]
    return hearing.sighting(
        message,
        at=message.seen,
        receiver=receiver,
        beacon=advertisements.beacon(*packets),
        rssi=scan.get("rssi"),
        simulated=scan.get("simulated") is True,
    )


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one scan event a message, on `cassia/<device>`."""
    return [_outgoing(fact, venue, device) for fact in facts]


def _outgoing(fact: Fact, venue: str, device: str) -> Outgoing:
    hearing.own(fact, venue=venue, device=device)
    if not isinstance(fact, Sighting):
        raise ValueError(f"a Cassia gateway tells no {type(fact).__name__}")  # noqa: TRY004 - the port says ValueError
    body: dict[str, object] = {"bdaddrs": [{"bdaddr": "00:00:00:00:00:00", "bdaddrType": "random"}]}
    body |= {"rssi": hearing.whole(fact), "adData": advertisements.packet(hearing.sent_as(fact)).hex().upper()}
    return f"cassia/{device}", msgspec.json.encode(body | {"evtType": 0, "chipId": 0} | hearing.mark(fact)), False
