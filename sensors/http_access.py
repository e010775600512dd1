"""Who may post where: bearer, basic or digest, in constant time, and slower for those who guess. Pure but for its log.

Source: RFC 9110 §11, RFC 7617 (basic), RFC 6750 (bearer), RFC 7616 (digest, `sensors/http_digest.py`).
A request that proves nothing is asked to (401) and costs nothing: devices begin so. Only a wrong proof is a failure.
"""

import base64
import binascii
import hashlib
import hmac
import logging
import re
import secrets
from urllib.parse import parse_qsl

from msgspec import Struct

from sensors.http_answers import Refusal, algorithms
from sensors.http_digest import REALM, Digest
from sensors.http_secrets import Secret, Secrets
from sensors.http_throttle import Throttle
from sensors.routes import Posted

_SECRET_NAME = re.compile(
    r"(?i).*(token|pass(word|wd|phrase)?|pwd|secret|(api|access|auth)[_-]?key|auth(orization)?|signature)|key|sig"
)

_log = logging.getLogger(__name__)


class Asked(Struct, frozen=True):
    """The head of a request. target: its path and query as they came. path: decoded, no first slash. peer: address."""

    method: str
    target: str
    path: str
    authorization: str
    peer: str


class Access:
    """Judges requests against the secrets of their routes."""

    def __init__(self, known: Secrets) -> None:
        self._secrets = known
        self._digest = Digest()
        self._throttle = Throttle()
        self._nobody = Secret(secrets.token_hex(), secrets.token_hex(), secrets.token_hex())

    def check(self, asked: Asked, post: Posted, now: float) -> None:
        """Raises Refusal: 400, 401 or 429. now: seconds that never run back."""
        _refuse_query(asked.target)
        if post.auth == "none":
            return
        name, secret = self._secrets.of(asked.path, post) or (post.path, self._nobody)
        if wait := self._throttle.waits(asked.peer, name, now):
            raise Refusal(429, "too many wrong secrets: correct the device's, then wait", ("Retry-After", str(wait)))
        scheme, _, proof = asked.authorization.partition(" ")
        stale = False
        if scheme.lower() == post.auth:
            verdict = self._verdict(asked, post, proof.strip(), secret, now)
            if verdict == "right":
                return
            stale = verdict == "stale"
            if not stale and self._throttle.failed(asked.peer, name, now):
                _log.warning("%s keeps posting to %s with a wrong secret: correct it in the device", asked.peer, name)
        raise Refusal(401, _words(scheme, post, stale=stale), *self._challenges(post, now, stale=stale))

    def _verdict(self, asked: Asked, post: Posted, proof: str, secret: Secret, now: float) -> str:
        match post.auth:
            case "bearer":
                return "right" if _same(proof, secret.token) else "wrong"
            case "basic":
                user, _, password = _decoded(proof).partition(":")
                return "right" if _same(user, secret.user) & _same(password, secret.password) else "wrong"
            case _:
                return self._digest.judge(proof, asked.method, asked.target, secret.user, secret.password, now)

    def _challenges(self, post: Posted, now: float, *, stale: bool) -> list[tuple[str, str]]:
        match post.auth:
            case "bearer":
                values = [f'Bearer realm="{REALM}"']
            case "basic":
                values = [f'Basic realm="{REALM}", charset="UTF-8"']
            case _:
                values = self._digest.challenges(now, algorithms(post.origin.dialect), stale=stale)
        return [("WWW-Authenticate", value) for value in values]


def _words(scheme: str, post: Posted, *, stale: bool) -> str:
    if stale:
        return "this nonce is used up: answer the new challenge"
    if scheme.lower() == post.auth:
        return f"wrong secret: set in the device what the gateway's secrets file has for {post.path}"
    return f"this path wants {post.auth} authentication: set it in the device"


def _refuse_query(target: str) -> None:
    query = target.partition("?")[2]
    for name, _ in parse_qsl(query[:2_000], keep_blank_values=True, max_num_fields=None):
        if _SECRET_NAME.fullmatch(name[-200:]):
            raise Refusal(
                400,
                "a secret does not belong into the URL, where proxies log it: send it as Authorization: Bearer … "
                '(auth = "bearer" in the route), or use the device\'s user and password',
            )


def _same(given: str, expected: str) -> bool:
    """Equal, in a time that tells nothing about where they differ or how long they are."""
    hashes = (hashlib.sha256(text.encode(errors="surrogateescape")).digest() for text in (given, expected))
    return hmac.compare_digest(*hashes)


def _decoded(proof: str) -> str:
    try:
        raw = base64.b64decode(proof, validate=True)
    except (binascii.Error, ValueError):
        return ""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")  # as devices did before RFC 7617
