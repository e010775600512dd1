"""Milesight people counters whose trigger data are registers: as `milesight`, but for `line_trigger_data`.

Source: akenza-io/device-type-library types/milesight/VS125 (MIT), whose sample triggers stand at 27 and 27.

Count kinds: `line_trigger_data` -> `cumulative` of the line "<number>-trigger", for the register of the totals is
another one; the rest is as in `milesight`.

Pitfalls: which of the two a sensor is cannot be seen in one message. `flowmon learn` tells it from a recording.
"""

from collections.abc import Sequence

from msgspec import structs

from flowmon.facts import Count, Fact
from sensors.dialects import milesight, speech
from sensors.dialects.port import Message, Outgoing

_SUFFIX = "-trigger"

FAMILY = structs.replace(
    milesight.FAMILY,
    name="Milesight VS125, VS133, VS135 whose triggers are registers",
    kinds=("window", "cumulative", "zone_count", "device_status"),
)


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    return milesight.reports(message, device, "cumulative", _SUFFIX)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port; registers of a line "<number>-trigger" are told as trigger data."""
    return milesight.encode([_to_trigger(fact) for fact in facts], venue=venue, device=device)


def _to_trigger(fact: Fact) -> Fact:
    if isinstance(fact, Count) and fact.kind == "event":
        raise speech.untold("milesight-registers", fact)
    if isinstance(fact, Count) and fact.kind == "cumulative" and fact.line.endswith(_SUFFIX):
        return structs.replace(fact, kind="event", line=fact.line.removesuffix(_SUFFIX))
    return fact
