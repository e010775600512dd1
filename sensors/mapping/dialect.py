"""A mapping file as a dialect: the same port as a module of `sensors/dialects`, read only."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from flowmon.errors import Undecodable
from flowmon.facts import Fact
from sensors.dialects.port import Family, Message, Outgoing, Unwanted
from sensors.mapping.documents import Open
from sensors.mapping.model import Mapping
from sensors.mapping.picks import Place, Read, Scene
from sensors.mapping.rules import FACTS_MAX, Rule
from sensors.mapping.selectors import MISSING

#: Most bytes of a message that a mapping looks at.
BODY_MAX = 1 << 20


class Mapped(Struct, eq=False):
    """A compiled mapping. called: whether topic and headers are this sensor's, judged before the payload is opened, so
    that what is not for us is not even parsed; matches: whether the payload is; says: the reason when one is not.

    device: who speaks, from the payload or the route; MISSING when neither says. mapping: as the file has it.
    """

    FAMILY: Family
    name: str
    open: Open
    called: Callable[[Place], bool]
    matches: Callable[[Place], bool]
    says: str
    unwanted: bool
    device: Read
    rules: list[Rule]
    mapping: Mapping

    def decode(self, message: Message, device: str) -> list[Fact]:
        """See the port."""
        if len(message.payload) > BODY_MAX:
            raise Undecodable("payload is larger than 1 MB: send fewer measurements in a message")
        scene = Scene(message, None, device)
        if not self.called(Place(scene, None, 1)):
            raise self._foreign()
        scene.document = self.open(message.payload)
        place = Place(scene, scene.document, 1)
        if not self.matches(place):
            raise self._foreign()
        found = self.device(place)
        scene.device = "" if found is MISSING else found
        simulated = isinstance(scene.document, dict) and scene.document.get("simulated") is True
        facts: list[Fact] = []
        for rule in self.rules:
            facts += rule.facts(scene, simulated)
            if len(facts) > FACTS_MAX:
                raise Undecodable(f"more than {FACTS_MAX} facts in one message")
        return facts

    def _foreign(self) -> Undecodable:
        return (Unwanted if self.unwanted else Undecodable)(self.says)

    def encode(self, facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
        """See the port. A mapping only reads, so any fact raises ValueError."""
        if facts:
            raise ValueError(f"{self.name} is read only: {device} of {venue} cannot be simulated in it")
        return []


def named(reads: Sequence[Callable[[Place], Any]]) -> Read:
    """The first device name that one of these finds, else MISSING."""

    def read(place: Place) -> Any:
        for each in reads:
            if (value := each(place)) is not MISSING and value != "":
                return value
        return MISSING

    return read
