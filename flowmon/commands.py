"""Commands: what staff may ask. The feed checks role and revision; an accepted command becomes a fact.

`idem` is the client's idempotency key: the same key twice is the same command, answered the same way.
"""

from typing import Literal

from msgspec import Struct

from flowmon.facts import Acknowledged, Fact, Recounted, RuleChanged, Shelved

Role = Literal["viewer", "agent", "manager", "admin"]


class CommandBase(Struct, frozen=True, kw_only=True, tag_field="do"):
    """`id` pairs the answer with the request on one socket."""

    id: int
    idem: str


class Acknowledge(CommandBase, frozen=True, kw_only=True, tag="ack"):
    """Take an episode over. Refused with `stale_rev` when the episode has moved on since `rev`."""

    alert: str
    rev: int
    note: str = ""


class Shelve(CommandBase, frozen=True, kw_only=True, tag="shelve"):
    """Put an episode aside for `minutes` (1..120) with a reason."""

    alert: str
    rev: int
    minutes: int
    reason: str


class Recount(CommandBase, frozen=True, kw_only=True, tag="recount"):
    """Report how many people somebody counted in a zone."""

    zone: str
    people: int
    note: str = ""


class ChangeRule(CommandBase, frozen=True, kw_only=True, tag="change_rule"):
    """Move a rule's limits."""

    rule: str
    above: float
    clear: float


Command = Acknowledge | Shelve | Recount | ChangeRule

#: The least role that may give each command.
NEEDED_ROLE: dict[type[CommandBase], Role] = {
    Acknowledge: "agent",
    Recount: "agent",
    Shelve: "manager",
    ChangeRule: "admin",
}


def to_fact(command: Command, *, by: str, at: float, simulated: bool) -> Fact:
    """The fact an accepted command becomes. `by` is the user who gave it, `at` when the feed accepted it."""
    source = f"user:{by}"
    match command:
        case Acknowledge():
            return Acknowledged(
                at=at,
                seen=at,
                source=source,
                simulated=simulated,
                episode=command.alert,
                revision=command.rev,
                by=by,
                command=command.idem,
                note=command.note,
            )
        case Shelve():
            return Shelved(
                at=at,
                seen=at,
                source=source,
                simulated=simulated,
                episode=command.alert,
                revision=command.rev,
                by=by,
                until=at + 60.0 * command.minutes,
                reason=command.reason,
                command=command.idem,
            )
        case Recount():
            return Recounted(
                at=at,
                seen=at,
                source=source,
                simulated=simulated,
                zone=command.zone,
                people=command.people,
                by=by,
                command=command.idem,
                note=command.note,
            )
        case ChangeRule():
            return RuleChanged(
                at=at,
                seen=at,
                source=source,
                simulated=simulated,
                rule=command.rule,
                above=command.above,
                clear=command.clear,
                by=by,
                command=command.idem,
            )
