"""The secrets of devices that post: a TOML file of its own, so that venue files can be shown around.

["door-3"]              # the path of a route, as the venue file writes it
user = "camera"         # for basic and digest
password = "…"
["xovis/+"]             # all devices of the route …
token = "…"             # for bearer
["xovis/00:6E:02:01"]   # … but this one
token = "…"
"""

import logging
import os
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from flowmon.errors import FlowmonError
from sensors.routes import Posted, matches

_log = logging.getLogger(__name__)


class Secret(Struct, frozen=True, forbid_unknown_fields=True):
    """What one device, or all of a route, prove themselves with. It never shows itself in a message or log."""

    user: str = ""
    password: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return "Secret(***)"


class Secrets:
    """The secrets for `posts`. Raises FlowmonError when a route wants one that is not in `entries`."""

    def __init__(self, entries: Mapping[str, Secret], posts: Sequence[Posted], file: str) -> None:
        self._entries = dict(entries)
        for post in posts:
            if post.auth != "none":
                _check(self._entries, post, file)
        for path in self._entries:
            if not any(path == post.path or matches(post.path, path) for post in posts):
                _log.warning("%s: %r is the path of no route: correct it, or remove its secret", file, path)

    def of(self, path: str, post: Posted) -> tuple[str, Secret] | None:
        """The name and secret for a path: its own before its route's."""
        for name in (path, post.path):
            if name in self._entries:
                return name, self._entries[name]
        return None


def load(file: str, posts: Sequence[Posted]) -> Secrets:
    """Read the file that FLOWMON_HTTP_SECRETS names ("": none). Raises FlowmonError saying what to mend."""
    if not file:
        return Secrets({}, posts, "FLOWMON_HTTP_SECRETS")
    path = Path(file)
    try:
        if os.name == "posix" and path.stat().st_mode & stat.S_IROTH:
            _log.warning("%s can be read by every user of this machine: chmod o-r it", file)
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = {name.strip("/"): msgspec.convert(table, Secret) for name, table in tables.items()}
    except OSError as error:
        raise FlowmonError(f"FLOWMON_HTTP_SECRETS={file}: {error.strerror or error}: correct the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):  # whose words may hold a secret
        raise FlowmonError(
            f'{file} is not TOML: write ["the/path"] and below it user = "…" and password = "…", or token = "…"'
        ) from None
    except msgspec.ValidationError:
        raise FlowmonError(f"{file}: each table has the texts user and password, or token, and nothing else") from None
    return Secrets(entries, posts, file)


def _check(entries: Mapping[str, Secret], post: Posted, file: str) -> None:
    wanted = "token" if post.auth == "bearer" else "user and password"
    found = [(name, secret) for name, secret in entries.items() if name == post.path or matches(post.path, name)]
    if not found:
        raise FlowmonError(
            f"route {post.path!r} of venue {post.origin.venue} wants {post.auth}, and there is no secret for it: "
            f'add ["{post.path}"] with {wanted} to the file FLOWMON_HTTP_SECRETS names'
        )
    for name, secret in found:
        if not (secret.token if post.auth == "bearer" else secret.user and secret.password):
            raise FlowmonError(f'{file}: route {post.path!r} wants {post.auth}: give ["{name}"] {wanted}')
