"""Every Bluetooth gateway through the gateway of flowmon: a beacon becomes a token, and no address gets through."""

import asyncio

import msgspec
import pytest

from flowmon.clock import Clock
from flowmon.facts import DeviceStatus, Fact, Sighting
from flowmon.venue.model import Receiver, Route
from sensors.dialects import DIALECTS
from sensors.dialects.port import Message
from sensors.gateway import Gateway
from sensors.routes import Routes
from tests.fakes import FakeInbox, MemoryJournal, until
from tests.small import T0, venue

#: Where the venue file listens for each family, and where its gateway publishes.
ROUTES = {
    "espresense": "espresense/devices/#",
    "openmqttgateway": "home/+/BTtoMQTT/#",
    "ruuvi": "ruuvi/+/#",
    "minew": "minew/+",
    "moko": "moko/+",
    "tasmota": "tele/+/SENSOR",
    "cassia": "cassia/+",
    "april-brother": "aprilbrother/+",
}
UUID = "e2c56db5-dffb-48d2-b060-d0f5a71096e0"
BEACON = f"iBeacon:{UUID}-1-263"
ADDRESS = b"5F4A3B2C1D0E"


def messages(dialect: str, receiver: str) -> list[Message]:
    """A hearing at T0, in the dialect's words; addresses that the format has room for are filled in."""
    facts: list[Fact] = [Sighting(at=T0, source=receiver, receiver=receiver, beacon=BEACON, rssi_dbm=-70.0)]
    spoken = DIALECTS[dialect].encode(facts, venue="small", device=receiver)
    filled = [
        (topic, payload.replace(b"000000000000", ADDRESS).replace(b"00:00:00:00:00:00", b"5F:4A:3B:2C:1D:0E"))
        for topic, payload, _ in spoken
    ]
    return [
        Message(topic=topic, payload=payload, seen=T0 + 0.25, qos=1, mid=number)
        for number, (topic, payload) in enumerate(filled, 1)
    ]


@pytest.mark.parametrize("dialect", ROUTES)
async def test_a_beacon_becomes_a_token_on_its_way(dialect: str) -> None:
    route = [] if dialect == "espresense" else [Route(topic=ROUTES[dialect], dialect=dialect)]
    receiver = Receiver(zone="hall", at=(5.0, 5.0), dialect=dialect)
    small = venue(receivers={"ble-hall": receiver}, routes=route)
    inbox, journal = FakeInbox(), MemoryJournal()
    known = {small.id: small}
    gateway = Gateway(inbox, Routes([small]), known, journal, journal.append_sightings, journal.append_rejects, Clock())
    running = asyncio.create_task(gateway.run())
    told = messages(dialect, "ble-hall")
    inbox.put(*told)
    await until(lambda: len(inbox.acked) == len(told))
    gateway.stop()
    await asyncio.wait_for(running, 10)

    [sighting] = [fact for facts in journal.sightings.values() for fact in facts]
    assert sighting.receiver == "ble-hall"
    assert sighting.rssi_dbm == -70.0
    assert sighting.at == pytest.approx(T0, abs=1.0)
    assert sighting.beacon.startswith("tok-")
    assert all(isinstance(fact, DeviceStatus) for fact in journal.facts("small"))
    written = msgspec.json.encode([sighting, journal.facts("small"), journal.rejects]).lower()
    assert not [word for word in (UUID[:8], "5f4a3b2c1d0e", "5f:4a:3b") if word.encode() in written]
    assert not journal.rejects
