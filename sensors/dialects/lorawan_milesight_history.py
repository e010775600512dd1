"""What a Milesight counter kept while nobody heard it (`20CE`): facts of its own times. No dialect itself.

A frame is u32 seconds UTC, a type, data. Three numberings share it (see lorawan_milesight_channels.py):
VS350/360 `00` period, `01` period and total; VS13x `03` to `0E` lines (in u32, out u32, period u16 twice) and `0F`
regions; VS121 `01` people, `02` period, `04` to `07` regions in fours, `10` total. Children, dwell and flows are left
out, as is a total of which one half was not sent.
"""

from collections.abc import Iterator, Sequence

from flowmon.facts import Fact, ZoneCount
from sensors.dialects import lorawan
from sensors.dialects.lorawan import Told

#: (type, bytes after it) that only a VS121 sends.
_OF_VS121 = frozenset({(0x01, 4), (0x02, 4), (0x03, 1), (0x10, 4), (0x11, 5)})


def remembered(frames: Sequence[bytes], told: Told) -> Iterator[Fact]:
    """The facts of a payload's history frames, in the order of their times' first appearance."""
    is_vs121 = any((data[4], len(data) - 5) in _OF_VS121 for data in frames)
    by_time: dict[int, dict[int, bytes]] = {}
    for data in frames:
        by_time.setdefault(int.from_bytes(data[:4], "little"), {})[data[4]] = data[5:]
    for at, kept in by_time.items():
        # A fact of the memory is the same fact in whichever uplink it comes: no running number.
        then = told | {"at": float(at), "seq": -1, "historical": True}
        yield from _of_vs121(kept, then) if is_vs121 else _of_others(kept, then)


def _of_vs121(kept: dict[int, bytes], then: Told) -> Iterator[Fact]:
    if 0x10 in kept:
        yield lorawan.register(then, *_pair(kept[0x10]))
    elif 0x02 in kept:
        yield lorawan.since_last(then, *_pair(kept[0x02]))
    if 0x01 in kept:
        yield ZoneCount(zone=then["source"], people=kept[0x01][0], **then)
    for kind in range(0x04, 0x08):
        yield from regions(kept.get(kind, b""), 4 * kind - 15, then)


def _of_others(kept: dict[int, bytes], then: Told) -> Iterator[Fact]:
    for line in range(1, 5):
        into, out, period = kept.get(3 * line), kept.get(3 * line + 1), kept.get(3 * line + 2)
        if line == 1 and 0x01 in kept:
            yield lorawan.register(then, *_pair(kept[0x01][4:]))
        elif into is not None and out is not None:
            yield lorawan.register(then, _whole(into), _whole(out), str(line))
        elif line == 1 and 0x00 in kept:
            yield lorawan.since_last(then, *_pair(kept[0x00]))
        elif period is not None:
            yield lorawan.since_last(then, *_pair(period), str(line))
    yield from regions(kept.get(0x0F, b""), 1, then)


def regions(data: bytes, first: int, then: Told) -> Iterator[ZoneCount]:
    """People in neighbouring regions, one byte each; first: the number of the first of them."""
    for region, people in enumerate(data, first):
        yield ZoneCount(zone=f"{then['source']}-region-{region}", people=people, **then)


def _pair(data: bytes) -> tuple[int, int]:
    return _whole(data[:2]), _whole(data[2:4])


def _whole(data: bytes) -> int:
    return int.from_bytes(data, "little")
