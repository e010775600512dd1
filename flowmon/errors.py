"""The errors of flowmon, one tree:

FlowmonError
├── VenueInvalid(problems)   a venue file that cannot be used; all problems at once
├── Undecodable(reason)      bytes from outside that cannot be read; becomes a reject
├── JournalError             the journal cannot be written or read (disk full, broker refused, corrupt record)
└── Unauthorised             a command or connection that is not allowed

Each message says what to do about it. A programming error is none of these and crashes its process.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowmon.venue.model import Problem


class FlowmonError(Exception):
    """Anything flowmon can explain."""


class VenueInvalid(FlowmonError):
    """A venue file with problems."""

    def __init__(self, problems: "list[Problem]") -> None:
        self.problems = problems
        super().__init__("\n".join(_line(problem) for problem in problems))


def _line(problem: "Problem") -> str:
    place = ": ".join(part for part in (problem.file, problem.path) if part)
    return f"{place}: {problem.message} ({problem.hint})"


class Undecodable(FlowmonError):
    """Bytes that cannot be read, with the reason in words."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class JournalError(FlowmonError):
    """The journal cannot be written or read."""


class Unauthorised(FlowmonError):
    """Not allowed, and why."""
