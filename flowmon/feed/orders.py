"""The commands of one connection: which are refused at once, which become facts, and which still wait. Pure.

What is refused here never reaches the journal. The core judges again, since other commands may be on their way;
this is for the person's sake: a clear word at once. An accepted command is answered by the core's finding alone,
or after ANSWER_S with `timeout`, which says nothing about whether it was done: the same key may be sent again.
"""

import math
from collections.abc import Callable
from typing import get_args

from msgspec import Struct

from flowmon.commands import NEEDED_ROLE, Acknowledge, ChangeRule, Command, Recount, Role, Shelve, to_fact
from flowmon.facts import Fact
from flowmon.feed.answers import refused
from flowmon.feed.hub import Hub
from flowmon.feed.messages import Fields

ANSWER_S = 5.0
PENDING_MAX = 32
IDEM_MAX = 64
TEXT_MAX = 2_000
PEOPLE_MAX = 1_000_000
SHELVE_MINUTES_MAX = 120

_ROLES: tuple[Role, ...] = get_args(Role)


class Identity(Struct, frozen=True):
    """Who is at the other end: what they may do, and the name their commands are signed with."""

    role: Role
    name: str


class Accepted(Struct, frozen=True):
    """A command that has become a fact; `key` is its idempotency key."""

    hub: Hub
    fact: Fact
    key: str


class _Pending(Struct, frozen=True):
    number: int
    deadline: float
    hub: Hub


def may(who: Identity, command: type[Command]) -> bool:
    """Whether somebody's role is enough for a kind of command."""
    return _ROLES.index(who.role) >= _ROLES.index(NEEDED_ROLE[command])


def allowed(who: Identity) -> list[str]:
    """The commands somebody may give, as they are called on the wire."""
    kinds: tuple[type[Command], ...] = get_args(Command)
    return [str(kind.__struct_config__.tag) for kind in kinds if may(who, kind)]


class Orders:
    """answer: tells the client; gets the number of its command and the fields of the `res`."""

    def __init__(self, answer: Callable[[int, Fields], None]) -> None:
        self.accepted: list[Accepted] = []
        self._answer = answer
        self._pending: dict[str, _Pending] = {}

    def give(self, command: Command, who: Identity, hub: Hub, now: float, at_ms: int) -> None:
        """Refuse a command with its reason, or make it a fact in `accepted`."""
        if not may(who, type(command)):
            needed = NEEDED_ROLE[type(command)]
            no: Fields | None = refused("forbidden", f"this needs the role {needed}, you are {who.role}")
        elif command.idem in self._pending or len(self._pending) >= PENDING_MAX:
            no = refused("busy", "this is being worked on: wait for the answer", retry=True)
        else:
            # A repeated key is answered as the first time, even though the episode has moved on since.
            no = None if hub.answers.knows(command.idem) else check(command, hub)
        if no is not None:
            self._answer(command.id, no)
            return
        self._pending[command.idem] = _Pending(command.id, now + ANSWER_S, hub)
        if hub.answers.ask(command, who.name, self._answered):
            fact = to_fact(command, by=who.name, at=at_ms / 1000, simulated=hub.simulated)
            self.accepted.append(Accepted(hub, fact, command.idem))

    def deadline(self) -> float:
        """When the next command has waited long enough."""
        return min((pending.deadline for pending in self._pending.values()), default=math.inf)

    def expire(self, now: float) -> None:
        """Answer those that have waited long enough."""
        for key, pending in list(self._pending.items()):
            if now >= pending.deadline:
                self._leave(key)
                reason = "the monitor has not answered: see whether it runs, then send the same command again"
                self._answer(pending.number, refused("timeout", reason, retry=True))

    def leave(self) -> None:
        """The connection is gone: nobody waits here any more."""
        for key in list(self._pending):
            self._leave(key)

    def _leave(self, key: str) -> None:
        self._pending.pop(key).hub.answers.leave(key, self._answered)

    def _answered(self, key: str, answer: Fields) -> None:
        pending = self._pending.pop(key, None)
        if pending is not None:
            self._answer(pending.number, answer)


def check(command: Command, hub: Hub) -> Fields | None:
    """Why a command is refused, as the fields of its `res`; None when it may go to the core."""
    if not 0 < len(command.idem) <= IDEM_MAX:
        return refused("bad_request", f"idem must have 1 to {IDEM_MAX} characters")
    match command:
        case Acknowledge():
            return _text(command.note) or _episode(command.alert, command.rev, hub)
        case Shelve():
            return _shelve(command) or _episode(command.alert, command.rev, hub)
        case Recount():
            return _text(command.note) or _recount(command, hub)
        case ChangeRule():
            return _rule(command, hub)


def _text(text: str) -> Fields | None:
    if len(text) > TEXT_MAX:
        return refused("bad_request", f"a note has at most {TEXT_MAX} characters")
    return None


def _episode(episode: str, revision: int, hub: Hub) -> Fields | None:
    current = hub.logs["alerts"].get(episode)
    if current is None:
        return refused("unknown_alert", f"there is no alert {episode!r}: it may be long over")
    if current["rev"] != revision:
        reason = f"the alert has moved on to revision {current['rev']}: look again"
        return refused("stale_rev", reason, cur=current)
    return None


def _shelve(command: Shelve) -> Fields | None:
    if not 1 <= command.minutes <= SHELVE_MINUTES_MAX:
        return refused("bad_request", f"an alert is shelved for 1 to {SHELVE_MINUTES_MAX} minutes")
    if not command.reason.strip():
        return refused("bad_request", "shelving needs a reason")
    return _text(command.reason)


def _recount(command: Recount, hub: Hub) -> Fields | None:
    if command.zone not in hub.venue.zones:
        return refused("unknown_zone", f"there is no zone {command.zone!r}")
    if not 0 <= command.people <= PEOPLE_MAX:
        return refused("bad_request", f"people must be 0 to {PEOPLE_MAX}")
    return None


def _rule(command: ChangeRule, hub: Hub) -> Fields | None:
    if command.rule not in hub.venue.rules:
        return refused("unknown_rule", f"there is no rule {command.rule!r}")
    if not (math.isfinite(command.above) and 0 <= command.clear < command.above):
        return refused("bad_request", "clear must be below above, and neither below zero")
    return None
