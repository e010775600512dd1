"""Takes out of rejected bytes what must not be stored: passwords, people's names, addresses, beacon ids. Pure.

Works on any bytes, JSON or not, by pattern: what it cannot recognise stays, which is why rejects also expire.
"""

import base64
import re

#: Most bytes of a rejected payload that are kept.
RAW_MAX = 4096

_SECRETS = (
    "pass(?:word|wd|phrase)?|pwd|secret|token|api_?key|auth(?:orization)?|cookie|user(?:_?name)?|login|"
    "sub_label|person|visitor|first_?name|last_?name|full_?name|e?mail|phone|plate|face"
)
# "key": "value" as in JSON, key=value as in a form; a value that is cut off at the end counts too
_FIELD = re.compile(
    rb'(?i)("(?:[a-z0-9_-]{0,20}[_-])?(?:' + _SECRETS.encode() + rb')"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}\]]+)'
)
_FORM = re.compile(rb"(?i)\b((?:" + _SECRETS.encode() + rb")\s*=\s*)[^\s&;,]+")
_HEADER = re.compile(rb"(?i)\b((?:basic|bearer)\s+)[a-z0-9+/=._~-]+")
_URL = re.compile(rb"(?i)([a-z][a-z0-9+.-]{0,20}://)[^\s/@]{1,200}@")
_UUID = re.compile(rb"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:-\d{1,5}){0,2}")
_BARE_UUID = re.compile(rb"(?i)(?<![0-9a-z])[0-9a-f]{32}(?![0-9a-z])")
_MAC = re.compile(rb"(?i)(?<![0-9a-f])[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![0-9a-f])")
_BARE_MAC = re.compile(rb"(?i)(?<![0-9a-z])(?=[0-9a-f]*[a-f])[0-9a-f]{12}(?![0-9a-z])")
#: Fields in which a counter or gateway names itself; "mac", "id" and the like may be a visitor's telephone.
_OWN = re.compile(
    rb'(?i)(?:"(?:serial(?:[_-]?number)?|device_(?:sn|mac)|gw_mac|dev_?eui)"\s*:\s*"|<macAddress>)([0-9a-f:.-]{12,23})["<]'
)
_ADDRESS = re.compile(r"(?i)([a-z]+:)?[0-9a-f]{2}([:-]?)[0-9a-f]{2}(?:\2[0-9a-f]{2}){4}")
_NAMED = re.compile(rb"(?i)\b(name:)[^\s/\"']+")


def scrub(data: bytes, keep: frozenset[bytes] = frozenset()) -> bytes:
    """The bytes with secrets, addresses and names replaced by `***`.

    What stays: addresses in `keep` (as `bare` spells them), and the serial a device tells of itself, without which
    a reject could not be read again. A message that gives a telephone's address as its own serial is not expected.
    """
    keep = keep.union(map(bare, _OWN.findall(data)))
    data = _FIELD.sub(rb'\1"***"', data)
    data = _FORM.sub(rb"\1***", data)
    data = _HEADER.sub(rb"\1***", data)
    data = _URL.sub(rb"\1***@", data)
    data = _NAMED.sub(rb"\1***", data)
    for pattern in (_UUID, _BARE_UUID, _MAC, _BARE_MAC):
        data = pattern.sub(lambda found: found[0] if bare(found[0]) in keep else b"***", data)
    return data


def bare(name: str | bytes) -> bytes:
    """A hardware address, UUID or any name without its separators, in capitals: how `keep` compares them."""
    data = name.encode(errors="replace") if isinstance(name, str) else name
    return data.translate(None, b":-.").upper()


def scrub_text(text: str, keep: frozenset[bytes] = frozenset()) -> str:
    """`scrub` for a topic or a reason."""
    return scrub(text.encode(errors="replace"), keep).decode(errors="replace")


def address(beacon: str) -> str:
    """A beacon's name, masked when it is a hardware address: a telephone's may stand there, and they change.

    >>> address("known:AA:BB:CC:00:11:22"), address("eddy:0001020304040506070809-aabbccddeeff")
    ('known:***', 'eddy:0001020304040506070809-aabbccddeeff')
    """
    found = _ADDRESS.fullmatch(beacon)
    return f"{found[1] or ''}***" if found else beacon


def raw(payload: bytes, keep: frozenset[bytes] = frozenset()) -> str:
    """What is kept of a rejected payload: scrubbed, at most RAW_MAX bytes, base64."""
    clean = scrub(payload[: 2 * RAW_MAX], keep)
    if len(payload) > 2 * RAW_MAX:
        clean = clean[:-64]  # the cut may have left half of an address that no pattern knows
    return base64.b64encode(clean[:RAW_MAX]).decode("ascii")
