"""The server's side of HTTP digest access authentication. Pure: it is told the time.

Source: RFC 7616, algorithms MD5 and SHA-256, qop "auth"; without qop as in RFC 2069, which old devices still speak.
No maintained library was found that does this without a web framework of its own.

A nonce carries its time and our signature, so issuing one keeps nothing. Using one does: its counter `nc` must be new,
or whoever listens to one request could send another body with the same proof. The counters of the NONCES_MAX newest
nonces are kept; older ones are stale, which a device mends by itself with the new nonce in the answer.
"""

import base64
import hashlib
import hmac
import re
import secrets
import struct
from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

REALM = "flowmon"
LIFETIME_S = 300.0
NONCES_MAX = 4_096
_SPAN = 64
_PAIR = re.compile(r'\s*([a-zA-Z*]{1,20})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))\s*(?:,|$)')
_NC = re.compile(r"[0-9a-fA-F]{8}")

Verdict = Literal["right", "stale", "wrong"]


class Digest:
    """Issues nonces and judges answers to them. key: signs nonces; a new one makes all earlier nonces stale."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key or secrets.token_bytes(32)
        self._used: OrderedDict[str, tuple[int, int]] = OrderedDict()  # nonce -> highest nc, bits of those below it
        self._forgotten = -1  # ms of the newest nonce whose counters are forgotten

    def challenges(self, now: float, algorithms: Sequence[str], *, stale: bool = False) -> list[str]:
        """Values of WWW-Authenticate, one an algorithm, as RFC 7616 §3.7 wants them."""
        nonce = self._nonce(now)
        tail = f'nonce="{nonce}", charset=UTF-8{", stale=true" if stale else ""}'
        return [f'Digest realm="{REALM}", qop="auth", algorithm={name}, {tail}' for name in algorithms]

    def judge(self, proof: str, method: str, target: str, user: str, password: str, now: float) -> Verdict:
        """Whether `proof` (Authorization after "Digest ") is right for a request. target: as in its first line.

        stale: the password is right, but the nonce is old, used, or of an earlier life of this server.
        """
        told = _pairs(proof)
        hashing = _HASHES.get(told.get("algorithm", "MD5").upper())
        if hashing is None or told.get("realm") != REALM or not _same_place(told.get("uri", ""), target):
            return "wrong"
        inner = hashing(f"{user}:{REALM}:{password}")
        outer = hashing(f"{method}:{told['uri']}")
        nonce, count = told.get("nonce", ""), 1
        if "qop" in told:
            if told["qop"] != "auth" or not _NC.fullmatch(told.get("nc", "")) or not told.get("cnonce"):
                return "wrong"
            count = int(told["nc"], 16)
            middle = f"{nonce}:{told['nc']}:{told['cnonce']}:auth"
        else:
            middle = nonce
        expected = hashing(f"{inner}:{middle}:{outer}")
        named = hmac.compare_digest(_bytes(told.get("username", "")), _bytes(user))
        answered = hmac.compare_digest(_bytes(told.get("response", "").lower()), _bytes(expected))
        if not (named and answered):
            return "wrong"
        return "right" if self._is_fresh(nonce, count, now) else "stale"

    def _nonce(self, now: float) -> str:
        head = struct.pack(">q", int(now * 1000)) + secrets.token_bytes(10)
        return base64.urlsafe_b64encode(head + self._signature(head)).decode()

    def _signature(self, head: bytes) -> bytes:
        return hmac.digest(self._key, head, "sha256")[:18]

    def _is_fresh(self, nonce: str, count: int, now: float) -> bool:
        try:
            raw = base64.urlsafe_b64decode(nonce)
        except ValueError:
            return False
        if len(raw) != 36 or not hmac.compare_digest(raw[18:], self._signature(raw[:18])):
            return False
        (issued,) = struct.unpack(">q", raw[:8])
        if not issued <= now * 1000 <= issued + 1000 * LIFETIME_S or issued <= self._forgotten:
            return False
        return self._use(nonce, issued, count)

    def _use(self, nonce: str, issued: int, count: int) -> bool:
        """Whether this is the first use of a counter; a device with several connections may use them out of order."""
        highest, bits = self._used.pop(nonce, (0, 0))
        fresh = count > highest or (0 < highest - count < _SPAN and not bits >> (highest - count) & 1 and count > 0)
        if count > highest:
            bits = (bits << (count - highest) | 1) & ((1 << _SPAN) - 1) if count - highest < _SPAN else 1
            highest = count
        elif fresh:
            bits |= 1 << (highest - count)
        self._used[nonce] = (highest, bits)
        if len(self._used) > NONCES_MAX:
            oldest, _ = self._used.popitem(last=False)
            (forgotten,) = struct.unpack(">q", base64.urlsafe_b64decode(oldest)[:8])
            self._forgotten = max(self._forgotten, forgotten)
        return fresh and issued > self._forgotten


def _pairs(text: str) -> dict[str, str]:
    """The name=value pairs of a header, names in small letters; empty when it is written in any other way."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None or match[1].lower() in found:
            return {}
        found[match[1].lower()] = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        position = match.end()
    return found


def _same_place(uri: str, target: str) -> bool:
    """Whether the signed address is the one asked for; a device may sign the whole URL."""
    try:
        signed, asked = urlsplit(uri), urlsplit(target)
    except ValueError:
        return False
    return (signed.path, signed.query) == (asked.path, asked.query)


def _bytes(text: str) -> bytes:
    """As it came: aiohttp keeps bytes that are no UTF-8 as half surrogates."""
    return text.encode(errors="surrogateescape")


def _md5(text: str) -> str:
    return hashlib.md5(_bytes(text), usedforsecurity=False).hexdigest()  # what such devices speak; RFC 7616 §3.2


def _sha256(text: str) -> str:
    return hashlib.sha256(_bytes(text)).hexdigest()


_HASHES = {"MD5": _md5, "SHA-256": _sha256}
