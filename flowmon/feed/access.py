"""Who may connect, and as whom. Pure.

There are no users yet. A token (FLOWMON_FEED_TOKEN) makes a manager; where none is set, people at the machine
itself are managers and everybody else is a viewer. On simulated venues everybody is a manager: nothing is at stake.
"""

import hmac
import ipaddress
from urllib.parse import urlsplit

from flowmon.feed.orders import Identity

_LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a page of this very host opened the connection. Scripts send no origin and are welcome.

    >>> same_origin("http://museum:8080", "museum:8080"), same_origin("http://elsewhere", "museum:8080")
    (True, False)
    """
    return origin is None or _place(origin) == _place(f"//{host}", urlsplit(origin).scheme)


def is_local(peer: str, host: str, *, forwarded: bool) -> bool:
    """Whether a person at this machine is connected.

    A proxy in front hides who it is (`forwarded`), and a page elsewhere may make its own name point to this
    machine; then the name in Host is not one of this machine's.
    """
    try:
        loops = ipaddress.ip_address(peer.partition("%")[0]).is_loopback
    except ValueError:
        return False
    return loops and not forwarded and _place(f"//{host}")[0] in _LOCAL_NAMES


def identify(token: str, *, expected: str, local: bool, demo: bool) -> Identity | None:
    """Who a client is; None for a token that is wrong. expected: the token of this installation, "" for none."""
    if token and expected:
        known = hmac.compare_digest(token.encode(), expected.encode())
        return Identity("manager", "staff") if known else None
    if demo:
        return Identity("manager", "demo")
    if local and not expected:
        return Identity("manager", "desk")
    return Identity("viewer", "guest")


def _place(url: str, scheme: str = "") -> tuple[str, int | None]:
    """Host and port of a URL; an odd one is a place nobody is at."""
    try:
        parts = urlsplit(url)
        default = {"http": 80, "https": 443}.get(parts.scheme or scheme)
        return (parts.hostname or "").lower(), parts.port or default
    except ValueError:
        return "", None
