"""Every counter family through the real chain: a device's words -> MQTT broker -> gateway -> journal -> the core's
findings. Each device counts three people into the hall by a door of its own; detectors say who stands in their zones.
"""

import asyncio
from collections import Counter as Tally
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from deploy.services import Mosquitto, Services
from flowmon.clock import Clock
from flowmon.facts import Count, Fact, Tick, ZoneCount
from flowmon.findings import Finding, Flow, Rejected
from flowmon.monitor.core import Monitor
from flowmon.venue.model import Counter, Portal, Route, Venue, Zone
from sensors.dialects import DIALECTS
from sensors.gateway import Gateway
from sensors.mqtt import Login, MqttInbox
from sensors.routes import Routes
from tests.fakes import MemoryJournal, until
from tests.small import SQUARE, venue, zones

pytestmark = pytest.mark.integration

FLOW_WINDOW_S = 300  # flows are told when their five minutes are over

#: dialect -> (its topics, the device, the line, the kind it is credited by, the name its route must give)
COUNTERS: dict[str, tuple[str, str, str, str, str]] = {
    "axis": ("axis/#", "B8A44F000001", "Device1Scenario1", "cumulative", ""),
    "hikvision": ("hikvision/#", "849A40ECF16D", "1", "cumulative", ""),
    "milesight": ("milesight/#", "6537F285", "1", "window", ""),
    "irisys": ("irisys/+/counts", "v4d", "Main", "event", ""),
    "xovis": ("xovis/+/logics", "80:1F:12:00:00:01", "1000", "window", ""),
    "xovis-live": ("xovis/+/live", "80:1F:12:00:00:02", "2", "event", ""),
    "xovis-legacy": ("xovis/+/legacy", "80:1F:12:00:00:03", "0", "window", ""),
    "brickstream": ("brickstream/#", "north-door", "0", "window", ""),
    "fiware": ("fiware/#", "urn:ngsi-ld:CrowdFlowObserved:1", "1", "window", "urn:ngsi-ld:CrowdFlowObserved:1"),
    "terabee": ("terabee/+", "FA21415EAEB7", "1", "cumulative", ""),
    "frigate-events": ("frigate/events", "frigate", "porch", "event", "frigate"),
}
#: dialect -> (its topics, the device, the zone it tells of, the name its route must give)
DETECTORS: dict[str, tuple[str, str, str, str]] = {
    "dataq": ("dataq/occupancy/+", "room", "room", ""),
    "steinel": ("steinel/+/DetectedPersonsZone", "hpd", "hpd-1", ""),
    "frigate": ("frigate/+/person", "frigate", "tower", "frigate"),
}


@pytest.fixture
def broker(services: Services, tmp_path: Path) -> Iterator[Mosquitto]:
    part = Mosquitto(tmp_path / "mosquitto")
    part.start()
    yield part
    part.stop()


def museum() -> Venue:
    """A hall with a door for each counter, and a zone for each detector."""
    doors = {f"door-{name}": Portal(between=("outside", "hall")) for name in COUNTERS}
    counters = {
        f"ctr-{name}": Counter(
            portal=f"door-{name}", towards="hall", device=device, line=line, dialect=name,
            credit=kind,  # type: ignore[arg-type]
        )
        for name, (_, device, line, kind, _) in COUNTERS.items()
    }  # fmt: skip
    places = {name: Zone(floor="ground", capacity=100, outline=SQUARE) for name in ("hall", "room", "tower", "hpd-1")}
    inside = {f"way-{name}": Portal(between=("hall", name)) for name in ("room", "tower", "hpd-1")}
    ways = [Route(topic=topic, dialect=name, device=named) for name, (topic, _, _, _, named) in COUNTERS.items()]
    ways += [Route(topic=topic, dialect=name, device=named) for name, (topic, _, _, named) in DETECTORS.items()]
    return venue(zones=places, portals=doors | inside, counters=counters, receivers={}, queues={}, routes=ways)


def told(name: str, now: int) -> list[Fact]:
    """Three people forward, as a device of that family tells them: at `now`, whole seconds."""
    _, device, line, kind, _ = COUNTERS[name]
    base: dict[str, Any] = {"source": device, "counter": device, "line": line, "kind": kind}
    match kind:
        case "cumulative":
            return [Count(at=float(now - 3), forward=10, **base), Count(at=float(now - 1), forward=13, **base)]
        case "window":
            return [Count(at=float(now - 1), start=float(now - 61), end=float(now - 1), forward=3, **base)]
        case _ if name == "irisys":
            return [Count(at=float(now - 1), forward=3, **base)]
        case _:
            return [Count(at=now - 1 + n / 10, forward=1, seq=2 * n, **base) for n in range(3)]


async def test_every_family_from_its_words_to_a_finding(broker: Mosquitto) -> None:
    place = museum()
    journal = MemoryJournal()
    venues = {place.id: place}
    routes = Routes(venues.values())
    inbox = MqttInbox(broker.url, routes.filters, Login("flowmon-gateway-test"), Clock(), in_flight=1_000)
    gateway = Gateway(inbox, routes, venues, journal, journal.append_sightings, journal.append_rejects, Clock())
    await inbox.start()
    running = asyncio.create_task(gateway.run())
    now = int(Clock().now())
    try:
        await inbox.connected(10)
        await asyncio.to_thread(publish, broker.port, place.id, now)
        expected = sum(len(told(name, now)) for name in COUNTERS) + len(DETECTORS)
        await until(lambda: len(journal.facts(place.id)) >= expected)
    finally:
        gateway.stop()
        await asyncio.wait_for(running, 30)
    findings, shown, raw = judged(place, journal.facts(place.id), now)
    assert [finding for finding in findings if isinstance(finding, Rejected)] == []
    flows = Tally[str]()
    for finding in findings:
        if isinstance(finding, Flow) and finding.destination == "hall":
            flows[finding.portal] += finding.people
    assert flows == {f"door-{name}": 3 for name in COUNTERS}
    assert raw["hall"] == 3 * len(COUNTERS)
    # counters that tell a minute at a time have probably seen a little more since
    assert shown["hall"] == pytest.approx(3.0 * len(COUNTERS), abs=2.0)
    # what a detector sees is weighed against the doors, which nobody was seen to pass
    assert [shown[zone] for zone in ("room", "hpd-1", "tower")] == pytest.approx([5.0, 6.0, 7.0], abs=0.5)


def publish(port: int, venue_id: str, now: int) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="devices")
    client.connect("127.0.0.1", port)
    client.loop_start()
    for name, (_, device, _, _, _) in COUNTERS.items():
        say(client, name, told(name, now), venue_id, device)
    for number, (name, (_, device, zone, _)) in enumerate(DETECTORS.items(), 5):
        say(client, name, [ZoneCount(at=float(now), source=device, zone=zone, people=number)], venue_id, device)
    client.disconnect()
    client.loop_stop()


def say(client: paho.Client, name: str, facts: list[Fact], venue_id: str, device: str) -> None:
    for topic, payload, retain in DIALECTS[name].encode(facts, venue=venue_id, device=device):
        client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)


def judged(place: Venue, facts: list[Fact], now: int) -> tuple[list[Finding], dict[str, float | None], dict[str, int]]:
    """What the core makes of the journal, and what it shows soon after, estimated and raw: time goes on by ticks."""
    monitor = Monitor(place)
    findings: list[Finding] = []
    shown: dict[str, float | None] = {}
    raw: dict[str, int] = {}
    for at in range(now - 2, now + 2 * FLOW_WINDOW_S):
        if at == now:
            findings += monitor.apply_record(facts)
        if at == now + 30:  # later the devices are silent, and nobody knows
            shown = {name: state.occupancy for name, state in zones(monitor).items()}
            raw = {name: state.raw for name, state in zones(monitor).items()}
        findings += monitor.apply(Tick(at=float(at), source="ticker", seq=at))
    return findings, shown, raw
