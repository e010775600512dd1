"""Milesight's (channel, type, data) payloads cut into channels: which there are, and how long each is. No dialect.

Source: Milesight-IoT/SensorDecoders vs-series (GPL-3, read only), all versions of the decoders of VS121, VS132, VS133,
VS135, VS350, VS360 and VS370; actility/device-catalog vendors/milesight-iot.

Pitfalls:
* Channels have no length: an unknown one ends the reading.
* Lengths differ by firmware: `FF0A` is 2 bytes, on an early VS121 4; `FF08` is 6, later 8; `04C9` is 4, cut short to 1
  at the end of a payload. Whichever leads to another known channel, or to the end, is right.
* History (`20CE`) is numbered differently on VS121, VS13x and VS350/360; lengths tell most of them apart.
"""

_D2 = [first + 3 * n + half for first in (0x03, 0x11) for n in range(4) for half in (0, 1)]
_CC = [first + 3 * n for first in (0x05, 0x13) for n in range(4)]

#: channel << 8 | type -> bytes of data, the usual first.
LENGTHS: dict[int, tuple[int, ...]] = {
    **dict.fromkeys((0xFF01, 0xFF0B, 0xFF0F, 0xFFFE, 0x0175, 0x0275, 0x06CD, 0x81EE), (1,)),
    **dict.fromkeys((0xFF09, 0xFFFF, 0x0367, 0x03F4), (2,)),
    **dict.fromkeys((0x8367, 0x50FC), (3,)),
    **dict.fromkeys((0xFF1F, 0x04CC, 0x0DCC, 0x0AEF, 0x0F85, 0x0FE3, 0x1DE3, 0x10F7), (4,)),
    **dict.fromkeys((0x84CC, 0x85CC, 0x0EE4, 0x10E4, 0x1EE4), (5,)),
    **dict.fromkeys((0x07D5, 0x08D5, 0x09DA, 0x0ADA, 0x0BDA, 0x0CDA, 0xFF16), (8,)),
    **dict.fromkeys([channel << 8 | 0xD2 for channel in _D2], (4,)),
    **dict.fromkeys([channel << 8 | 0xCC for channel in _CC], (4,)),
    0xFF0A: (2, 4),
    0xFF08: (6, 8),
    0x04C9: (4, 1),
    # VS370 says whether somebody is there, and whether it is bright
    0x0300: (1,),
    0x0400: (1,),
}
HISTORY = 0x20CE
#: type of a history frame -> bytes after it.
_HISTORY = {
    **dict.fromkeys((*range(0x04, 0x10), *range(0x12, 0x1E), 0x00, 0x02), (4,)),
    **dict.fromkeys((0x1E, 0x20, 0x3C), (3,)),
    0x01: (8, 4),
    0x03: (4, 1),
    0x10: (3, 4),
    0x11: (4, 5),
}
#: Answers to downlinks: type -> bytes, after a channel of FE or FF.
_ANSWERS = {
    **dict.fromkeys((0x04, 0x10, 0x27, 0x28, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x48, 0x4A, 0x50, 0x51), (1,)),
    **dict.fromkeys((0x68, 0x69, 0x6B, 0x6D, 0x84, 0x8F, 0xA6, 0xA8, 0xA9, 0xAA, 0xAD, 0xFC, 0xFD), (1,)),
    **dict.fromkeys((0xA7, 0xBD), (2,)),
    **dict.fromkeys((0x05, 0x46, 0x6A, 0x8E, 0xAB, 0xED, 0xEF), (3,)),
    **dict.fromkeys((0x11, 0xAC), (4,)),
    **dict.fromkeys((0x35, 0x96), (8,)),
    0x03: (2, 3),
    0x06: (9,),
    0x75: (6,),
    0xBA: (10,),
}
LENGTHS |= {channel << 8 | kind: size for channel in (0xFE, 0xFF) for kind, size in _ANSWERS.items()} | LENGTHS
#: Answers to downlinks that are not cut, as every firmware has its own: they come alone.
_LONG_ANSWERS = frozenset((*range(0x10, 0x12), *range(0x3D, 0x45), *range(0x84, 0x9A), *range(0xD2, 0xDE)))


#: channel << 8 | type, and its data.
Channel = tuple[int, bytes]


def is_long_answer(payload: bytes) -> bool:
    """Whether a payload answers a downlink of the extended kind (`F8…` or `F9…`)."""
    return len(payload) > 2 and payload[0] in {0xF8, 0xF9} and payload[1] in _LONG_ANSWERS


def channels(payload: bytes) -> tuple[list[Channel], str]:
    """The channels of a payload as far as they can be read, and why the rest cannot be ("" when all was read)."""
    found: list[Channel] = []
    place, size = 0, len(payload)
    while place + 2 <= size:
        kind = payload[place] << 8 | payload[place + 1]
        place += 2
        lengths = LENGTHS.get(kind) or _of_history(kind, payload, place)
        if not lengths:
            return found, f"unknown channel, the rest is not read: {kind:04x}"
        end = place + lengths[0]
        if len(lengths) > 1:
            end = next((place + length for length in lengths if _leads_on(payload, place + length)), end)
        if end > size:
            return found, f"cut off in channel: {kind:04x}"
        found.append((kind, payload[place:end]))
        place = end
    return found, "cut off" if place < size else ""


def _of_history(kind: int, payload: bytes, place: int) -> tuple[int, ...]:
    if kind != HISTORY:
        return ()
    if place + 5 > len(payload):
        return (5,)
    return tuple(5 + length for length in _HISTORY.get(payload[place + 4], ()))


def _leads_on(payload: bytes, place: int) -> bool:
    """Whether the payload ends here, or goes on with a known channel."""
    kind = int.from_bytes(payload[place : place + 2], "big")
    return place == len(payload) or (place + 2 <= len(payload) and (kind == HISTORY or kind in LENGTHS))
