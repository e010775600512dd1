"""Brickstream XML: local clocks, their daylight saving, and windows the sensor does not vouch for. From the format."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact
from sensors.dialects import brickstream
from sensors.dialects.port import Message

SEEN = 1_777_730_461.0
START, END = 1_777_730_400.0, 1_777_730_460.0  # 2026-05-02T14:00:00Z


def decode(payload: str | bytes, device: str = "") -> list[Fact]:
    data = payload if isinstance(payload, bytes) else payload.encode()
    return brickstream.decode(Message(topic="brickstream", payload=data, seen=SEEN), device)


def metrics(*counts: str, zone: str = "<Timezone>1</Timezone><DST>1</DST>", device: str = 'DeviceId="door-1"') -> str:
    return (
        f'<?xml version="1.0"?>\n<Metrics SiteId="s" Sitename="Museum" {device} Devicename="North">'
        f"<Properties><MacAddress>00:b0:9d:be:30:13</MacAddress>{zone}</Properties>"
        '<ReportData Interval="1"><Report Date="2026-05-02"><Object Id="0" ObjectType="0" Name="1">'
        f"{''.join(counts)}</Object></Report></ReportData></Metrics>"
    )


def count(begin: str = "16:00:00", end: str = "16:01:00", unix: str = ' UnixStartTime="0"', status: str = "0") -> str:
    return f'<Count StartTime="{begin}" EndTime ="{end}"{unix} Enters="3" Exits="1" Status="{status}"/>'


def window(**changes: Any) -> Count:
    told: dict[str, Any] = {
        "at": END, "seen": SEEN, "source": "door-1", "counter": "door-1", "kind": "window", "line": "0",
        "forward": 3, "backward": 1, "start": START, "end": END,
    }  # fmt: skip
    return Count(**told | changes)


@pytest.mark.parametrize("unix", ["", ' UnixStartTime="0"', f' UnixStartTime="{int(START)}"'])
def test_a_window_by_local_time_or_by_unix_time(unix: str) -> None:
    assert decode(metrics(count(unix=unix))) == [window()]


def test_unix_time_needs_no_zone() -> None:
    assert decode(metrics(count(unix=f' UnixStartTime="{int(START)}"'), zone="")) == [window()]


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("<Timezone>-5</Timezone><DST>1</DST>", START + 6 * 3600),
        ("<Timezone>5.5</Timezone>", START - 3.5 * 3600),
        ("<Timezone>+1</Timezone><DST>0</DST>", START + 3600),
    ],
)
def test_zone_and_daylight_saving_are_hours_to_add(zone: str, start: float) -> None:
    assert decode(metrics(count(), zone=zone)) == [window(start=start, end=start + 60, at=start + 60)]


def test_a_window_that_crosses_midnight() -> None:
    for end in ("00:00:00", "24:00:00"):
        [fact] = decode(metrics(count("23:59:00", end)))
        assert isinstance(fact, Count)
        assert fact.end - fact.start == 60


def test_a_window_the_sensor_does_not_vouch_for_is_told_as_seen_by_nobody() -> None:
    # status 4 with 0 and 0 stands in captures of a 2300 at night
    bad, fault = decode(metrics(count(status="4")))
    assert bad == window(complete=0.0)
    assert isinstance(fault, DeviceStatus)
    assert (fault.health, fault.source, fault.at) == ("fault", "door-1", END)
    assert "status 4" in fault.reason


def test_several_windows_and_who_tells_them() -> None:
    text = metrics(count(), count("16:01:00", "16:02:00"), device="")
    assert [(fact.source, fact.at) for fact in decode(text, "x")] == [("00B09DBE3013", END), ("00B09DBE3013", END + 60)]
    own = metrics(count()).replace('<Object Id="0"', '<Object Id="7" DeviceId="left"')
    assert [(f.source, f.line) for f in decode(own) if isinstance(f, Count)] == [("left", "7")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (metrics(count(), zone=""), "without Timezone"),
        (metrics(count(), zone="<Timezone>CET</Timezone>"), "not a number of hours"),
        (metrics(count("25:00:00")), "not a time of day"),
        (metrics(count()).replace("2026-05-02", "02/05/2026"), "not YYYY-MM-DD"),
        (metrics(count()).replace("2026-05-02", "1969-05-02"), "before 1970"),
        (metrics(count()).replace('"3"', '"-3"'), "Enters is not a whole number"),
        (metrics(count()).replace('Exits="1"', ""), "Exits is not a number"),
        ("<Metrics/>", "no ReportData"),
        ("<EventNotificationAlert/>", "another kind"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><Metrics>&b;</Metrics>', "entities"),
        ("{}", "not XML"),
        ("", "not XML"),
    ],
)
def test_bad_input_is_refused_with_a_reason(text: str, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        decode(text)


def test_a_report_of_nobody_says_what_to_do() -> None:
    text = metrics(count(), device="").replace("<MacAddress>00:b0:9d:be:30:13</MacAddress>", "")
    with pytest.raises(Undecodable, match="name the device on its route"):
        decode(text)


def test_no_such_counter_tells_registers() -> None:
    with pytest.raises(ValueError, match="no such device"):
        brickstream.encode([Count(at=0.0, source="s", counter="s", kind="cumulative")], venue="small", device="s")


PIECES = st.sampled_from(
    ["<Metrics>", "</Metrics>", "<ReportData>", "<Report Date=\"2026-05-02\">", "<Object>", "</Object>", "</Report>",
     "</ReportData>", count(), "<Properties>", "<Timezone>1</Timezone>", "</Properties>", "x", "&#0;"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=30), st.sampled_from(["", "d"]))
def test_any_text_is_facts_or_undecodable(text: str, device: str) -> None:
    with contextlib.suppress(Undecodable):
        assert all(fact.source for fact in decode(text.encode(errors="replace"), device))
