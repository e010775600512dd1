"""What every Bluetooth gateway dialect needs: one hearing to a Sighting, and batches of them. No dialect itself.

In a batch, adverts that name no beacon (telephones) are left out; when that leaves nothing, the message is Unwanted.
"""

from collections.abc import Callable, Iterable

from flowmon.errors import Undecodable
from flowmon.facts import Fact, Sighting
from sensors.dialects import bodies
from sensors.dialects.port import Message, Unwanted

#: Most adverts in one message; gateways send some hundred a second at most.
ADVERTS_MAX = 5000


def sighting(
    message: Message, *, at: float, receiver: str, beacon: str, rssi: object, simulated: bool = False
) -> Sighting:
    """One hearing. rssi: dBm as the payload has it, a number or (older firmware) digits. Raises Undecodable."""
    source = bodies.name(receiver, "gateway")
    return Sighting(
        at=at,
        source=source,
        seen=message.seen,
        simulated=simulated,
        beacon=beacon,
        receiver=source,
        rssi_dbm=dbm(rssi),
    )


def dbm(value: object) -> float:
    """A signal strength in dBm, -200..50. Raises Undecodable."""
    rssi = bodies.number(numeral(value), "rssi")
    if not -200 <= rssi <= 50:
        raise Undecodable("rssi is out of -200..50 dBm")
    return float(rssi)


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


def heard(items: Iterable[object], read: Callable[[object], Sighting]) -> list[Fact]:
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
