"""What every `encode` needs: who speaks for whom, and times as devices write them. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from flowmon.facts import Fact


def simulated(facts: Sequence[Fact], *, device: str, venue: str) -> bool:
    """Whether facts of `device` are simulated: all of them or none, for one message has one mark.

    Raises ValueError for a fact of another source, and for a mix of simulated and real ones.
    """
    for fact in facts:
        if fact.source != device:
            raise ValueError(f"{device} of {venue} cannot speak for {fact.source}")
    if len({fact.simulated for fact in facts}) > 1:
        raise ValueError(f"simulated and real facts of {device} in one message")
    return bool(facts) and facts[0].simulated


def untold(family: str, fact: Fact) -> ValueError:
    """The error to raise for a fact that no device of this family tells."""
    kind = f" of kind {fact.kind}" if hasattr(fact, "kind") else ""
    return ValueError(f"{family}: no such device tells a {type(fact).__name__}{kind} like this one: {fact!r:.200}")


def rfc3339(seconds: float) -> str:
    """A time as "2026-05-02T14:01:00.250Z", to the millisecond; whole seconds without the fraction.

    >>> rfc3339(1777730460.25), rfc3339(1777730460)
    ('2026-05-02T14:01:00.250Z', '2026-05-02T14:01:00Z')
    """
    whole, fraction = divmod(round(seconds * 1000), 1000)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:03}Z" if fraction else f"{text}Z"


def milliseconds(seconds: float) -> int:
    """A time as whole milliseconds since 1970."""
    return round(seconds * 1000)


def number_or_name(line: str) -> int | str:
    """A line as a sensor numbers it, where the line is a number written as usual."""
    return int(line) if line.isascii() and line.isdecimal() and str(int(line)) == line else line
