"""LoRaWAN uplinks for tests: four network envelopes, the bare form, and what a codec makes of them."""

import base64
import json
from pathlib import Path

import pytest

from flowmon.facts import Count, DeviceHealth, DeviceStatus, Fact, ZoneCount
from sensors.dialects import DIALECTS
from sensors.dialects.port import Dialect, Message

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads"
SEEN, AT = 1_777_730_461.0, 1_777_730_460.0
TIME = "2026-05-02T14:01:00.000000001Z"
EUI = "24e124136b325678"
CODECS: dict[str, Dialect] = {name: codec for name, codec in DIALECTS.items() if name.startswith("lorawan-")}


def things_stack(payload: bytes, port: int, counter: int) -> dict[str, object]:
    inner = {"f_port": port, "f_cnt": counter, "frm_payload": base64.b64encode(payload).decode(), "received_at": TIME}
    return {"end_device_ids": {"device_id": "d1", "dev_eui": EUI.upper()}, "uplink_message": inner}


def chirpstack(payload: bytes, port: int, counter: int) -> dict[str, object]:
    data = base64.b64encode(payload).decode()
    return {"deviceInfo": {"devEui": EUI}, "time": TIME, "fPort": port, "fCnt": counter, "data": data}


def chirpstack_3(payload: bytes, port: int, counter: int) -> dict[str, object]:
    eui, data = (base64.b64encode(raw).decode() for raw in (bytes.fromhex(EUI), payload))
    heard = [{"gatewayID": "AwMDAwMDAwM=", "time": None}, {"gatewayID": "BAQEBAQEBAQ=", "time": TIME}]
    return {"applicationID": "1", "devEUI": eui, "fPort": port, "fCnt": counter, "data": data, "rxInfo": heard}


def actility(payload: bytes, port: int, counter: int) -> dict[str, object]:
    inner = {"DevEUI": EUI.upper(), "FPort": str(port), "FCntUp": str(counter), "payload_hex": payload.hex()}
    return {"DevEUI_uplink": inner | {"Time": "2026-05-02T16:01:00.000+02:00"}}


def bare(payload: bytes, port: int, counter: int) -> dict[str, object]:
    return {"devEui": EUI, "port": port, "fCnt": counter, "time": TIME, "payloadHex": payload.hex()}


def message(body: object, headers: dict[str, str] | None = None) -> Message:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(topic="v3/a@t/devices/d1/up", payload=payload, seen=SEEN, headers=headers or {})


def decode(codec: str, payload: str, port: int = 85, device: str = "") -> list[Fact]:
    """What a codec reads in the hex digits of a payload, sent as frame 7 through The Things Stack."""
    return CODECS[codec].decode(message(things_stack(bytes.fromhex(payload), port, 7)), device)


def sample(name: str) -> Message:
    """The message of a third party, whose file name begins so; the test is skipped without it."""
    found = [path for path in sorted(SAMPLES.glob(f"{name}*.json")) if ".expected" not in path.name]
    if not found:
        pytest.skip("third-party payloads are not beside this checkout")
    return message(found[0].read_bytes())


def read(codec: str, name: str) -> list[Fact]:
    """What a codec reads in a third party's sample on the route of device `door`."""
    return CODECS[codec].decode(sample(name), "door")


def register(forward: int, backward: int, line: str = "1", device: str = EUI) -> Count:
    return Count(
        at=AT,
        source=device,
        seen=SEEN,
        seq=7,
        counter=device,
        kind="cumulative",
        line=line,
        forward=forward,
        backward=backward,
    )


def window(forward: int, backward: int, line: str = "1", device: str = EUI) -> Count:
    return Count(
        at=AT,
        source=device,
        seen=SEEN,
        seq=7,
        counter=device,
        kind="window",
        line=line,
        forward=forward,
        backward=backward,
        end=AT,
    )


def status(
    health: DeviceHealth = "online", reason: str = "", firmware: str = "", battery: float | None = None
) -> DeviceStatus:
    return DeviceStatus(
        at=AT, source=EUI, seen=SEEN, seq=7, health=health, reason=reason, firmware=firmware, battery=battery
    )


def counts(facts: list[Fact]) -> list[tuple[str, str, int, int]]:
    """(kind, line, forward, backward) of the counts."""
    return [(fact.kind, fact.line, fact.forward, fact.backward) for fact in facts if isinstance(fact, Count)]


def zones(facts: list[Fact]) -> dict[str, int]:
    """zone -> people of the zone counts."""
    return {fact.zone: fact.people for fact in facts if isinstance(fact, ZoneCount)}


def states(facts: list[Fact]) -> list[tuple[str, str]]:
    """(health, reason) of the device states."""
    return [(fact.health, fact.reason) for fact in facts if isinstance(fact, DeviceStatus)]
