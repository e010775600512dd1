"""Messages as devices of each family send them, made up from the formats: what the fuzzer starts from and what the
bench of decoding times. One dialect may have several; the first is the most usual one.
Long, because it has a message of every family and nothing else.
"""

import base64
import json

import msgspec

from sensors.dialects.port import Message

SEEN = 1_777_730_461.0
_TIME = "2026-05-02T14:01:00Z"
_MS = 1_777_730_460_000
_UUID = "e2c56db5dffb48d2b060d0f5a71096e0"
_FRAME = "4c000215" + _UUID + "00010107c5"
_ADVERT = "0201061aff" + _FRAME
_AOA = "axis/B8A44F000001/event/tns:axis/CameraApplicationPlatform/ObjectAnalytics/Device1Scenario1"
_EDDYSTONE = "0303aafe1716aafe00e7" + "00010203040506070809" + "aabbccddeeff" + "0000"


def _json(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _told(topic: str, payload: object, **headers: str) -> Message:
    data = payload if isinstance(payload, bytes) else _json(payload)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Message(topic=topic, payload=data, seen=SEEN, headers=named)


def _uplink(payload: str, port: int) -> list[Message]:
    """The same uplink as The Things Stack and as ChirpStack 4 tell it."""
    data = base64.b64encode(bytes.fromhex(payload)).decode()
    stack = {
        "end_device_ids": {"device_id": "door", "dev_eui": "24E124136B325678"},
        "uplink_message": {"f_port": port, "f_cnt": 7, "frm_payload": data, "received_at": _TIME},
    }
    chirp = {"deviceInfo": {"devEui": "24e124136b325678"}, "time": _TIME, "fPort": port, "fCnt": 7, "data": data}
    return [
        _told("v3/museum@tenant/devices/door/up", stack),
        _told("application/1/device/24e124136b325678/event/up", chirp),
    ]


def _xovis_logics() -> object:
    line = {
        "id": 1000,
        "name": "Door",
        "info": "XLT_4X_LINE_IN_OUT_COUNT",
        "geometries": [{"id": 1, "type": "LINE", "name": "Door"}],
        "records": [
            {
                "from": _MS - 60_000,
                "to": _MS,
                "samples": 60,
                "samples_expected": 60,
                "counts": [{"id": 1, "name": "fw", "value": 3}, {"id": 2, "name": "bw", "value": 1}],
            }
        ],
    }
    return {
        "logics_data": {
            "package_info": {"version": "5.0", "id": 71, "agent_id": 1001},
            "sensor_info": {"serial_number": "80:1F:12:00:00:01", "type": "SINGLE_SENSOR"},
            "logics": [line],
        }
    }


def _xovis_live() -> object:
    crossing = {
        "category": "SCENE",
        "type": "LINE_CROSS_FORWARD",
        "attributes": {"track_id": 7, "geometry_id": 2, "geometry_type": "LINE"},
    }
    person = {"track_id": 7, "type": "PERSON", "position": [0.5, 1.0, 1.7], "attributes": {"tag": "NO_TAG"}}
    frame = {"framenumber": 12, "time": _MS, "tracked_objects": [person], "events": [crossing]}
    info = {"serial_number": "80:1F:12:00:00:01", "type": "SINGLE_SENSOR"}
    return {"live_data": {"package_info": {"version": "5.0"}, "sensor_info": info, "frames": [frame]}}


def _xovis_legacy() -> list[object]:
    value = [{"value": 3, "label": "fw"}, {"value": 1, "label": "bw"}]
    measured = {"from": "2026-05-02T14:00:00+00:00", "to": "2026-05-02T14:01:00+00:00", "value": value}
    element = {"element-id": 0, "element-name": "Door", "data-type": "LINE", "measurement": [measured]}
    info = {"serial-number": "80:1F:12:00:00:01", "device-type": "PC2S"}
    event = {
        "timestamp": _MS,
        "type": "LineCrossing",
        "serial": "80:1F:12:00:00:01",
        "object": {"id": 7, "type": "PERSON"},
        "direction": "forward",
        "countItem": {"id": 0, "name": "Door"},
    }
    return [{"content": {"element": [element]}, "sensor-info": info}, {"values": [event]}]


def _milesight() -> object:
    return {
        "device_info": {"device_sn": "6537F00000000001", "device_mac": "24:E1:24:00:00:01", "running_time": 330},
        "line_periodic_data": [{"line": 1, "line_name": "Door", "total": {"in": 3, "out": 1}}],
        "line_total_data": [{"line": 1, "total": {"capacity_counted": 2, "in_counted": 844, "out_counted": 842}}],
        "time_info": {"start_time": "2026-05-02T14:00:00-00:00", "end_time": "2026-05-02T14:01:00-00:00"},
    }


def _frigate_event() -> object:
    before = {
        "id": "1777730450.5-abc",
        "camera": "hall",
        "label": "person",
        "current_zones": [],
        "false_positive": False,
    }
    after = before | {"current_zones": ["front_hall"], "entered_zones": ["front_hall"], "frame_time": 1777730460.25}
    return {"type": "update", "before": before, "after": after}


def _milesight_trigger() -> object:
    return {
        "device_info": {"device_sn": "6537F00000000001"},
        "line_trigger_data": [{"line": 1, "total": {"in": 27, "out": 27}}],
        "time_info": {"time": "2026-05-02T14:01:00-00:00"},
    }


def _retail() -> object:
    items = [{"direction": "in", "count": 3, "adults": 2}, {"direction": "out", "count": 1, "adults": 1}]
    data = {
        "utcFrom": "2026-05-02T14:00:00Z",
        "utcTo": _TIME,
        "measurements": [{"kind": "people-counts", "items": items}],
    }
    return {"apiName": "Axis Retail Data", "apiVersion": "0.4", "data": data, "sensor": {"serial": "b8a44f000001"}}


def _aoa() -> object:
    data = {"startTime": "2026-05-01T22:01:25Z", "reason": "human", "total": "42", "totalHuman": "40", "totalCar": "2"}
    return {"serial": "B8A44F000001", "timestamp": _MS, "message": {"source": {}, "key": {}, "data": data}}


def _hikvision(method: str, period: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><EventNotificationAlert version="1.0" xmlns="urn:psialliance-org">'
        "<macAddress>84:9a:40:00:00:01</macAddress><channelID>1</channelID>"
        f"<dateTime>{_TIME}</dateTime><eventType>PeopleCounting</eventType><eventState>active</eventState>"
        f"<peopleCounting><statisticalMethods>{method}</statisticalMethods>{period}<enter>70</enter><exit>75</exit>"
        "<regionsID>1</regionsID></peopleCounting><childCounting><enter>7</enter><exit>7</exit></childCounting>"
        "</EventNotificationAlert>"
    ).encode()


_RANGE = (
    "<TimeRange><startTime>2026-05-02T16:00:00+02:00</startTime>"
    "<endTime>2026-05-02T16:01:00+02:00</endTime></TimeRange>"
)


def _irisys() -> list[object]:
    log = {
        "Counts": [{"Name": "Enter", "RegisterId": 0, "Value": 121}, {"Name": "Exit", "RegisterId": 1, "Value": 99}],
        "LogEntryId": 353,
        "Timestamp": _TIME,
    }
    return [
        [{"register": "MainEntranceIn", "value": 1, "t": "2026-05-02T14:01:00+0000"}],
        {"CountLogs": [log], "FriendlyDeviceSerial": "V4D-17000001"},
        {"counts": [{"name": "Enter", "count": 121}, {"name": "Exit", "count": 99}]},
        {"status": "disconnected"},
    ]


def _minew() -> object:
    return [
        {"timestamp": "2026-05-02T14:01:00.000Z", "type": "Gateway", "mac": "AC233F000001", "gatewayFree": 89},
        {
            "timestamp": "2026-05-02T14:01:00.000Z",
            "type": "iBeacon",
            "mac": "C30000000001",
            "ibeaconUuid": _UUID.upper(),
            "ibeaconMajor": 1,
            "ibeaconMinor": 263,
            "rssi": -65,
        },
    ]


def _minew_long() -> bytes:
    advert = bytes.fromhex(_ADVERT)
    packet = bytes([len(advert)]) + advert + b"\x00" + bytes([256 - 65])
    tag = bytes.fromhex("c30000000001") + b"\x00\x01" + packet
    inside = bytes.fromhex("ac233f000001") + b"\x00\x01" + tag + b"\xdd"
    return b"\xbb\x01" + (len(inside) + 6).to_bytes(4, "big") + inside


def _moko() -> object:
    value = {"timestamp": "2026-05-02&16:01:00+02", "mac": "112233445566", "rssi": -78, "raw": _ADVERT}
    return {"msg_id": 3004, "device_info": {"mac": "112233445566"}, "data": [{"type": 8, "value": value}]}


def _april() -> bytes:
    advert = bytes([0]) + bytes.fromhex("c30000000001") + bytes([256 - 65]) + bytes.fromhex(_ADVERT)
    return msgspec.msgpack.encode(
        {"v": "1.5.0", "mid": 7, "time": 300, "ip": "10.0.0.2", "mac": "B0B8F4000001", "devices": [advert]}
    )


def _brickstream() -> bytes:
    return (
        b'<?xml version="1.0"?><Metrics SiteId="1" Sitename="Museum" DeviceId="Door" ><Properties><Version>5</Version>'
        b"<TransmitTime>1777730460</TransmitTime><Timezone>1</Timezone><DST>1</DST></Properties>"
        b'<ReportData Interval="1"><Report Date="2026-05-02"><Object Id="0" Name="Door" ObjectType="0">'
        b'<Count StartTime="16:00:00" EndTime="16:01:00" UnixStartTime="1777730400" Enters="3" Exits="1" Status="0"/>'
        b"</Object></Report></ReportData></Metrics>"
    )


def _opendatacam() -> object:
    crossing = {
        "frameId": 7,
        "timestamp": "2026-05-02T14:01:00.000Z",
        "area": "a1",
        "name": "person",
        "id": 12,
        "bearing": 90.0,
        "countingDirection": "leftright_topbottom",
    }
    return {"areas": {"a1": {"name": "Door"}}, "counterHistory": [[crossing]]}


def _fiware() -> list[object]:
    flow = {
        "id": "flow-1",
        "type": "CrowdFlowObserved",
        "dateObservedFrom": "2026-05-02T14:00:00Z",
        "dateObservedTo": "2026-05-02T14:01:00Z",
        "peopleCountTowards": 3,
        "peopleCountAway": 1,
    }
    queue = {
        "id": "queue-1",
        "type": "QueueMeasurement",
        "PassengerQueue": {"Identifier": "tickets", "Name": "Tickets"},
        "MeasurementTimePeriod": {"StartTime": "2026-05-02T13:56:00Z", "EndTime": "2026-05-02T14:01:00Z"},
        "Occupancy": 12,
        "WaitTime": 240,
    }
    return [flow, queue]


_GATEWAY = {"gw_mac": "C8:25:2D:00:00:01", "rssi": -26}
_IBEACON = {"rssi": -70, "uuid": _UUID, "major": 1, "minor": 263}
_OMG = [
    _told("home/foyer/BTtoMQTT/582076", {"id": "58:78:20:00:00:01", "mac_type": 1, **_IBEACON}),
    _told("home/foyer/BTtoMQTT/549400", {"id": "54:94:5E:00:00:01", "manufacturerdata": _FRAME, "rssi": -74}),
    _told("home/foyer/LWT", b"online"),
]
_TASMOTA = {"UID": _UUID.upper(), "MAJOR": "0001", "MINOR": "0107", "MAC": "A4C138000001", "RSSI": -56, "STATE": "ON"}
_LEGACY = _xovis_legacy()

#: Dialect -> messages. A new dialect needs one here (tests/unit/test_typical.py says so).
TYPICAL: dict[str, list[Message]] = {
    "native": [
        _told("flowmon/v1/museum/door-1/count", {"at": 1777730460.5, "seq": 7, "kind": "event", "forward": 1}),
        _told(
            "flowmon/v1/museum/door-1/count",
            {"at": 1777730460, "kind": "window", "start": 1777730400, "end": 1777730460, "forward": 3, "backward": 1},
        ),
        _told("flowmon/v1/museum/cam-1/zone", {"at": 1777730460, "zone": "foyer", "people": 12}),
        _told("flowmon/v1/museum/q-1/queue", {"at": 1777730460, "queue": "desk", "length": 4, "wait_s": 120.5}),
        _told("flowmon/v1/museum/door-1/status", {"health": "offline"}),
    ],
    "xovis": [_told("xovis/door/logics", _xovis_logics())],
    "xovis-live": [_told("xovis/door/live", _xovis_live())],
    "xovis-legacy": [_told("xovis/door/legacy", body) for body in _LEGACY],
    "espresense": [
        _told(
            "espresense/devices/iBeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0-1-263/foyer",
            {"id": f"iBeacon:{_UUID}-1-263", "rssi@1m": -59, "rssi": -81.1, "distance": 6.58, "int": 2028},
        ),
        _told("espresense/rooms/foyer/status", b"online"),
        _told("espresense/rooms/foyer/telemetry", {"ver": "4.0.6", "uptime": 300, "rssi": -60}),
    ],
    "axis": [_told(_AOA, _aoa()), _told("axis/retail", _retail(), content_type="application/json")],
    "milesight": [_told("em/6537F00000000001/status", _milesight())],
    "milesight-registers": [_told("em/6537F00000000001/status", _milesight_trigger())],
    "frigate-events": [_told("frigate/events", _frigate_event())],
    "hikvision": [
        _told("hikvision/door", _hikvision("realTime", f"<RealTime><time>{_TIME}</time></RealTime>")),
        _told("hikvision/door", _hikvision("timeRange", _RANGE), content_type='application/xml; charset="UTF-8"'),
    ],
    "openmqttgateway": _OMG,
    "theengs": _OMG,
    "ruuvi": [
        _told("ruuvi/C8:25:2D:00:00:01/D3:D1:9D:00:00:01", {**_GATEWAY, "ts": 1777730460, "data": _ADVERT}),
        _told("ruuvi/C8:25:2D:00:00:01/D3:D1:9D:00:00:01", {**_GATEWAY, "ts": "1777730460", "data": _EDDYSTONE}),
        _told("ruuvi/C8:25:2D:00:00:01/gw_status", {"state": "online"}),
    ],
    "minew": [_told("gw/minew", _minew()), _told("gw/minew", _minew_long(), content_type="application/json")],
    "moko": [_told("gw/moko", _moko())],
    "tasmota": [
        _told("tele/foyer/SENSOR", {"Time": "2026-05-02T16:01:00", "IBEACON": _TASMOTA}),
        _told("tele/foyer/LWT", b"Online"),
    ],
    "irisys": [_told("irisys/door/counts", body) for body in _irisys()],
    "terabee": [
        _told("terabee", {"count_in": 23, "count_out": 12, "timestamp": "1777730400", "device_id": "FA2100000001"})
    ],
    "lorawan-milesight": _uplink("03D248000000 04D2C8000000 017564", 85)
    + _uplink("04CC12001600", 85)
    + _uplink("20CEFF3DF16401070002001D000800", 85)
    + [_told("lorawan/door", bytes.fromhex("03D24800000004D2C8000000"), content_type="application/octet-stream")],
    "lorawan-terabee": _uplink("000000C8000001C800", 1),
    "lorawan-parametric": _uplink("be010400030001004800420e1000000102", 14),
    "lorawan-imbuildings": _uplink("02060004A30B000000000800F80003000220060305E661", 5),
    "lorawan-paxcounter": _uplink("0c000300", 1),
    "lorawan-yosensi": _uplink("02070000 600011020048 600011030042", 1),
    "lorawan-elsys": _uplink("0100e20229040027050607 0e6a1100", 5),
    "lorawan-pipiot": _uplink("00480007 0000000000000000", 1),
    "cassia": [
        _told(
            "cassia/scan", {"bdaddrs": [{"bdaddr": "FE:E1:00:00:00:01"}], "rssi": -72, "adData": _ADVERT, "chipId": 0}
        )
    ],
    "april-brother": [_told("gateway", _april())],
    "brickstream": [_told("brickstream", _brickstream(), content_type="text/xml")],
    "opendatacam": [_told("opendatacam", _opendatacam())],
    "fiware": [_told("fiware", body) for body in _fiware()],
    "lorawan-hkt": _uplink("686b740000 07 0003 0001 00000048 00000042", 2),
    "frigate": [_told("frigate/front_hall/person", b"3"), _told("frigate/available", b"online")],
    "steinel": [_told("steinel/hpd/DetectedPersonsZone", {"DetectedPersonsZone": [0, 0, 2, 1, 1, 0, 1, 0]})],
    "dataq": [_told("dataq/occupancy/B8A44F000001", {"occupancy": {"Human": 3}, "timestamp": _MS})],
}
#: The name a route gives, where neither topic nor payload has one.
DEVICE = "door-1"
