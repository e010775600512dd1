"""The inbox on a real broker, by paho-mqtt (this is its only importer but for the simulator's publisher).

paho's network thread puts messages into a buffer; the event loop takes them out in batches: no other state is shared.
Each connection is a client object of its own, so an acknowledgement can never reach a later connection, where the
same packet id may mean another message. The session lives in the broker (fixed client id, clean start off), which
queues while we are away and sends again whatever was not acknowledged.

Bounded: MQTT 5 Receive Maximum tells the broker how much may be under way. Brokers that know no such bound (3.1.1)
may send more than the buffer holds: the excess is left unacknowledged, and fetched by a new connection once all else
is done. Messages of QoS 0 have no second chance: beyond the buffer they are lost, and counted.

Longer than 300 lines, because paho's callbacks and what they touch are best read together.
"""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Sequence
from typing import Any, Literal

import paho.mqtt.client as paho
from msgspec import Struct
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from flowmon import metrics
from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.settings import address
from sensors import refusals
from sensors.buffer import Buffer
from sensors.dialects.port import Message

Version = Literal[4, 5]

KEEPALIVE_S = 30
BACKOFF_FIRST = 0.2
BACKOFF_MAX = 15.0
LASTING_S = 5.0
BRIEF_MAX = 3
BATCH = 500
#: Larger payloads are refused by the gateway; only their beginning is kept, for the reject.
PAYLOAD_MAX = 1_000_000
_KEPT_OF_LARGE = 16_384

_log = logging.getLogger(__name__)


class Login(Struct, frozen=True):
    """How a broker knows us. client_id: fixed, one a gateway; it names the session."""

    client_id: str
    username: str = ""
    password: str = ""


class MqttInbox:
    """Messages of some topic filters. url: `mqtt://host:1883`, or `mqtts://host:8883` for TLS.

    in_flight: most messages sent to us and not acknowledged. session_s: how long the broker keeps our session while
    we are away. version: 5, 4 (3.1.1), or None to find out what the broker speaks.
    Use `start`, then `take` and `ack`, then `close`; all from one event loop.
    Raises FlowmonError when the URL names no host.
    """

    def __init__(
        self,
        url: str,
        filters: Sequence[str],
        login: Login,
        clock: Clock,
        *,
        in_flight: int = 1_000,
        session_s: int = 7 * 86_400,
        version: Version | None = None,
    ) -> None:
        secure = url.lower().startswith("mqtts://")
        self._host, self._port, self._tls = address(url, port=8883 if secure else 1883)
        self._place = f"{self._host}:{self._port}"
        self._filters = list(filters)
        self._login = login
        self._clock = clock
        self._in_flight = in_flight
        self._session_s = session_s
        self._version: Version = version or 5
        self._settled_version = version is not None
        self.problem = "not started"
        self.connections = 0
        self._loop: asyncio.AbstractEventLoop
        self._keeper: asyncio.Task[None] | None = None
        self._client: paho.Client | None = None
        self._stopped = False
        self._closing = asyncio.Event()
        self._up = asyncio.Event()
        self._arrived = asyncio.Event()
        self._buffer = Buffer(2 * in_flight)  # shared with paho's thread; what follows is the event loop's own
        self._number = 0  # of the current connection
        self._lost_told = 0
        self._fetching = False  # we end this connection to get what was shed
        self._unacked = 0  # taken from this connection, QoS 1, not acknowledged

    # -- the gateway's side ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to connect, and to connect again for ever. Returns at once; see `connected` and `problem`."""
        self._loop = asyncio.get_running_loop()
        self._keeper = asyncio.create_task(self._keep_connected(), name="mqtt")

    @property
    def lost_qos0(self) -> int:
        """Messages of QoS 0 for which there was no room."""
        return self._buffer.lost

    async def connected(self, timeout_s: float) -> None:
        """Wait until subscribed. Raises FlowmonError with what is wrong and what to do."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            raise FlowmonError(self.problem) from None

    async def take(self) -> list[Message]:
        """See the gateway's Inbox."""
        while not self._stopped:
            self._arrived.clear()
            self._tell_lost(self._buffer.lost)
            if batch := self._buffer.take(BATCH):
                self._unacked += sum(1 for m in batch if m.qos and m.connection == self._number)
                return batch
            self._fetch_shed()
            await self._arrived.wait()
        return []

    def _tell_lost(self, lost: int) -> None:
        if lost > self._lost_told:
            if not self._lost_told:
                _log.warning("messages of QoS 0 come faster than they can be read, and are lost: send them with QoS 1")
            metrics.lost(lost - self._lost_told)
            self._lost_told = lost

    def ack(self, messages: Sequence[Message]) -> None:
        """See the gateway's Inbox."""
        client = self._client
        if client is None:
            return
        for message in messages:
            if message.qos and message.connection == self._number:
                client.ack(message.mid, message.qos)
                self._unacked -= 1
        if self._buffer.shed:
            self._arrived.set()

    def reject(self, message: Message, reason: str) -> None:
        """See the gateway's Inbox. A device behind a broker cannot be told."""

    def stop(self) -> None:
        """See the gateway's Inbox."""
        self._stopped = True
        self._arrived.set()

    async def close(self) -> None:
        """See the gateway's Inbox. The session and its subscriptions stay with the broker."""
        self.stop()
        self._closing.set()
        if self._client is not None:
            self._client.disconnect()  # queued behind the acknowledgements
        if self._keeper is not None:
            await asyncio.wait([self._keeper], timeout=2 * BACKOFF_MAX)

    def _fetch_shed(self) -> None:
        if self._buffer.shed and not self._fetching and self._unacked <= 0 and self._client is not None:
            self._fetching = True
            self._client.disconnect()

    # -- connecting --------------------------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        wait = BACKOFF_FIRST
        brief = 0  # connections in a row that were accepted and broke at once
        while not self._closing.is_set():
            attempt = await self._connection()
            if self._closing.is_set():
                break
            if self._fetching or self._other_version(attempt):
                continue
            if attempt.accepted and self._loop.time() - attempt.began > LASTING_S:
                wait, brief = BACKOFF_FIRST, 0
            elif attempt.accepted:
                brief += 1
            if attempt.problem:
                twins = brief >= BRIEF_MAX and refusals.twins(self._place, self._login.client_id)
                self._say(twins or attempt.problem)
            try:
                async with asyncio.timeout(wait):
                    await self._closing.wait()
            except TimeoutError:
                wait = min(2 * wait, BACKOFF_MAX)

    async def _connection(self) -> "_Attempt":
        """One connection from beginning to end, whatever ends it."""
        self._number += 1
        self._unacked = 0
        self._buffer.shed = False
        self._fetching = False
        attempt = _Attempt(self._number, self._loop.time())
        self._client = self._new_client(attempt)
        over = asyncio.Event()
        threading.Thread(target=self._session, args=(self._client, attempt, over), name="mqtt", daemon=True).start()
        await over.wait()
        self._client = None
        self._up.clear()
        return attempt

    def _other_version(self, attempt: "_Attempt") -> bool:
        """Whether to try the other protocol version at once: the broker hung up on this one without a word."""
        if self._settled_version or not attempt.reached or attempt.accepted or attempt.refused:
            return False
        self._version = 4 if self._version == 5 else 5
        return self._version == 4

    def _session(self, client: paho.Client, attempt: "_Attempt", over: asyncio.Event) -> None:
        """One connection from beginning to end; runs in its own thread."""
        try:
            self._connect(client)
            attempt.reached = True
            if self._closing.is_set():
                client.disconnect()  # `close` came while there was nothing to disconnect yet
            client.loop_forever(retry_first_connection=False)
            if not attempt.accepted and not attempt.problem:
                attempt.problem = refusals.hangs_up(self._place)
        except OSError as error:
            attempt.problem = refusals.unreachable(error, self._host, self._port, tls=self._tls)
        except Exception as error:  # noqa: BLE001 -- a broker's malformed packet ends this connection only
            attempt.problem = f"{self._place} sends what MQTT does not allow ({error!r}); connecting again"
            _log.exception("paho stopped")
        finally:
            self._call(over.set)

    def _connect(self, client: paho.Client) -> None:
        if self._version == 5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = self._session_s
            properties.ReceiveMaximum = self._in_flight
            client.connect(self._host, self._port, KEEPALIVE_S, clean_start=False, properties=properties)
        else:
            client.connect(self._host, self._port, KEEPALIVE_S)

    def _new_client(self, attempt: "_Attempt") -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._login.client_id,
            clean_session=None if self._version == 5 else False,
            userdata=attempt,
            protocol=MQTTProtocolVersion(self._version),
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if self._login.username:
            client.username_pw_set(self._login.username, self._login.password)
        if self._tls:
            client.tls_set()
        client.on_socket_open = _no_delay
        client.on_socket_register_write = _nothing  # or paho would write from two threads at once
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _say(self, problem: str) -> None:
        """One line for each change of state, and none for what repeats."""
        if problem == self.problem:
            return
        self.problem = problem
        if problem:
            _log.warning("%s", problem)
        else:
            version = "5" if self._version == 5 else "3.1.1"
            _log.info("connected to %s by MQTT %s", self._place, version)

    def _stands(self) -> None:
        self._settled_version = True
        self._say("")
        self._up.set()

    # -- paho's thread -----------------------------------------------------------------------------------------

    def _call(self, function: Any, *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is gone, and we with it
            self._loop.call_soon_threadsafe(function, *args)

    def _on_connect(self, client: paho.Client, attempt: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            attempt.refused = reason.value != refusals.UNSUPPORTED_PROTOCOL
            attempt.problem = refusals.refused(
                reason.value,
                str(reason),
                place=self._place,
                username=self._login.username,
                client_id=self._login.client_id,
            )
            return
        attempt.accepted = True
        if flags.session_present:  # in a lost session they would not come again, so there they stay
            self._buffer.forget_acknowledgeable()
        self.connections += 1
        if self._version == 5:
            # retained messages only for a new subscription: a resumed one has its changes queued
            options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            client.subscribe([(topic, options) for topic in self._filters])
        else:
            client.subscribe([(topic, 1) for topic in self._filters])

    def _on_subscribe(
        self, _client: paho.Client, _attempt: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        for topic, reason in zip(self._filters, reasons, strict=False):
            if reason.is_failure:
                words = refusals.unsubscribable(topic, str(reason), place=self._place, username=self._login.username)
                self._call(self._say, words)
                return
        self._call(self._stands)

    def _on_disconnect(
        self, _client: paho.Client, attempt: Any, flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if not attempt.accepted or attempt.problem or self._closing.is_set():
            return
        if flags.is_disconnect_packet_from_server:
            attempt.problem = refusals.ended(
                reason.value, str(reason), place=self._place, client_id=self._login.client_id
            )
        elif reason.is_failure:
            attempt.problem = f"the connection to {self._place} broke; connecting again"

    def _on_message(self, _client: paho.Client, attempt: Any, incoming: paho.MQTTMessage) -> None:
        payload = bytes(incoming.payload)
        size = len(payload)
        try:
            topic = incoming.topic
        except UnicodeDecodeError:
            topic = "\ufffd"
        message = Message(
            topic=topic,
            payload=payload if size <= PAYLOAD_MAX else payload[:_KEPT_OF_LARGE],
            seen=self._clock.now(),
            retained=incoming.retain,
            size=size,
            mid=incoming.mid,
            qos=incoming.qos,
            connection=attempt.number,
        )
        if self._buffer.put(message):
            self._call(self._arrived.set)


class _Attempt:
    """What became of one connection. Written by paho's thread, read when it is over."""

    def __init__(self, number: int, began: float) -> None:
        self.number = number
        self.began = began
        self.reached = False  # TCP (and TLS) stood
        self.accepted = False  # CONNACK said yes
        self.refused = False  # CONNACK said no, for another reason than the version
        self.problem = ""


def _no_delay(_client: paho.Client, _userdata: Any, sock: Any) -> None:
    """Acknowledgements are small and a bounded broker waits for them: send each at once."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _nothing(_client: paho.Client, _userdata: Any, _sock: Any) -> None:
    """paho's own loop notices what is to be written."""
