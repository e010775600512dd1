"""Bluetooth advertisements: the AD structures of a packet, and the beacon named in them. No dialect; any bytes do.

Source: Bluetooth Core Supplement part A §1 (length, type, data); AltBeacon/spec; google/eddystone; Apple's iBeacon.

A beacon is named as ESPresense names it, so that one beacon heard by two makes of receiver is one beacon:
`iBeacon:<uuid>-<major>-<minor>`, `altBeacon:<first 16 bytes as uuid>-<u16>-<u16>`, `eddy:<namespace>-<instance>`.

Pitfalls:
* Major and minor are big endian; company ids are little endian.
* ESPresense writes the fifth byte of an Eddystone namespace twice: 22 digits, not 20. So do we, for the same name.
* Older Eddystone-UID frames leave out the two reserved bytes.
* Eddystone-EID rotates, TLM and URL name nobody. Addresses rotate too, and belong to telephones: never a name.

The structures are walked here, and bluetooth-data-tools is the oracle of the tests. It is quicker (0.3 µs a packet,
this module 3 µs with the naming), but it returns one record per company, the last: where a gateway hands on an advert
and its scan response as one packet, another of Apple's frames hides the iBeacon before it. It also keeps the last
1,024 packets of passers-by in memory.
"""

import re
from collections.abc import Iterator

from flowmon.errors import Undecodable
from sensors.dialects.port import Unwanted

FLAGS = 0x01
MANUFACTURER = 0xFF
SERVICE_DATA_16 = 0x16
EDDYSTONE = b"\xaa\xfe"
_IBEACON = b"\x4c\x00\x02\x15"
_ALTBEACON = b"\xbe\xac"
#: The company id is no part of an AltBeacon's name; this is the first in the specification's example.
_ALTBEACON_COMPANY = b"\x18\x01"
_UID = EDDYSTONE + b"\x00"
_NAMELESS = {b"\x10": "Eddystone-URL", b"\x20": "Eddystone-TLM", b"\x30": "Eddystone-EID", b"\x40": "Eddystone-EID"}
_UUID = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(
    r"(?i)(?P<kind>ibeacon|altbeacon):(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"-(?P<major>[0-9]{1,5})-(?P<minor>[0-9]{1,5})"
)
_EDDY = re.compile(r"(?i)eddy:(?P<head>[0-9a-f]{10})(?P<tail>[0-9a-f]{12})-(?P<instance>[0-9a-f]{12})")
#: Extended advertising carries at most this much.
_MOST = 1650
#: Signal strength at 1 m (at 0 m for Eddystone) in frames written here, dBm as a byte. No reader needs it.
_POWER = b"\xc5"


def structures(advert: bytes) -> Iterator[tuple[int, bytes]]:
    """The (type, data) of each AD structure; a zero length is padding, and a cut structure ends the packet.

    >>> list(structures(bytes.fromhex("020106" "03ff4c00" "00" "05ff00")))
    [(1, b'\\x06'), (255, b'L\\x00')]
    """
    place = 0
    while place < len(advert):
        end = place + 1 + advert[place]
        if end > len(advert):
            return
        if end > place + 1:
            yield advert[place + 1], advert[place + 2 : end]
        place = end


def structure(kind: int, data: bytes) -> bytes:
    """One AD structure, for data that came without its length. Data beyond 254 bytes is cut."""
    data = data[:254]
    return bytes((len(data) + 1, kind)) + data


def beacon(*packets: bytes) -> str:
    """The name of the beacon that sent these packets of AD structures, an advert and its scan response say.

    Raises Unwanted, and nothing else, when it has none.
    """
    for packet in packets:
        for kind, data in structures(packet[:_MOST]):
            if kind == MANUFACTURER and (name := _manufacturer(data)):
                return name
            if kind == SERVICE_DATA_16 and data.startswith(_UID) and len(data) >= 20:
                return f"eddy:{data[4:9].hex()}{data[8:14].hex()}-{data[14:20].hex()}"
    for packet in packets:
        _, found, rest = packet[:_MOST].partition(bytes((SERVICE_DATA_16,)) + EDDYSTONE)
        if found and rest[:1] in _NAMELESS:  # cut short or whole
            raise Unwanted(f"advertisement: {_NAMELESS[rest[:1]]} names no beacon; not kept")
    raise Unwanted("advertisement: no beacon frame (a telephone or another device); not kept")


def _manufacturer(data: bytes) -> str:
    if data.startswith(_IBEACON) and len(data) >= 25:
        return ibeacon(data[4:20].hex(), _u16(data, 20), _u16(data, 22))
    if data[2:4] == _ALTBEACON and len(data) >= 26:
        return f"altBeacon:{_dashed(data[4:20].hex())}-{_u16(data, 20)}-{_u16(data, 22)}"
    return ""


def ibeacon(uuid: str, major: int, minor: int) -> str:
    """The name of an iBeacon told by its parts; uuid with or without dashes, major and minor 0..65535.

    Raises Unwanted when the uuid is all zero (a receiver's word for "no iBeacon"), Undecodable when it is none.
    """
    digits = uuid.replace("-", "").lower()
    if not _UUID.fullmatch(digits):
        raise Undecodable("uuid is not 32 hex digits")
    if not (0 <= major <= 0xFFFF and 0 <= minor <= 0xFFFF):
        raise Undecodable("major or minor is out of 0..65535")
    if not int(digits, 16):
        raise Unwanted("advertisement: no beacon frame (a telephone or another device); not kept")
    return f"iBeacon:{_dashed(digits)}-{major}-{minor}"


def parts(name: str) -> tuple[str, int, int]:
    """The uuid (32 small digits), major and minor of an iBeacon's name. Raises ValueError for any other name.

    >>> parts("iBeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0-1-263")
    ('e2c56db5dffb48d2b060d0f5a71096e0', 1, 263)
    """
    found = _NAME.fullmatch(name)
    if found is None or found["kind"].lower() != "ibeacon":
        raise ValueError(f"{name!r} is not the name of an iBeacon")
    return _numbers(found)


def frame(name: str) -> tuple[int, bytes]:
    """The (type, data) of the AD structure that names a beacon so: what `beacon` reads. Raises ValueError."""
    if found := _EDDY.fullmatch(name):
        head, tail = bytes.fromhex(found["head"]), bytes.fromhex(found["tail"])
        if head[-1] == tail[0]:
            body = b"\x00" + _POWER + head + tail[1:] + bytes.fromhex(found["instance"]) + bytes(2)
            return SERVICE_DATA_16, EDDYSTONE + body
    if found := _NAME.fullmatch(name):
        uuid, major, minor = _numbers(found)
        body = bytes.fromhex(uuid) + major.to_bytes(2, "big") + minor.to_bytes(2, "big") + _POWER
        if found["kind"].lower() == "altbeacon":
            return MANUFACTURER, _ALTBEACON_COMPANY + _ALTBEACON + body + b"\x00"
        if int(uuid, 16):
            return MANUFACTURER, _IBEACON + body
    raise ValueError(f"no beacon can be sent that is named {name!r}")


def packet(name: str) -> bytes:
    """The AD structures a beacon of this name sends, 30 or 31 bytes. Raises ValueError."""
    return structure(FLAGS, b"\x06") + structure(*frame(name))


def _numbers(found: re.Match[str]) -> tuple[str, int, int]:
    major, minor = int(found["major"]), int(found["minor"])
    if major > 0xFFFF or minor > 0xFFFF:
        raise ValueError(f"major or minor is out of 0..65535: {found[0]!r}")
    return found["uuid"].replace("-", "").lower(), major, minor


def _dashed(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _u16(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 2], "big")
