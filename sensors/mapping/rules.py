"""One `[[facts]]` table to one function from a message to facts. Compiled once, pure afterwards."""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from flowmon.errors import Undecodable
from flowmon.facts import Fact
from sensors.dialects import advertisements, bodies, hearing
from sensors.dialects.port import Unwanted
from sensors.mapping.fields import Kind
from sensors.mapping.model import FactTable
from sensors.mapping.picks import Place, Scene
from sensors.mapping.selectors import MISSING

Field = Callable[[Place], Any]
#: The rows of a document, with the document itself where a mapping names none.
Rows = Callable[[Any], Iterable[Any]]


class Rule(Struct, frozen=True):
    """A compiled table. fields: by name, of the fact or of what makes it. device: who speaks in a row."""

    table: FactTable
    kind: Kind
    rows: Rows
    where: list[Callable[[Place], bool]]
    fields: dict[str, Field]
    device: Field | None = None

    def facts(self, scene: Scene, simulated: bool) -> list[Fact]:
        """The facts of the rows for which `where` holds. Raises Undecodable."""
        found: list[Fact] = []
        unwanted: Unwanted | None = None
        for number, row in enumerate(self.rows(scene.document), 1):
            place = Place(scene, row, number)
            if number > self.table.rows_max:
                raise Undecodable(f"more than {self.table.rows_max} rows of {self.table.each or 'the message'}")
            if all(holds(place) for holds in self.where):
                try:
                    found.append(self._fact(place, simulated=simulated))
                except Unwanted as error:
                    unwanted = error
        if unwanted is not None and not found:
            raise unwanted
        return found

    def _fact(self, place: Place, *, simulated: bool) -> Fact:
        message = place.scene.message
        source = self.device(place) if self.device else place.scene.device
        if not source or source is MISSING:
            raise Undecodable("the message names no device; name the device on its route")
        fields = {name: value for name, read in self.fields.items() if (value := read(place)) is not MISSING}
        fields |= {"source": source, "seen": message.seen}
        if simulated:
            fields["simulated"] = True
        match self.table.type:
            case "count":
                _count(fields, self.table, source)
            case "sighting":
                _sighting(fields, source)
            case "queue_reading" if not fields.keys() & {"length", "wait_s", "outflow"}:
                raise Undecodable("none of length, wait_s and outflow is there")
        if "at" not in fields:
            if message.retained and self.table.type != "device_status":
                raise Unwanted(f"a retained {self.table.type} has no time")
            fields["at"] = message.seen
        return self.kind.make(**fields)  # type: ignore[return-value]


def _count(fields: dict[str, Any], table: FactTable, source: str) -> None:
    fields["counter"], fields["kind"] = source, table.kind
    if table.invert:
        fields["forward"], fields["backward"] = fields.get("backward", 0), fields.get("forward", 0)
    if table.kind == "window":
        if "end" not in fields:
            fields["end"] = fields["start"] + table.window_s
        elif "start" not in fields:
            fields["start"] = fields["end"] - table.window_s
        start, end = fields["start"], fields["end"]
        if start < 0:
            raise Undecodable("a window needs a start after 1970")
        if not bodies.lasts(start, end, fields.get("forward", 0) + fields.get("backward", 0), "a window"):
            raise Unwanted("a window that is no time, and nobody in it")
        fields.setdefault("at", fields["end"])


def _sighting(fields: dict[str, Any], source: str) -> None:
    receiver = fields.setdefault("receiver", source)
    fields["source"] = bodies.name(receiver, "receiver")
    if (advert := fields.pop("advert", None)) is not None:
        fields["beacon"] = advertisements.beacon(advert)
    else:
        uuid, major, minor = fields.pop("uuid"), fields.pop("major"), fields.pop("minor")
        fields["beacon"] = advertisements.ibeacon(uuid, major, minor)


def single(document: Any) -> list[Any]:
    """The message as its own only row."""
    return [document]


#: Most facts of one message.
FACTS_MAX = hearing.ADVERTS_MAX
