"""Minew's binary frames to the adverts in them. No dialect: `minew` reads them among its other forms. Any bytes do.

Source: reelyactive/barnowl-minew lib/binarypacketdecoder.js and lib/connectpacketdecoder.js (MIT, read only).
`BB 01` (long): u32 BE length of all, address of the gateway (6), u16 BE number of tags, then for each tag its
address (6), u16 BE number of packets, then for each packet a length byte, that many AD bytes, an answer byte, RSSI.
`BB 02` (Minew Connect): u32 LE length of all at byte 6, of the rest at 10 and at 16, `84 3E` at 14, then adverts of
u16 LE length, radio number, flags, address (6), RSSI, a length byte, that many AD bytes, an angle of arrival.
`BB 00` (short) has the head and tail of the long form; what stands between names no packets, and is not read.

Pitfalls:
* RSSI is a signed byte. Newer sources of barnowl-minew subtract 275 and ask for confirmation; their own test vectors,
  and every plausible distance, say 256.
* Only the long and the short form end with `DD` and name their gateway.
"""

from collections.abc import Iterator

from flowmon.errors import Undecodable

SHORT, LONG, CONNECT = b"\xbb\x00", b"\xbb\x01", b"\xbb\x02"
_TAIL = 0xDD
_TAGS_AT = 14
_CONNECT_AT = 20

#: AD structures and signal strength, dBm.
Advert = tuple[bytes, int]


def gateway(frame: bytes) -> str:
    """The address of the gateway that sent a long or short frame, 12 capitals. Raises Undecodable."""
    if len(frame) < _TAGS_AT + 1 or int.from_bytes(frame[2:6], "big") != len(frame) or frame[-1] != _TAIL:
        raise Undecodable("minew: a binary frame is cut short, or does not end as it should")
    return frame[6:12].hex().upper()


def long(frame: bytes) -> Iterator[Advert]:
    """The adverts of a long frame whose head `gateway` has read. Raises Undecodable where its parts do not add up."""
    tags = int.from_bytes(frame[12:14], "big")
    place, end = _TAGS_AT, len(frame) - 1
    for _ in range(tags):
        _within(place + 8, end)
        packets = int.from_bytes(frame[place + 6 : place + 8], "big")
        place += 8
        for _ in range(packets):
            _within(place + 1, end)
            size = frame[place]
            _within(place + size + 3, end)
            yield frame[place + 1 : place + 1 + size], _signed(frame[place + size + 2])
            place += size + 3
    if place != end:
        raise Undecodable("minew: bytes are left over in a binary frame")


def connect(frame: bytes) -> Iterator[Advert]:
    """The adverts of a Minew Connect frame; nothing for one with another content. Raises Undecodable."""
    rests = ((6, 0), (10, 14))
    if len(frame) < 14 or any(int.from_bytes(frame[at : at + 4], "little") != len(frame) - less for at, less in rests):
        raise Undecodable("minew: a Connect frame is cut short")
    if frame[14:16] != b"\x84\x3e":
        return
    if int.from_bytes(frame[16:20], "little") != len(frame) - _CONNECT_AT:
        raise Undecodable("minew: a Connect frame is cut short")
    place = _CONNECT_AT
    while place < len(frame):
        _within(place + 12, len(frame))
        end = place + 2 + int.from_bytes(frame[place : place + 2], "little")
        _within(end, len(frame))
        size = frame[place + 11]
        _within(place + 12 + size, end)
        yield frame[place + 12 : place + 12 + size], _signed(frame[place + 10])
        place = end


def _within(place: int, end: int) -> None:
    if place > end:
        raise Undecodable("minew: a part of a binary frame is longer than the frame")


def _signed(octet: int) -> int:
    return octet - 256 if octet > 127 else octet
