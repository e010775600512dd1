"""A finding as a row of `schema.sql`, and back. Shared by both stores."""

from collections.abc import Sequence
from importlib import resources

from flowmon import wire
from flowmon.errors import FlowmonError, Undecodable
from flowmon.findings import Published, subject

#: venue, offset, index, subject, type, at, recorded, body
Row = tuple[str, int, int, str, str, float, float, str]

# A reject is filed under a name that came from outside: an index holds about 2,700 bytes, and no text of
# PostgreSQL holds a NUL. The body keeps the whole truth (JSON escapes NUL).
_SUBJECT_MAX = 200


def schema() -> str:
    """The statements of schema.sql, for either store."""
    return resources.files("flowmon.history").joinpath("schema.sql").read_text("utf-8")


def key(name: str) -> str:
    """A subject as it stands in its column."""
    return name[:_SUBJECT_MAX].replace("\0", "\ufffd")


def to_rows(published: Sequence[Published], *, recorded: float) -> list[Row]:
    """Rows for findings that the store learns at `recorded`."""
    return [
        (
            one.venue,
            one.offset,
            one.index,
            key(subject(one.finding)),
            str(one.finding.__struct_config__.tag),
            one.finding.at,
            recorded,
            wire.encode(one.finding).decode("utf-8"),
        )
        for one in published
    ]


def from_row(venue: str, offset: int, index: int, body: str) -> Published:
    """The finding of a row. Raises FlowmonError when a later flowmon wrote it."""
    try:
        return Published(venue, offset, index, wire.decode_finding(body.encode("utf-8")))
    except Undecodable as error:
        raise FlowmonError(
            f"the history holds a finding this flowmon cannot read (venue {venue}, offset {offset}, "
            f"index {index}): {error.reason}; use the flowmon that wrote it, or a later one"
        ) from error
