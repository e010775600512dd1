"""What a venue means: every problem that its shape alone cannot show, all of them at once."""

from flowmon.venue.model import Problem, Venue


def audit(venue: Venue, *, uncertain: frozenset[str] = frozenset()) -> list[Problem]:
    """Problems of a venue. uncertain: paths whose values stand in for something unreadable; not judged."""
    return []
