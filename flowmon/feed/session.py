"""One connection: what a client may say, in which order, and what it is told. Pure; it is told the time.

Two clocks come in: `now` runs in seconds and drives every limit and rate; `at_ms` is the venue's clock, which a
replay shifts and speeds up, and is only ever passed on. The shell feeds `receive`, writes what `drain` returns,
calls again no later than `next_wake`, appends what `take_accepted` has to the journal, and closes when `closing`
is set. An accepted command is answered when its finding comes back, never before: see `answers`.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from flowmon import __version__
from flowmon.errors import Undecodable
from flowmon.feed.answers import refused
from flowmon.feed.credit import CUT_S, Credit
from flowmon.feed.hub import Hub
from flowmon.feed.mailbox import Mailbox, mailbox
from flowmon.feed.messages import (
    BAD_MESSAGE,
    BAD_TOKEN,
    HEARTBEAT_S,
    HELLO_S,
    MESSAGES_PER_S,
    NO_HELLO,
    NO_SUBPROTOCOL,
    OLDEST_APP,
    SUBSCRIPTIONS_MAX,
    TOO_MANY,
    TOO_OLD,
    TOO_SLOW,
    VERSION,
    Close,
    Fields,
    Hello,
    Ok,
    Other,
    Sub,
    Unsub,
    encode,
    is_older,
    read,
)
from flowmon.feed.orders import Accepted, Identity, Orders, allowed
from flowmon.wire import decode_command


class About(Struct, frozen=True, kw_only=True):
    """What a feed is: live or replay, clock seconds per second; and this session's phase (see `mailbox`)."""

    mode: str = "live"
    rate: float = 1.0
    phase: float = 0.0


class Session:
    """A connection from its first byte to its close. identify: token to who it is; None for a wrong token."""

    def __init__(
        self,
        sid: str,
        hubs: Mapping[str, Hub],
        venue: str,
        identify: Callable[[str], Identity | None],
        now: float,
        about: About,
    ) -> None:
        self.closing: Close | None = None
        self.paint_s: float | None = None
        #: A change of a state channel is of no use to this client before this time.
        self.hungry_at = math.inf
        self._sid, self._hubs, self._hub, self._about = sid, hubs, hubs[venue], about
        self._identify = identify
        self._who: Identity | None = None
        self._hello_by = now + HELLO_S
        self._beat_at = math.inf
        self._tokens, self._tokens_at = float(2 * MESSAGES_PER_S), now
        self._control: list[bytes] = []
        self._boxes: dict[str, Mailbox] = {}
        self._credit = Credit()
        self._orders = Orders(self._answer)

    # -- what the client says

    def receive(self, data: str | bytes, now: float, at_ms: int) -> None:
        """One message from the client; never raises, whatever it is."""
        if self.closing is not None:
            return
        if not self._affords_one(now):
            self._close(TOO_MANY, f"more than {MESSAGES_PER_S} messages a second: send fewer, then reconnect")
            return
        if isinstance(data, bytes):
            self._close(BAD_MESSAGE, "messages are JSON in text frames, this was a binary frame")
            return
        try:
            said = read(data)
        except Undecodable as error:
            self._close(BAD_MESSAGE, f"not a message of flowmon.v1: {error}")
            return
        if self._who is None:
            self._hello(said, now, at_ms)
            return
        match said:
            case Sub():
                self._subscribe(said)
            case Unsub():
                self._unsubscribe(said)
            case Ok():
                self._credit.acknowledged(said.seq)
                self._set_hungry()
                self.paint_s = None if said.seen_ms is None else said.seen_ms / 1000
            case Hello():
                self._close(BAD_MESSAGE, "hello is said once")
            case Other(t="cmd"):
                self._command(said, data, now, at_ms)
            case _:
                pass  # a newer client may say more; what is not known here is not needed here

    def _affords_one(self, now: float) -> bool:
        # Two seconds' worth may come at once: a page that opens subscribes to everything.
        most = 2 * MESSAGES_PER_S
        self._tokens = min(most, self._tokens + (now - self._tokens_at) * MESSAGES_PER_S) - 1
        self._tokens_at = now
        return self._tokens >= 0

    def _hello(self, said: object, now: float, at_ms: int) -> None:
        if not isinstance(said, Hello):
            self._close(BAD_MESSAGE, "the first message is hello")
        elif said.v < VERSION or is_older(said.app.ver):
            self._close(TOO_OLD, f"this page is too old for the feed (oldest: {OLDEST_APP}): reload it")
        elif said.v > VERSION:
            self._close(NO_SUBPROTOCOL, f"this feed speaks version {VERSION}: update flowmon on the server")
        elif (who := self._identify(said.token)) is None:
            self._close(BAD_TOKEN, "the token is not known here: log in again")
        else:
            self._who = who
            self._beat_at = now + HEARTBEAT_S
            self._control.append(encode(self._welcome(who, at_ms)))

    def _welcome(self, who: Identity, at_ms: int) -> Fields:
        now = datetime.fromtimestamp(at_ms / 1000, UTC)
        return {
            "t": "welcome",
            "sid": self._sid,
            "epoch": self._hub.epoch,
            "now": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "at": at_ms,
            "hb_ms": int(HEARTBEAT_S * 1000),
            "mode": self._about.mode,
            "rate": self._about.rate,
            "simulated": self._hub.simulated,
            "venue": self._hub.venue.id,
            "venues": [{"id": hub.venue.id, "name": hub.venue.name} for hub in self._hubs.values()],
            "role": who.role,
            "by": who.name,
            "can": allowed(who),
            "ver": __version__,
            "min_ver": OLDEST_APP,
        }

    def _label(self, venue: str, channel: str) -> str:
        return f"{venue}/{channel}" if venue and venue != self._hub.venue.id else channel

    def _subscribe(self, sub: Sub) -> None:
        hub = self._hubs.get(sub.venue) if sub.venue else self._hub
        label = self._label(sub.venue, sub.ch)
        if hub is None:
            self._answer(sub.id, refused("unknown_venue", f"there is no venue {sub.venue!r} here"))
        elif sub.ch not in hub.keyed and sub.ch not in hub.logs:
            known = ", ".join([*hub.keyed, *hub.logs])
            self._answer(sub.id, refused("unknown_channel", f"there is no channel {sub.ch!r}; there are: {known}"))
        elif label not in self._boxes and len(self._boxes) >= SUBSCRIPTIONS_MAX:
            self._answer(sub.id, refused("too_many", f"at most {SUBSCRIPTIONS_MAX} subscriptions a connection"))
        else:
            self._credit.drop(label)
            self._boxes[label] = mailbox(hub, sub, foreign=hub is not self._hub, phase=self._about.phase)

    def _unsubscribe(self, unsub: Unsub) -> None:
        label = self._label(unsub.venue, unsub.ch)
        self._credit.drop(label)
        known = self._boxes.pop(label, None)
        no = refused("not_subscribed", f"there is no subscription to {unsub.ch!r}")
        self._answer(unsub.id, no if known is None else {"ok": True})

    def _command(self, head: Other, data: str, now: float, at_ms: int) -> None:
        assert self._who is not None
        hub = self._hubs.get(head.venue) if head.venue else self._hub
        try:
            command = decode_command(data.encode())
        except Undecodable as error:
            self._answer(head.id, refused("bad_request", f"not a command: {error}"))
            return
        if hub is None:
            self._answer(head.id, refused("unknown_venue", f"there is no venue {head.venue!r} here"))
        else:
            self._orders.give(command, self._who, hub, now, at_ms)

    def _answer(self, number: int, answer: Fields) -> None:
        self._control.append(encode({"t": "res", "id": number} | answer))

    # -- what the client is told

    def drain(self, now: float, at_ms: int) -> list[bytes]:
        """Messages to write now; more may follow at once: see `next_wake`."""
        self._watch_limits(now)
        if self.closing is not None or self._who is None:
            return []
        out, self._control = self._control, []
        for label, box in self._boxes.items():
            if not self._credit.is_left():
                break
            slow = self._credit.is_lagging(now)
            for data, seq in box.take(now, slow=slow):
                self._credit.sent(label, seq, len(data), now)
                out.append(data)
        if now >= self._beat_at:
            self._beat_at = now + HEARTBEAT_S
            out.append(self._heartbeat(at_ms))
        self._set_hungry()
        return out

    def next_wake(self, now: float) -> float:
        """When `drain` may have something next, if nothing happens before. Channels that may not speak yet count
        even when they have nothing to say: until then nobody needs to tell this session of changes."""
        if self.closing is not None or self._control:
            return 0.0
        if self._who is None:
            return self._hello_by
        times = [self._beat_at, self._orders.deadline()]
        if self._credit.oldest is not None:
            times.append(self._credit.oldest + CUT_S + 0.001)
        if self._credit.is_left():
            times += [box.next_at() for box in self._boxes.values()]
            times += [box.due for box in self._boxes.values() if box.due > now]
        return min(times)

    def is_over(self, now: float) -> bool:
        """Whether the client is to be cut although its last message may still be under way."""
        return self._credit.is_over(now)

    def leave(self) -> None:
        """The connection is gone: nobody waits here for answers any more."""
        self._orders.leave()

    def take_accepted(self) -> list[Accepted]:
        """Commands that have become facts since the last call: they go to the journal."""
        accepted, self._orders.accepted = self._orders.accepted, []
        return accepted

    def _heartbeat(self, at_ms: int) -> bytes:
        latest = self._hub.latest
        beat: Fields = {
            "t": "hb",
            "at": at_ms,
            "seq": {label: box.told for label, box in self._boxes.items()},
            "lag_ms": None if latest is None else max(0, at_ms - round(latest * 1000)),
        }
        return encode(beat | ({"simulated": True} if self._hub.simulated else {}))

    def _set_hungry(self) -> None:
        left = self._credit.is_left()
        self.hungry_at = min((box.due for box in self._boxes.values()), default=math.inf) if left else math.inf

    def _watch_limits(self, now: float) -> None:
        if self._who is None and now >= self._hello_by:
            self._close(NO_HELLO, f"no hello within {HELLO_S:g} seconds")
        if self._credit.is_over(now):
            self._close(TOO_SLOW, f"nothing acknowledged for {CUT_S:g} seconds: send ok for what you have shown")
        self._orders.expire(now)

    def _close(self, code: int, reason: str) -> None:
        if self.closing is None:
            self.closing = Close(code, reason.encode()[:120].decode(errors="ignore"))
