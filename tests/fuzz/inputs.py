"""One message as the bytes a fuzzer changes, and back. Pure.

    topic LF name=value&name=value LF device LF payload

Readable, so that a finding can be looked at; any bytes are a message.
"""

import ast
from pathlib import Path

from sensors.dialects import bodies
from sensors.dialects.port import Message

#: Longest input tried, bytes: beyond it a message only repeats itself.
LONGEST = 4096
_SEEN = 1_777_730_461.0


def packed(message: Message, device: str) -> bytes:
    """The message as a fuzzer's input."""
    headers = "&".join(f"{name}={value}" for name, value in message.headers.items())
    return b"\n".join([message.topic.encode(), headers.encode(), device.encode(), message.payload])


def unpacked(data: bytes) -> tuple[Message, str]:
    """Any bytes as (message, device). A device name begins where a route would have put it: most often empty."""
    parts = data.split(b"\n", 3)
    topic, headers, device, payload = [*[b""] * (4 - len(parts)), *parts]
    pairs = (pair.partition("=") for pair in _text(headers).split("&") if pair)
    named = {name.lower(): value for name, _, value in pairs}
    name = _text(device)
    if not bodies.fits(name, bodies.NAME_MAX):  # a route refuses such a message before any dialect sees it
        name = ""
    return Message(topic=_text(topic), payload=payload, seen=_SEEN, headers=named), name


def _text(data: bytes) -> str:
    # as paho and aiohttp hand them over: always text, with whatever characters
    return data.decode("utf-8", "replace")


def words(folder: Path) -> list[bytes]:
    """The words the dialects in a folder know (their short text and byte constants), for a fuzzer's dictionary."""
    found: set[bytes] = set()
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                word = node.value.encode() if isinstance(node.value, str) else node.value
                if 1 < len(word) <= 40 and b"\n" not in word:
                    found.add(word)
    return sorted(found)


def dictionary(known: list[bytes]) -> str:
    """Words as libFuzzer's dictionary file."""
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in known)
