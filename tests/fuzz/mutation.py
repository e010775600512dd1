"""Changes of a JSON or XML payload that leave it what it is, so that the fuzzer gets past the first brace. By seed.

Bytes alone nearly always break the syntax. Here one value is replaced, left out, doubled, moved, or (when it is text of
hex digits or base64, as radio payloads are) changed inside.
"""

import base64
import binascii
import json
import random
import re
from collections.abc import Callable
from typing import Any

_ODD: list[Any] = [
    None, True, False, 0, -1, 1, 255, 65_535, 65_536, 2**31, 2**32, 2**53, 2**53 + 1, 2**64, -(2**63), 10**30, 0.5,
    -0.0, 1e308, float("nan"), float("inf"), "", " ", "0", "-1", "7", "1e3", "NaN", "١٢", "2019-02-91T12:30:00+0000",
    "2026-05-02T14:01:00-5:00", "2026-05-02&16:01:00+02", "20260502160100", "1970-01-01T00:00:00Z", "9999-12-31T23:59Z",
    1_777_730_460, 1_777_730_460_000, 1_777_730_460_000_000, "x" * 300, "\ud800", "\x00", [], {}, [[]], {"": 0}, "Ü:#+",
]  # fmt: skip
_TEXT = re.compile(rb"""[>"]([^<>"&]{0,60})[<"]""")
_INNERMOST = re.compile(rb"<(\w+)[^<>]*(?:/>|>[^<]*</\1>)")


def mutated(payload: bytes, seed: int, words: list[bytes], change: Callable[[bytes], bytes]) -> bytes | None:
    """The payload with one value changed; None when it is neither. change: what changes plain bytes."""
    dice = random.Random(seed)
    if payload.startswith(b"<"):
        return _xml(dice, payload, words)
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    places: list[tuple[Any, Any]] = []
    _collect(body, places, 500)
    if places and dice.random() < 0.95:
        _change(dice, places, words, change)
    else:
        body = dice.choice([[body, body], [body], {"a": body}, dice.choice(_ODD)])
    try:
        return json.dumps(body).encode()
    except (ValueError, RecursionError):
        return None


def _xml(dice: random.Random, payload: bytes, words: list[bytes]) -> bytes | None:
    """One text or attribute replaced, or one innermost element left out, doubled or put elsewhere."""
    texts, inner = list(_TEXT.finditer(payload)), list(_INNERMOST.finditer(payload))
    if not texts or not inner:
        return None
    if dice.random() < 0.6:
        found, odd = dice.choice(texts), dice.choice([_word(dice, words), str(dice.choice(_ODD))])
        new = odd.encode("utf-8", "replace").replace(b"<", b"&lt;")
        return payload[: found.start(1)] + new + payload[found.end(1) :]
    found, place = dice.choice(inner), dice.choice(inner).start()
    if dice.random() < 0.4:
        return payload[: found.start()] + payload[found.end() :]
    return payload[:place] + found[0] + payload[place:]


def _collect(value: Any, places: list[tuple[Any, Any]], most: int) -> None:
    """(container, key) of values of a body, breadth first, at most `most`."""
    waiting = [value]
    for container in waiting:
        keys = (
            list(container)
            if isinstance(container, dict)
            else range(len(container))
            if isinstance(container, list)
            else ()
        )
        for key in keys:
            if len(places) >= most:
                return
            places.append((container, key))
            waiting.append(container[key])


def _change(
    dice: random.Random, places: list[tuple[Any, Any]], words: list[bytes], change: Callable[[bytes], bytes]
) -> None:
    container, key = dice.choice(places)
    old = container[key]
    match dice.randrange(8):
        case 0:
            del container[key]
        case 1 if isinstance(container, dict):
            container[_word(dice, words)] = container.pop(key)
        case 1:
            container.insert(key, old)
        case 2:
            other, place = dice.choice(places)
            container[key] = json.loads(json.dumps(other[place]))
        case 3:
            container[key] = _word(dice, words)
        case 4 | 5 if isinstance(old, str):
            container[key] = _inside(old, change)
        case 4 | 5 if isinstance(old, int | float):
            container[key] = dice.choice([str(old), -old, old + 1, old * 1000, old / 1000, [old]])
        case _:
            container[key] = dice.choice(_ODD)


def _word(dice: random.Random, words: list[bytes]) -> str:
    return dice.choice(words).decode("utf-8", "replace") if words else ""


def _inside(text: str, change: Callable[[bytes], bytes]) -> str:
    if len(text) >= 4 and text.isascii():
        try:
            return change(bytes.fromhex(text)).hex()
        except ValueError:
            pass
        try:
            return base64.b64encode(change(base64.b64decode(text, validate=True))).decode()
        except (ValueError, binascii.Error):
            pass
    return change(text.encode("utf-8", "replace")).decode("utf-8", "replace")
