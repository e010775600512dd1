"""What a check of `flowmon doctor` finds."""

from typing import Literal

from msgspec import Struct

Status = Literal["ok", "warn", "fail", "off"]


class Result(Struct, frozen=True):
    """One line: the part, how it is, what was seen, and what to do about it.

    `off`: not part of this installation. away: nothing answers there at all.
    """

    part: str
    status: Status
    seen: str
    do: str = ""
    away: bool = False


def age(seconds: float) -> str:
    """An age in words: `0.4 s`, `12 min`, `3.5 h`, `2.0 d`."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"
