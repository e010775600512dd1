"""Takes out of rejected bytes what must not be stored: passwords, people's names, faces, addresses, beacon ids. Pure.

Works on any bytes, JSON, XML, forms or neither, by pattern: what it cannot recognise stays, which is why rejects also
expire. What a counter sends and what a Bluetooth gateway sends are scrubbed differently (`about_people`):

* A counter or network server tells of itself: its own serial stays, with the hex of its measurements, as without them
  a reject could not be read again once its mapping or route is right.
* A Bluetooth gateway, or an unknown sender that speaks of radio, tells of others: `serial`, `device_mac` and the like
  may there be a visitor's telephone (several gateways name the beacon so). Every address, every longer run of hex or
  base64 (adverts) and every name goes; of bytes that are no text nothing is kept, as an address in binary looks like
  any six bytes.

Addresses of devices in the venue file stay in both: the museum wrote them down itself.
"""

import base64
import re

#: Most bytes of a rejected payload that are kept.
RAW_MAX = 4096

_SECRETS = (
    "pass(?:word|wd|phrase)?|pwd|secret|token|api_?key|access_?key|session|auth(?:orization)?|cookie|"
    "user(?:_?name|_?id)?|login|credentials?|sub_?label|person(?:_?id|_?name)?|people_?id|visitor(?:_?id)?|"
    "first_?name|last_?name|full_?name|surname|e?mail|phone|plate|faces?(?:_?id|_?name)?|gender|sex|age(?:_?group)?|"
    "emotion|ethnicity|race|glasses|beard|face_?mask|thumbnail|snapshot|picture|image"
)
_NAMES = "name|alias|ssid|local_?name|complete_?name|short_?name"
# what stands before a secret word in a key: "mqtt_", "mqtt-", or "mqtt" of mqttPassword
_PREFIX = r"(?:[A-Za-z0-9_.-]{0,24}[_.-]|[A-Za-z0-9]{1,24}(?=[A-Z]))?"


def _key(words: str) -> re.Pattern[bytes]:
    return re.compile(rf"""(["'])({_PREFIX}(?i:{words}))\1\s{{0,20}}:\s{{0,20}}""".encode())


def _tag(words: str) -> re.Pattern[bytes]:
    """An element or an attribute of XML."""
    return re.compile(rf"""(<(?:[A-Za-z0-9]{{1,24}}:)?{_PREFIX}(?i:{words})(?:\s[^<>]{{0,200}})?>)[^<]+""".encode())


_FIELD, _NAME_FIELD = _key(_SECRETS), _key(f"{_SECRETS}|{_NAMES}")
_ELEMENT, _NAME_ELEMENT = _tag(f"{_SECRETS}|name"), _tag(f"{_SECRETS}|{_NAMES}")
_FORM = re.compile(
    rf"""((?<![A-Za-z0-9]){_PREFIX}(?i:{_SECRETS})\s{{0,20}}=\s{{0,20}})("[^"]*"?|'[^']*'?|[^\s&;,"'<>]+)""".encode()
)
_HEADER = re.compile(rb"(?i)\b((?:basic|bearer|digest)\s+)[a-z0-9+/=._~-]+")
_URL = re.compile(rb"(?i)([a-z][a-z0-9+.-]{0,20}://)[^\s/@]{1,200}@")
_UUID = re.compile(rb"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:-\d{1,5}){0,2}")
_BARE_UUID = re.compile(rb"(?i)(?<![0-9a-z])[0-9a-f]{32}(?![0-9a-z])")
_MAC = re.compile(rb"(?i)(?<![0-9a-f])[0-9a-f]{2}([:-]|%3a|%2d)(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![0-9a-f])")
_DOTTED_MAC = re.compile(rb"(?i)(?<![0-9a-z.])[0-9a-f]{4}([.:-])[0-9a-f]{4}\1[0-9a-f]{4}(?![0-9a-z])")
_BARE_MAC = re.compile(rb"(?i)(?<![0-9a-z])(?=[0-9a-f]*[a-f])[0-9a-f]{12}(?![0-9a-z])")
_ADDRESSES = (_UUID, _BARE_UUID, _MAC, _DOTTED_MAC, _BARE_MAC)
#: Addresses of others may stand in hex of any length; times (10, 13 or more digits) are no hex with letters.
_LONG_HEX = re.compile(rb"(?i)(?<![0-9a-z])(?:(?=[0-9]*[a-f])[0-9a-f]{12,}|[0-9]{12}|[0-9]{20,})(?![0-9a-z])")
_SPACED_HEX = re.compile(rb"(?i)(?<![0-9a-z])[0-9a-f]{2}(?:[ ,:-][0-9a-f]{2}){5,}(?![0-9a-z])")
_LONG_BASE64 = re.compile(rb"""(?<=["'>])[A-Za-z0-9+/_-]{28,}={0,2}""")
_ONLY_BASE64 = re.compile(rb"\s*[A-Za-z0-9+/_\s-]{28,}={0,2}\s*")
_PICTURE = re.compile(rb"\xff\xd8\xff.*|\x89PNG\r\n.*", re.DOTALL)
_PICTURE_TEXT = re.compile(rb"(?:/9j/|iVBORw0KGgo|R0lGOD|Qk0)[A-Za-z0-9+/=\s\\]{40,}")
#: Fields in which a counter names itself; "mac", "id" and the like may be a visitor's telephone.
_OWN = re.compile(
    rb'(?i)(?:"(?:serial(?:[_-]?number)?|device_(?:sn|mac)|dev_?eui)"\s*:\s*"|<macAddress>)([0-9a-f:.-]{12,23})["<]'
)
_ADDRESS = re.compile(r"(?i)([a-z]+:)?[0-9a-f]{2}([:-]?)[0-9a-f]{2}(?:\2[0-9a-f]{2}){4}")
_NAMED = re.compile(rb"(?i)\b(name:)[^/\"\r\n]+")
#: What a Bluetooth gateway's messages have in them, whatever its make.
_HEARING = re.compile(rb"(?i)rssi|beacon|bdaddr|eddystone|bluetooth|bttomqtt|espresense|mac_type|adv_?data|sighting")
_GONE = b"***"
_QUOTES = b"\"'"


def scrub(data: bytes, keep: frozenset[bytes] = frozenset(), *, about_people: bool = False) -> bytes:
    """The bytes with secrets, addresses and names replaced by `***`. about_people: see the top of this file.

    What stays: addresses in `keep` (as `bare` spells them), and of a counter the serial that it tells of itself.
    """
    if about_people and not _is_text(data):
        return b""
    if not about_people:
        keep = keep.union(map(bare, _OWN.findall(data)))
    data = _PICTURE.sub(_GONE, data)
    data = _PICTURE_TEXT.sub(_GONE, data)
    data = _without_values(data, _NAME_FIELD if about_people else _FIELD)
    data = (_NAME_ELEMENT if about_people else _ELEMENT).sub(rb"\1***", data)
    data = _FORM.sub(rb"\1***", data)
    data = _HEADER.sub(rb"\1***", data)
    data = _URL.sub(rb"\1***@", data)
    data = _NAMED.sub(rb"\1***", data)
    longer = (_SPACED_HEX, _LONG_HEX, _LONG_BASE64) if about_people else ()
    for pattern in (*_ADDRESSES, *longer):
        data = pattern.sub(lambda found: found[0] if bare(found[0]) in keep else _GONE, data)
    return data


def hears(topic: str, payload: bytes) -> bool:
    """Whether a message of an unknown sender must be taken for one about people: it speaks of radio, or no text."""
    start = payload[: 2 * RAW_MAX]
    return bool(_HEARING.search(topic.encode(errors="replace")) or _HEARING.search(start)) or not _is_text(start)


def _is_text(data: bytes) -> bool:
    """Whether bytes are text: UTF-8 (cut anywhere) without control characters but white space."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:
            return False
        text = data[: error.start].decode()
    return all(character.isprintable() or character in "\t\r\n\ufeff" for character in text)


def _without_values(data: bytes, key: re.Pattern[bytes]) -> bytes:
    """JSON with the values of some keys replaced, whole objects and arrays among them; cut JSON too."""
    parts: list[bytes] = []
    place = 0
    while found := key.search(data, place):
        parts += [data[place : found.end()], b'"***"']
        place = _value_end(data, found.end())
    return b"".join([*parts, data[place:]])


def _value_end(data: bytes, place: int) -> int:
    """Where the JSON value that begins at `place` ends; the end of the data when it does not."""
    depth = 0
    while place < len(data):
        character = data[place]
        if character in _QUOTES:
            place = _string_end(data, place)
            if depth == 0:
                return place
            continue
        if character in b"{[":
            depth += 1
        elif character in b"}]":
            if depth <= 1:
                return place + depth
            depth -= 1
        elif depth == 0 and character in b", \t\r\n":
            return place
        place += 1
    return place


def _string_end(data: bytes, place: int) -> int:
    quote = data[place]
    place += 1
    while place < len(data) and data[place] != quote:
        place += 2 if data[place] == 0x5C else 1
    return min(place + 1, len(data))


def bare(name: str | bytes) -> bytes:
    """A hardware address, UUID or any name without its separators, in capitals: how `keep` compares them."""
    data = name.encode(errors="replace") if isinstance(name, str) else name
    return data.upper().replace(b"%3A", b"").replace(b"%2D", b"").translate(None, b":-. ,")


def scrub_text(text: str, keep: frozenset[bytes] = frozenset(), *, about_people: bool = False) -> str:
    """`scrub` for a topic or a reason."""
    return scrub(text.encode(errors="replace"), keep, about_people=about_people).decode(errors="replace")


def address(beacon: str) -> str:
    """A beacon's name, masked when it is a hardware address: a telephone's may stand there, and they change.

    >>> address("known:AA:BB:CC:00:11:22"), address("eddy:0001020304040506070809-aabbccddeeff")
    ('known:***', 'eddy:0001020304040506070809-aabbccddeeff')
    """
    found = _ADDRESS.fullmatch(beacon)
    return f"{found[1] or ''}***" if found else beacon


def raw(payload: bytes, keep: frozenset[bytes] = frozenset(), *, about_people: bool = False) -> str:
    """What is kept of a rejected payload: scrubbed, at most RAW_MAX bytes, base64."""
    if about_people and _ONLY_BASE64.fullmatch(payload[: 2 * RAW_MAX]):
        return ""
    clean = scrub(payload[: 2 * RAW_MAX], keep, about_people=about_people)
    if len(payload) > 2 * RAW_MAX:
        clean = clean[:-64]  # the cut may have left half of an address that no pattern knows
    return base64.b64encode(clean[:RAW_MAX]).decode("ascii")
