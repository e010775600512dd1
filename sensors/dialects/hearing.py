"""What every Bluetooth gateway dialect needs: one hearing to a Sighting and back, and batches of them. No dialect.

In a batch, adverts that name no beacon (telephones) are left out; when that leaves nothing, the message is Unwanted.

A simulated visitor carries a token (`tok-…`), so that the truth of a simulation can name it; no advert can. So it is
sent as an iBeacon whose UUID is `Flowmo` and the token's digits, and read back only where the message says that it
is simulated: nobody can broadcast a token into a real museum.
"""

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from flowmon.errors import Undecodable
from flowmon.facts import Fact, Sighting
from sensors.dialects import bodies
from sensors.dialects.port import Message, Unwanted
from sensors.tokens import is_token

Item = TypeVar("Item")
#: Most adverts in one message; gateways send some hundred a second at most.
ADVERTS_MAX = 5000
#: What HCI and the gateways after it write when they have no signal strength.
_NO_RSSI = 127
_CARRIED = re.compile(r"iBeacon:466c6f77-6d6f-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})-0-0")


def sighting(
    message: Message, *, at: float, receiver: str, beacon: str, rssi: object, simulated: bool = False
) -> Sighting:
    """One hearing. rssi: dBm as the payload has it, a number or (older firmware) digits. Raises Undecodable."""
    source = bodies.name(receiver, "gateway")
    if simulated and (carried := _CARRIED.fullmatch(beacon)):
        beacon = "tok-" + "".join(carried.groups())
    return Sighting(
        at=at,
        source=source,
        seen=message.seen,
        simulated=simulated,
        beacon=beacon,
        receiver=source,
        rssi_dbm=dbm(rssi),
    )


def sent_as(fact: Sighting) -> str:
    """The name under which a beacon sends, for `advertisements.frame`. Raises ValueError for a token that is real."""
    if not is_token(fact.beacon):
        return fact.beacon
    if not fact.simulated:
        raise ValueError(f"{fact.beacon} is a token, and no beacon sends one")
    digits = fact.beacon.removeprefix("tok-")
    return f"iBeacon:466c6f77-6d6f-{digits[:4]}-{digits[4:8]}-{digits[8:]}-0-0"


def own(fact: Fact, *, venue: str, device: str) -> None:
    """Raises ValueError for a fact that a gateway named `device` cannot tell, because it is another's."""
    if fact.source != device or (isinstance(fact, Sighting) and fact.receiver != device):
        raise ValueError(f"{device} of {venue} cannot speak for {fact.source}")


def mark(fact: Fact) -> dict[str, object]:
    """The mark that a simulated fact leaves in a JSON body; nothing for a real one."""
    return {"simulated": True} if fact.simulated else {}


def dbm(value: object) -> float:
    """A signal strength in dBm, -200..50. Raises Undecodable; Unwanted for 127, which says that there is none."""
    rssi = bodies.number(numeral(value), "rssi")
    if rssi == _NO_RSSI:
        raise Unwanted("advertisement: heard without a signal strength (127); not kept")
    if not -200 <= rssi <= 50:
        raise Undecodable("rssi is out of -200..50 dBm")
    return float(rssi)


def whole(fact: Sighting) -> int:
    """The signal strength as gateways write it, whole dBm -128..50. Raises ValueError for one beyond."""
    rssi = round(fact.rssi_dbm)
    if not -128 <= rssi <= 50:
        raise ValueError(f"rssi {fact.rssi_dbm} is out of -128..50 dBm")
    return rssi


def numeral(value: object) -> object:
    """A number written as text as the number it means; anything else as it is.

    >>> numeral("-81"), numeral("x"), numeral(3)
    (-81, 'x', 3)
    """
    if isinstance(value, str) and len(value) <= 20 and value.isascii() and value.removeprefix("-").isdecimal():
        return int(value)
    return value


def u16(value: object, what: str) -> int:
    """A number 0..65535, in digits too. Raises Undecodable."""
    number = bodies.people(numeral(value), what)
    if number > 0xFFFF:
        raise Undecodable(f"{what} is out of 0..65535")
    return number


def octets(value: object, what: str) -> bytes:
    """Hex text as bytes. Raises Undecodable."""
    if not isinstance(value, str) or len(value) > 4096:
        raise Undecodable(f"{what} is not hex text")
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise Undecodable(f"{what} is not hex text") from None


def heard(items: Iterable[Item], read: Callable[[Item], Sighting]) -> list[Fact]:
    """The sightings among the items of a batch. Raises Unwanted when there are items and none names a beacon."""
    facts: list[Fact] = []
    unwanted: Unwanted | None = None
    for place, item in enumerate(items):
        if place >= ADVERTS_MAX:
            raise Undecodable(f"more than {ADVERTS_MAX} adverts in one message")
        try:
            facts.append(read(item))
        except Unwanted as error:
            unwanted = error
    if unwanted and not facts:
        raise unwanted
    return facts


def heard_if_any(items: Iterable[Item], read: Callable[[Item], Sighting]) -> list[Fact]:
    """As `heard`, and empty where no item names a beacon: for a message that says more than its adverts."""
    try:
        return heard(items, read)
    except Unwanted:
        return []
