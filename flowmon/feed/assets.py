"""The files of the screens, held in memory: read once, compressed once, named by their content. Pure but for `load`."""

import base64
import gzip
import hashlib
import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from msgspec import Struct

from flowmon.errors import FlowmonError

#: The addresses of the screens: all are drawn by one page, which looks at its own address.
PAGES = ("/", "/floor", "/queues", "/alerts", "/sensors")
INDEX = "/index.html"

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".mp3": "audio/mpeg",
}
_SMALL = 512  # compressing less than this gains nothing
_INLINE = re.compile(rb"<script(?![^>]*\ssrc\s*=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)


class Asset(Struct, frozen=True):
    """A file: its bytes, the same compressed (None when that is no gain), its type and its ETag."""

    body: bytes
    zipped: bytes | None
    content_type: str
    etag: str


class Assets:
    """files: address ("/js/feed.js") to content. Raises FlowmonError when the page itself is not among them."""

    def __init__(self, files: dict[str, bytes]) -> None:
        if INDEX not in files:
            raise FlowmonError("the screens are missing from this installation: install flowmon again")
        self._assets = {path: _asset(path, body) for path, body in files.items() if PurePosixPath(path).suffix in TYPES}
        self.policy = _policy(files[INDEX])

    def find(self, path: str) -> Asset | None:
        """What stands at an address."""
        return self._assets.get(INDEX if path in PAGES else path)


def load(root: Traversable | None = None) -> Assets:
    """The screens of this installation, or those under `root`."""
    return Assets(_files(root or resources.files("flowmon.feed") / "screens"))


def _files(folder: Traversable, prefix: str = "/") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    if not folder.is_dir():
        return found
    for item in folder.iterdir():
        if item.is_dir():
            found |= _files(item, f"{prefix}{item.name}/")
        elif item.is_file():
            found[prefix + item.name] = item.read_bytes()
    return found


def _asset(path: str, body: bytes) -> Asset:
    content_type = TYPES[PurePosixPath(path).suffix]
    zipped = gzip.compress(body, mtime=0) if len(body) >= _SMALL else None
    if zipped is not None and len(zipped) > 0.9 * len(body):
        zipped = None
    return Asset(body, zipped, content_type, f'"{hashlib.sha256(body).hexdigest()[:20]}"')


def _policy(index: bytes) -> str:
    """The content security policy: nothing but this host, and the page's own inline scripts (its import map)."""
    digests = [
        base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE.findall(index) if script
    ]
    scripts = " ".join(["'self'", *(f"'sha256-{digest}'" for digest in digests)])
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {scripts}",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "media-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
