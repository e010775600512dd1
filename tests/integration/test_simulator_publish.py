"""Simulated devices on a real broker."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from flowmon.errors import FlowmonError
from flowmon.facts import DeviceStatus
from simulator.play import play
from simulator.publish import Publisher, Version
from simulator.simulation import Simulation
from tests import tiny_museum

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("mosquitto") is None, reason="mosquitto is not installed (apt install mosquitto)"),
]
DEADLINE_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def broker(folder: Path, port: int, more: str = "allow_anonymous true") -> Iterator[str]:
    """A mosquitto of its own; the URL it listens on."""
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\n{more}\nmax_queued_messages 0\n")
    process = subprocess.Popen(["mosquitto", "-c", str(settings)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


class Listener:
    """Collects everything that is published."""

    def __init__(self, port: int) -> None:
        self.topics: list[str] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        ready = threading.Event()
        self.client.on_message = lambda _client, _data, message: self.topics.append(message.topic)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe("#", qos=1)
        assert ready.wait(DEADLINE_S)

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while len(self.topics) < count and time.monotonic() < deadline:
            threading.Event().wait(0.05)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_all_that_is_published_arrives(tmp_path: Path, version: Version) -> None:
    port = free_port()
    with broker(tmp_path, port) as url:
        listener = Listener(port)
        simulation = Simulation(tiny_museum.venue(), tiny_museum.day(visitors=40), 1)
        with Publisher(simulation.venue, url, version=version, in_flight=50) as publisher:
            day = simulation.day
            play(simulation, publisher.publish, start=day.start, until=day.at("11:00"), clock=None)
            publisher.close(simulation.now)
        listener.wait_for(publisher.messages)
        listener.close()
    assert publisher.messages > 1000
    assert len(listener.topics) == publisher.messages
    assert {topic.split("/")[0] for topic in listener.topics} == {"flowmon", "xovis", "espresense"}


def test_a_broker_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    beat = [DeviceStatus(at=1.0, source="c-arch", simulated=True, health="online")]
    with contextlib.ExitStack() as first:
        url = first.enter_context(broker(tmp_path, port))
        publisher = Publisher(tiny_museum.venue(), url, in_flight=5)
        publisher.publish(beat)
        publisher.drain()
    publisher.publish(beat)  # nobody is there
    with broker(tmp_path, port):
        publisher.drain()
        publisher.close()
    assert publisher.messages == 2


def test_a_broker_that_stays_away_is_given_up_with_a_reason(tmp_path: Path) -> None:
    with broker(tmp_path, free_port()) as url:
        publisher = Publisher(tiny_museum.venue(), url, in_flight=2, patience_s=0.2)
    beat = [DeviceStatus(at=1.0, source="c-arch", simulated=True, health="online")]
    publisher.publish(beat * 2)
    publisher.publish(beat)
    with pytest.raises(FlowmonError, match="confirmed nothing"):
        publisher.publish(beat)
    with pytest.raises(FlowmonError, match="confirmed nothing"):
        publisher.close()


def test_a_wrong_password_is_explained(tmp_path: Path) -> None:
    with (
        broker(tmp_path, free_port(), "allow_anonymous false") as url,
        pytest.raises(FlowmonError, match=r"refused the simulator: Not authorized"),
    ):
        Publisher(tiny_museum.venue(), url)
