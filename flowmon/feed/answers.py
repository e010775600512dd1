"""Which commands wait for the core's word, and what was answered: the same key twice gets the same answer.

A command is answered by the finding that names its key as `cause`. Findings are remembered also when nobody here
asked: after a restart, or on another feed, a client that repeats its command gets the answer of the first time.
"""

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from flowmon.commands import Command
from flowmon.feed.messages import Fields
from flowmon.findings import Correction, EpisodeChanged, Finding, Rejected

KEPT = 2_000

#: Told to whoever waits: the fields of a `res` but its `id`.
Waiter = Callable[[str, Fields], None]

_CODE = re.compile(r"([a-z_]+): (.+)", re.DOTALL)


class _Asked(Struct):
    by: str
    command: Command
    waiters: list[Waiter]


def refused(code: str, reason: str, *, retry: bool = False, cur: Fields | None = None) -> Fields:
    """The fields of a `res` that says no. `cur` is the episode as it stands."""
    answer: Fields = {"ok": False, "code": code, "reason": reason, "retry": retry}
    return answer if cur is None else answer | {"cur": cur}


def answer_of(finding: Finding) -> tuple[str, Fields] | None:
    """The key of the command that caused a finding, and its answer; None when no command did."""
    match finding:
        case EpisodeChanged(cause=cause) if cause:
            return cause, {"ok": True, "rev": finding.revision}
        case Correction(cause=cause) if cause:
            return cause, {"ok": True}
        case Rejected(cause=cause) if cause:
            said = _CODE.fullmatch(finding.reason)
            code, reason = said.groups() if said else ("rejected", finding.reason)
            return cause, refused(code, reason)
        case _:
            return None


class Answers:
    """The commands of one venue by their idempotency key."""

    def __init__(self) -> None:
        self._answered: dict[str, Fields] = {}
        self._asked: dict[str, _Asked] = {}

    def knows(self, key: str) -> bool:
        """Whether a command with this key was asked or answered before."""
        return key in self._asked or key in self._answered

    def ask(self, command: Command, by: str, waiter: Waiter) -> bool:
        """Answer a command at once if it was answered before, else let `waiter` wait for its finding.

        Returns whether the command has to go to the journal (again): nobody else is waiting for it already.
        """
        key = command.idem
        asked = self._asked.get(key)
        if asked is not None and not _same(asked, command, by):
            waiter(key, refused("idem_reused", "this idempotency key belongs to another command: use a new one"))
            return False
        answered = self._answered.get(key)
        if answered is not None:
            waiter(key, answered)
            return False
        if asked is None:
            asked = self._asked[key] = _Asked(by, command, [])
            _bound(self._asked)
        asked.waiters.append(waiter)
        return len(asked.waiters) == 1

    def learn(self, finding: Finding) -> None:
        """If a command caused this finding, tell whoever waits for it, and remember."""
        found = answer_of(finding)
        if found is not None:
            self._answered[found[0]] = found[1]
            _bound(self._answered)
            self._tell(*found)

    def fail(self, key: str, answer: Fields) -> None:
        """The command did not get into the journal: say so, and forget it so that it can be tried again."""
        self._tell(key, answer)

    def leave(self, key: str, waiter: Waiter) -> None:
        """`waiter` waits no longer (it has gone, or its five seconds are over)."""
        asked = self._asked.get(key)
        if asked is not None and waiter in asked.waiters:
            asked.waiters.remove(waiter)

    def _tell(self, key: str, answer: Fields) -> None:
        asked = self._asked.get(key)
        if asked is not None:
            waiters, asked.waiters = asked.waiters, []
            for waiter in waiters:
                waiter(key, answer)


def _same(asked: _Asked, command: Command, by: str) -> bool:
    """Whether this is the command that was asked: the number of the message on its socket does not count."""
    return asked.by == by and _without_id(asked.command) == _without_id(command)


def _without_id(command: Command) -> tuple[object, ...]:
    fields = [name for name in command.__struct_fields__ if name != "id"]
    return (type(command), *(getattr(command, name) for name in fields))


def _bound(table: dict[str, Any]) -> None:
    if len(table) > KEPT:
        del table[next(iter(table))]
