"""Xovis sensors, firmware 5, STATUS agent: whether a sensor is well. Read by the dialects of its other agents.

Source: akenza-io/device-type-library types/xovis/PC2SV5 and PC2SV2 (MIT), captures of firmware 5.0.3.

Health: `fault` when the state of the device, its clock, network or updates is not OK, or when it is too dark to count.

Pitfalls:
* The states of push agents hold the addresses data goes to, with their secrets: never read.
* `time` can read `2021-03-05T13:43:22.946 CET`, which is no RFC 3339: the gateway's clock is used then.
"""

from typing import Any

from flowmon.errors import Undecodable
from flowmon.facts import DeviceStatus
from sensors.dialects import bodies, speech

_PARTS = {
    "device": "the sensor says it is not well: look at its status page",
    "time": "its clock is not synchronised: check its NTP server",
    "network": "its network is not well: check its link and addresses",
    "updates": "its firmware update failed: see its status page",
}
_DARK = "too dark to count: add light or check the lens"

Body = dict[str, object]


def read(data: Body, device: str, seen: float, *, simulated: bool) -> DeviceStatus:
    """The one fact of a `status_data`. Raises Undecodable."""
    states = bodies.table(data.get("states"), "states")
    about = _table(_table(states, "device"), "info")
    info = _table(data, "sensor_info")
    named = info.get("serial_number") or about.get("serial") or device
    if not named:
        raise Undecodable("xovis: no sensor_info; name the device on its route, or switch meta data on in the agent")
    reasons = [
        reason for part, reason in _PARTS.items() if _table(_table(states, part), "state").get("state", "OK") != "OK"
    ]
    light = _table(_table(states, "singlesensor"), "status").get("illumination", "SUFFICIENT")
    if light != "SUFFICIENT":
        reasons.append(_DARK)
    firmware = about.get("fw_version")
    return DeviceStatus(
        at=_told_at(states, seen),
        seen=seen,
        source=bodies.name(named, "serial_number"),
        simulated=simulated,
        health="fault" if reasons else "online",
        reason="; ".join(reasons),
        firmware=bodies.name(firmware, "fw_version") if firmware else "",
    )


def _told_at(states: Body, seen: float) -> float:
    clock = _table(_table(_table(states, "time"), "state"), "details").get("time")
    try:
        return bodies.instant(clock, "time")
    except Undecodable:
        return seen


def _table(body: Body, name: str) -> Body:
    """A part of the status; empty where it is missing or null."""
    return bodies.table(body.get(name) or {}, name)


def written(fact: DeviceStatus) -> Body:
    """The `status_data` that says so. Raises ValueError for what no sensor says of itself."""
    known = {reason: part for part, reason in _PARTS.items()}
    bad = (
        {known.get(reason, "") for reason in fact.reason.split("; ")} if fact.reason and fact.reason != _DARK else set()
    )
    if fact.health == "offline" or "" in bad or len(bad) > 1 or (fact.health == "fault") != bool(fact.reason):
        raise speech.untold("xovis", fact)
    states: dict[str, Any] = {part: {"state": {"state": "ERROR" if part in bad else "OK"}} for part in _PARTS}
    states["time"]["state"]["details"] = {"time": speech.rfc3339(fact.at)}
    states["device"]["info"] = {"fw_version": fact.firmware} if fact.firmware else {}
    states["singlesensor"] = {"status": {"illumination": "INSUFFICIENT" if fact.reason == _DARK else "SUFFICIENT"}}
    return {
        "package_info": {"version": "5.0", "id": 1, "agent_id": 1002},
        "sensor_info": {"serial_number": fact.source},
        "states": states,
    }
