"""Simulated devices on a real broker: each speaks its own dialect, over one MQTT connection.

QoS 1, bounded in flight: `publish` waits when the broker does not confirm, so an outage slows the simulation down and
loses nothing (paho sends again after a reconnect). The connection's last will says that the simulator itself went
offline; `close` says it for every device.
"""

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from flowmon.errors import FlowmonError
from flowmon.facts import DeviceStatus, Fact
from flowmon.settings import address
from flowmon.venue.model import Venue
from sensors.dialects import native
from simulator.speaking import Speakers

__all__ = ["Publisher", "Speakers"]

Version = Literal["3.1.1", "5"]
CONNECT_S = 10.0
SIMULATOR = "simulator"


class Publisher:
    """One connection to a broker for all simulated devices of a venue; a context manager.

    url: `mqtt://host:1883` or `mqtts://…`. version: the embedded broker speaks 3.1.1 only. patience_s: how long to
    wait for a broker that went away. Raises FlowmonError when the broker cannot be reached or refuses.
    """

    def __init__(
        self,
        venue: Venue,
        url: str,
        *,
        version: Version = "3.1.1",
        username: str = "",
        password: str = "",
        client: str = "flowmon-simulator",
        in_flight: int = 200,
        patience_s: float = 300.0,
    ) -> None:
        self.speakers = Speakers(venue)
        self.messages = 0
        self._venue = venue.id
        self._url = url
        self._patience_s = patience_s
        self._size = in_flight
        self._free = threading.BoundedSemaphore(in_flight)
        self._answered = threading.Event()
        self._refusal = ""
        self._closed = False
        self._client = self._make(client, version, username, password)
        host, port, tls = address(url, port=1883)
        if tls:
            self._client.tls_set()
        self._open(host, port)

    def publish(self, facts: Sequence[Fact]) -> None:
        """Tell these facts; returns when the messages are on their way. Raises FlowmonError when nobody confirms."""
        for topic, payload, retain in self.speakers.messages(facts):
            self._publish(topic, payload, retain=retain)

    def drain(self) -> None:
        """Wait until the broker has confirmed everything. Raises FlowmonError when it does not."""
        self._hold(self._size)
        for _ in range(self._size):
            self._free.release()

    def close(self, at: float | None = None) -> None:
        """Every device goes offline (at `at`, when given), everything is confirmed, the connection ends. Idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            if at is not None:
                gone: list[Fact] = [
                    DeviceStatus(at=at, source=device, simulated=True, health="offline", reason="simulation ended")
                    for device in self.speakers.dialects
                ]
                self.publish(gone)
            self.drain()
        finally:
            self._client.disconnect()
            self._client.loop_stop()

    def _make(self, client: str, version: Version, username: str, password: str) -> mqtt.Client:
        protocol = mqtt.MQTTv5 if version == "5" else mqtt.MQTTv311
        made = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client, protocol=protocol)
        made.max_inflight_messages_set(self._size)
        made.reconnect_delay_set(1, 5)
        made.on_connect = self._connected
        made.on_publish = self._confirmed
        will = native.PREFIX + f"/{self._venue}/{SIMULATOR}/status"
        made.will_set(will, b'{"health":"offline","simulated":true}', qos=1, retain=False)
        if username:
            made.username_pw_set(username, password or None)
        return made

    def _open(self, host: str, port: int) -> None:
        try:
            self._client.connect(host, port, keepalive=30)
        except (OSError, ValueError) as error:
            raise FlowmonError(f"no broker at {self._url}: {error}; start one, or name another") from error
        self._client.loop_start()
        if not self._answered.wait(CONNECT_S) or self._refusal:
            self._client.disconnect()
            self._client.loop_stop()
            reason = self._refusal or f"no answer in {CONNECT_S:g} s (the embedded broker speaks 3.1.1 only)"
            raise FlowmonError(f"the broker at {self._url} refused the simulator: {reason}")

    def _publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        self._hold(1)
        self._client.publish(topic, payload, qos=1, retain=retain)
        self.messages += 1

    def _hold(self, places: int) -> None:
        for taken in range(places):
            if not self._free.acquire(timeout=self._patience_s):
                for _ in range(taken):
                    self._free.release()
                raise FlowmonError(
                    f"the broker at {self._url} confirmed nothing for {self._patience_s:g} s: is it up, and not full?"
                )

    def _connected(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
        self._answered.set()

    def _confirmed(self, _client: mqtt.Client, _data: Any, _mid: int, _reason: Any, _properties: Any) -> None:
        self._free.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
