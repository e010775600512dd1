"""Hikvision ISAPI: which kind a count is, where it stands, and XML from strangers. Written from the format."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import hikvision
from sensors.dialects.port import Message, Unwanted

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "hikvision"
SEEN = 1_777_730_461.0
START, END = 1_777_730_400.0, 1_777_730_460.0
MAC = "849A40ECF16D"
RANGE = (
    "<TimeRange><startTime>2026-05-02T16:00:00+02:00</startTime>"
    "<endTime>2026-05-02T16:01:00+02:00</endTime></TimeRange>"
)
REAL = "<RealTime><time>2026-05-02T14:01:00Z</time></RealTime>"


def decode(payload: str | bytes, device: str = "") -> list[Fact]:
    data = payload if isinstance(payload, bytes) else payload.encode()
    return hikvision.decode(Message(topic="hik", payload=data, seen=SEEN), device)


def alert(counting: str, *, kind: str = "PeopleCounting", state: str = "active", mac: str = "84:9a:40:ec:f1:6d") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><EventNotificationAlert version="1.0" xmlns="urn:psialliance-org">'
        f"{f'<macAddress>{mac}</macAddress>' if mac else ''}<channelID>1</channelID>"
        f"<dateTime>2026-05-02T14:01:00Z</dateTime><eventType>{kind}</eventType><eventState>{state}</eventState>"
        f"{counting}<childCounting><enter>7</enter><exit>7</exit></childCounting></EventNotificationAlert>"
    )


def counting(method: str, period: str, enter: object = 70, left: object = 75) -> str:
    tag = f"<statisticalMethods>{method}</statisticalMethods>" if method else ""
    return f"<peopleCounting>{tag}{period}<enter>{enter}</enter><exit>{left}</exit></peopleCounting>"


REGISTER = Count(at=END, seen=SEEN, source=MAC, counter=MAC, kind="cumulative", forward=70, backward=75)
WINDOW = Count(at=END, seen=SEEN, source=MAC, counter=MAC, kind="window", forward=70, backward=75, start=START, end=END)


def sample(name: str, when: str) -> str:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("third-party payloads are not beside this checkout")
    text = path.read_text()
    return text.replace("__DATETIME__", when).replace("__ENTER__", "70").replace("__EXIT__", "75")


def test_the_published_real_time_alert_is_a_register() -> None:
    assert decode(sample("template_realtime.xml", "2026-05-02T22:01:00+08:00")) == [REGISTER]


def test_the_published_signal_trigger_alert_is_a_window() -> None:
    [fact] = decode(sample("template_signaltrigger_isapi2.xml", "2026-05-02T14:01:00Z"))
    assert isinstance(fact, Count)
    assert (fact.kind, fact.start, fact.end, fact.forward, fact.backward) == ("window", END, END, 70, 75)


@pytest.mark.parametrize("method", ["timeRange", "signalTrigger"])
def test_the_same_tags_are_a_window(method: str) -> None:
    assert decode(alert(counting(method, RANGE))) == [WINDOW]


def test_children_before_the_people_are_not_the_people() -> None:
    text = alert(counting("realTime", REAL)).replace(
        "<channelID>", "<childCounting><enter>9</enter></childCounting><channelID>"
    )
    assert decode(text) == [REGISTER]


@pytest.mark.parametrize("method", ["", "other"])
def test_without_a_known_method_nothing_is_credited(method: str) -> None:
    with pytest.raises(Undecodable, match="not credited"):
        decode(alert(counting(method, REAL)))


@pytest.mark.parametrize(
    "when",
    ["2026-05-02T09:01:00-5:00", "2026-05-02T09:01:00-05:00", "2026-05-02T14:01:00+0000", "2026-05-02T22:01:00+8:00"],
)
def test_offsets_as_devices_write_them(when: str) -> None:
    assert decode(alert(counting("realTime", f"<RealTime><time>{when}</time></RealTime>"))) == [REGISTER]


def test_a_time_without_zone() -> None:
    [fact] = decode(alert(counting("realTime", "<RealTime><time>2026-05-02T14:01:00</time></RealTime>")))
    assert fact.at == SEEN
    with pytest.raises(Undecodable, match="startTime is not a time"):
        decode(alert(counting("timeRange", RANGE.replace("+02:00", ""))))


def test_local_names_whatever_the_namespace() -> None:
    text = alert(counting("realTime", REAL)).replace("<", "<hik:").replace("<hik:/", "</hik:").replace("<hik:?", "<?")
    assert decode(text.replace("xmlns=", "xmlns:hik=")) == [REGISTER]


def test_multipart_and_cloud_envelopes() -> None:
    one = alert(counting("realTime", REAL))
    parts = b"--b\r\nContent-Type: application/xml\r\n\r\n" + one.encode() + b"\r\n--b\r\n\r\n\xff\xd8\x00<\r\n--b--"
    assert decode(parts) == [REGISTER]
    cloud = {"header": {"deviceId": "d"}, "body": {"payload": one}}
    assert decode(json.dumps(cloud)) == [REGISTER]
    assert decode("\ufeff\n " + one.partition("?>")[2]) == [REGISTER]


def test_what_the_device_had_kept_is_history() -> None:
    kept = alert(counting("timeRange", RANGE)).replace(
        "<exit>75", "<isDataRetransmission>true</isDataRetransmission><exit>75"
    )
    [fact] = decode(kept)
    assert fact.historical


def test_health() -> None:
    assert decode(alert("", kind="videoloss", state="inactive")) == [
        DeviceStatus(at=END, seen=SEEN, source=MAC, health="online")
    ]
    for kind in ("videoloss", "shelteralarm", "scenechangedetection"):
        [fact] = decode(alert("", kind=kind))
        assert isinstance(fact, DeviceStatus)
        assert fact.health == "fault"
        assert fact.reason
    with pytest.raises(Unwanted):
        decode(alert("", kind="facedetection"))


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xxxx"><!ENTITY y "&x;&x;">]>'
    "<EventNotificationAlert>&y;</EventNotificationAlert>"
)
FILE = '<!DOCTYPE a SYSTEM "file:///etc/passwd"><EventNotificationAlert/>'


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (BOMB, "document type or entities"),
        (FILE, "document type or entities"),
        ("<EventNotificationAlert>&x;</EventNotificationAlert>", "not XML|entities"),
        ("<EventNotificationAlert>" + "<a>" * 100 + "</a>" * 100 + "</EventNotificationAlert>", "nested too deeply"),
        ("<EventNotificationAlert>" + "<a/>" * 3_000 + "</EventNotificationAlert>", "too many"),
        ("<EventNotificationAlert>", "not XML"),
        ('<?xml version="1.0" encoding="no-such"?><EventNotificationAlert/>', "name the device"),
        ("<html/>", "XML of another kind"),
        ("", "no EventNotificationAlert"),
        ("hello", "no EventNotificationAlert"),
        ('{"body":{"payload":3}}', "payload is not text"),
        ("{", "not JSON"),
        (alert(counting("realTime", REAL), mac=""), "name the device on its route"),
        (alert(counting("realTime", REAL, enter=-1)), "enter is not a whole number"),
        (alert(counting("realTime", REAL, enter="")), "enter is not a whole number"),
        (alert(counting("realTime", REAL, enter="1</enter><enter>2")), "stands there more than once"),
        (alert("<peopleCounting/>"), "enter is not a number"),
        (alert(counting("timeRange", RANGE.replace("16:00", "16:02"))), "begin before it ends"),
        (alert(counting("realTime", "<RealTime><time>2026-02-30T00:00:00Z</time></RealTime>")), "time is not a time"),
    ],
)
def test_bad_input_is_refused_with_a_reason(payload: str, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        decode(payload)


def test_openings_without_an_end_cost_no_time() -> None:
    with pytest.raises(Undecodable, match="no EventNotificationAlert"):
        decode(b"--b\r\n" + b"<EventNotificationAlert " * 40_000)


def test_a_multipart_body_by_its_header_or_its_first_line() -> None:
    text = alert(counting("realTime", REAL))
    body = (
        '--boundary7\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: application/xml\r\n\r\n'
        f"{text}\r\n--boundary7\r\nContent-Type: image/jpeg\r\n\r\n"
        "\xff\xd8<EventNotificationAlert \r\n--boundary7--\r\n"
    ).encode("latin-1")
    kind = 'multipart/form-data; boundary="boundary7"'
    for headers in ({"content-type": kind}, {}):
        assert hikvision.decode(Message(topic="hik", payload=body, seen=SEEN, headers=headers), "") == [REGISTER]


def test_regions_of_a_channel_are_lines_of_their_own() -> None:
    text = alert(counting("realTime", REAL)).replace("</exit></people", "</exit><regionsID>2</regionsID></people")
    assert [fact.line for fact in decode(text) if isinstance(fact, Count)] == ["1-2"]
    same = text.replace("<regionsID>2", "<regionsID>1")
    assert [fact.line for fact in decode(same) if isinstance(fact, Count)] == ["1"]


def test_an_alert_as_json() -> None:
    told = {
        "macAddress": "84:9a:40:ec:f1:6d", "channelID": 1, "dateTime": "2026-05-02T14:01:00Z",
        "eventType": "PeopleCounting", "eventState": "active",
        "peopleCounting": {"statisticalMethods": "realTime", "realTime": {"time": "2026-05-02T14:01:00Z"},
                           "enter": 70, "exit": 75, "duplicatePeople": 3},
        "childCounting": {"enter": 9},
    }  # fmt: skip
    assert decode(json.dumps({"EventNotificationAlert": told})) == [REGISTER]
    assert decode(json.dumps(told)) == [REGISTER]


def test_a_cloud_gateway_may_name_the_device() -> None:
    text = alert(counting("realTime", REAL), mac="")
    wrapped = {"header": {"deviceId": "F1234"}, "body": {"payload": text}}
    assert [fact.source for fact in decode(json.dumps(wrapped))] == ["F1234"]


@pytest.mark.parametrize("text", ['{"hello": 1}', "<Metrics/>", "[1]", '{"eventType": 3}'])
def test_what_no_camera_sent_is_refused(text: str) -> None:
    with pytest.raises(Undecodable):
        decode(text, "door-1")


def test_no_camera_counts_events() -> None:
    with pytest.raises(ValueError, match="no such device"):
        hikvision.encode([Count(at=0.0, source="s", counter="s", kind="event")], venue="small", device="s")


pieces = st.sampled_from(
    [
        "<EventNotificationAlert>", "</EventNotificationAlert>", "<peopleCounting>", "</peopleCounting>",
        "<enter>7</enter>",
        "<exit>8</exit>", "<statisticalMethods>realTime</statisticalMethods>", "<eventType>PeopleCounting</eventType>",
        "<macAddress>a</macAddress>", "<![CDATA[", "]]>", "&lt;", "&#0;", "<!--",
        '<?xml version="1.0" encoding="utf-16"?>',
        "<!DOCTYPE a>", '{"body":{"payload":"', '"}}', "é", " ",
    ]
)  # fmt: skip


@given(
    st.binary(max_size=80)
    | st.lists(pieces, max_size=12).map(lambda parts: "".join(parts).encode())
    | st.text(max_size=30).map(lambda text: alert(counting("realTime", REAL, enter=text)).encode(errors="replace")),
    st.text(max_size=20),
)
def test_any_bytes_are_facts_or_undecodable(payload: bytes, topic: str) -> None:
    with contextlib.suppress(Undecodable):
        facts = hikvision.decode(Message(topic=topic, payload=payload, seen=SEEN), "")
        assert all(fact.source for fact in facts)
