"""The names of things: identifiers, their spelling, and the topics they travel on.

One spelling everywhere: the same word is used in Python, Kafka, SQL, JSON and CSS.
"""

import re
from typing import NewType

VenueId = NewType("VenueId", str)
FloorId = NewType("FloorId", str)
ZoneId = NewType("ZoneId", str)
PortalId = NewType("PortalId", str)
CounterId = NewType("CounterId", str)
ReceiverId = NewType("ReceiverId", str)
QueueId = NewType("QueueId", str)
RuleId = NewType("RuleId", str)
EpisodeId = NewType("EpisodeId", str)

#: Where people are when they are in no zone of the venue; a zone itself, so that people are conserved.
OUTSIDE = ZoneId("outside")

#: Identifiers of a venue file: they end up in topics, URLs, SQL and CSS without any escaping.
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SLUG_MAX = 64

FACTS_TOPIC = "flowmon.facts"
SIGHTINGS_TOPIC = "flowmon.sightings"
FINDINGS_TOPIC = "flowmon.findings"
REJECTS_TOPIC = "flowmon.rejects"


def is_slug(text: str) -> bool:
    """Whether `text` can name a thing in a venue file (`salle-711`, at most 64 characters)."""
    return len(text) <= SLUG_MAX and SLUG.fullmatch(text) is not None
