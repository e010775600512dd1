"""Several inboxes as one: MQTT and HTTP feed one gateway, with one way to the journal and one receipt a message."""

import asyncio
import logging
from collections.abc import Sequence

from flowmon.clock import Clock
from flowmon.settings import Settings
from sensors.dialects.port import Message
from sensors.gateway import Inbox
from sensors.mqtt import Login, MqttInbox
from sensors.routes import Routes

_log = logging.getLogger(__name__)


class Inboxes:
    """Takes from whichever has something. Each knows its own messages, and leaves those of the others alone."""

    def __init__(self, inboxes: Sequence[Inbox]) -> None:
        self._inboxes = list(inboxes)
        self._taking: dict[asyncio.Task[list[Message]], Inbox] = {}
        self._stopped = False

    async def take(self) -> list[Message]:
        """See the gateway's Inbox. What one took while another was returned is returned next."""
        while not self._stopped:
            asked = set(map(id, self._taking.values()))
            for inbox in self._inboxes:
                if id(inbox) not in asked:
                    self._taking[asyncio.create_task(inbox.take())] = inbox
            done, _ = await asyncio.wait(self._taking, return_when=asyncio.FIRST_COMPLETED)
            taken = [message for task in done for message in task.result()]
            for task in done:
                del self._taking[task]
            if taken:
                return taken
        return []

    def ack(self, messages: Sequence[Message]) -> None:
        """See the gateway's Inbox."""
        for inbox in self._inboxes:
            inbox.ack(messages)

    def reject(self, message: Message, reason: str) -> None:
        """See the gateway's Inbox."""
        for inbox in self._inboxes:
            inbox.reject(message, reason)

    def stop(self) -> None:
        """See the gateway's Inbox."""
        self._stopped = True
        for inbox in self._inboxes:
            inbox.stop()

    async def close(self) -> None:
        """See the gateway's Inbox."""
        self.stop()
        await asyncio.gather(*(inbox.close() for inbox in self._inboxes))
        await asyncio.gather(*self._taking, return_exceptions=True)


async def started(chosen: Settings, routes: Routes, clock: Clock) -> Inboxes:
    """The inboxes that the settings ask for, listening. Raises FlowmonError for what must be mended first."""
    login = Login(chosen.mqtt_client, chosen.mqtt_username, chosen.mqtt_password)
    mqtt = MqttInbox(chosen.mqtt, routes.filters, login, clock)
    inboxes: list[Inbox] = [mqtt]
    if chosen.http:
        # aiohttp takes a third of a second to load, which most museums need not wait for
        from sensors import http_secrets, http_tls  # noqa: PLC0415
        from sensors.http import HttpInbox  # noqa: PLC0415

        known = http_secrets.load(chosen.http_secrets, routes.posts)
        tls = http_tls.context(chosen.http_certificate, chosen.http_key) if chosen.http_certificate else None
        posted = HttpInbox(chosen.http, routes, known, clock, tls=tls)
        await posted.start()
        inboxes.append(posted)
    elif routes.posts:
        paths = ", ".join(post.path for post in routes.posts)
        _log.warning("nobody listens for what is posted to %s: set FLOWMON_HTTP, like 0.0.0.0:8082", paths)
    await mqtt.start()
    return Inboxes(inboxes)
