"""A museum on a busy afternoon, as the feed tells it: what the screens' tests and pictures are made of."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from flowmon.feed.pages import venue_document
from flowmon.venue.model import Venue

Fields = dict[str, Any]

VENUE_FILE = Path(__file__).parents[2] / "deploy" / "venues" / "museum.toml"
#: 2026-05-02 14:03:20 in Paris, ms.
NOW = 1_777_723_400_000


def venue() -> Fields:
    """What `GET /api/venue` answers."""
    with VENUE_FILE.open("rb") as file:
        return venue_document(msgspec.convert(tomllib.load(file), Venue))


#: people, half interval, in/min, out/min, quality
_ROOMS: dict[str, tuple[float, float, float, float, str]] = {
    "entrance-queue": (64, 3, 14, 13, "good"),
    "ticket-hall": (41, 3, 13, 12, "good"),
    "foyer": (58, 5, 21, 20, "good"),
    "cloakroom": (9, 2, 3, 2, "good"),
    "antiquity": (37, 4, 8, 9, "good"),
    "star-room": (58, 4, 16, 12, "good"),
    "sculpture": (48, 9, 9, 8, "estimated"),
    "shop": (31, 3, 6, 7, "good"),
    "landing": (22, 3, 9, 9, "good"),
    "painting": (61, 6, 7, 6, "good"),
    "modern": (17, 4, 4, 5, "stale"),
    "cafe": (44, 3, 5, 4, "good"),
}


def _area(outline: list[list[float]]) -> float:
    edges = zip(outline, outline[1:] + outline[:1], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in edges)) / 2


def zones(at: int = NOW) -> dict[str, Fields]:
    """Every zone of the museum, as the channel `zones` has it."""
    rooms = venue()["zones"]
    found: dict[str, Fields] = {}
    for name, (occ, half, inflow, outflow, quality) in _ROOMS.items():
        cap = rooms[name]["capacity"]
        level = "over" if occ > cap else "high" if occ > 0.8 * cap else "normal"
        found[name] = {
            "occ": occ,
            "lo": max(0, occ - half),
            "hi": occ + half,
            "cap": cap,
            "dens": round(occ / _area(rooms[name]["outline"]), 2),
            "in": inflow,
            "out": outflow,
            "lvl": level,
            "q": quality,
            "at": at - (74_000 if quality == "stale" else 1_000),
            "age": 15_780.0,
            "m": "balance" if name == "cloakroom" else "filter",
            "inp": ["counters", "beacons", "closing"],
            "raw": int(occ) - 2,
            "bcn": int(occ / 9),
            "prov": False,
        }
    return found


def building(at: int = NOW) -> Fields:
    """The whole museum, as the channel `kpi` has it."""
    return {
        "venue": {
            "occ": 490,
            "lo": 472,
            "hi": 508,
            "cap": 700,
            "in": 14,
            "out": 9,
            "entered": 2314,
            "lvl": "normal",
            "q": "good",
            "at": at - 1_000,
            "age": 18_200.0,
            "next": "sculpture",
            "prov": False,
        }
    }


def reasons(at: int = NOW) -> dict[str, Fields]:
    """Why every number is what it is, as the channel `why` has it: sums that are right, told half a minute ago."""
    document, told = venue(), zones(at)
    found: dict[str, Fields] = {}
    for name, shown in told.items():
        counters = [
            counter
            for counter, known in document["counters"].items()
            if name in document["portals"][known["portal"]]["between"]
        ]
        doors = [
            {"c": counter, "in": 210.4 + i, "out": 196.2, "gi": 1.02, "go": 0.98, "ni": 206 + i, "no": 200}
            for i, counter in enumerate(counters)
        ]
        moved = sum(door["in"] - door["out"] for door in doors)
        evidence = {"beacons": -2.4, "negative": 0.6}
        recounted = name == "sculpture"
        base = shown["occ"] - moved - sum(evidence.values())
        found[name] = {
            "v": shown["occ"],
            "sd": round((shown["hi"] - shown["occ"]) / 1.645, 2),
            "base": round(base, 2),
            "by": "recount" if recounted else "closing",
            "t": at - (2_520_000 if recounted else 15_780_000),
            "doors": doors,
            "ev": evidence,
            "share": 0.142,
            "m": shown["m"],
            "at": at - 20_000,
        }
    return found


def forecasts(at: int = NOW) -> dict[str, Fields]:
    """What the star room and the sculptures will hold, as the channel `forecast` has it."""
    found: dict[str, Fields] = {}
    for zone, occ in (("star-room", 58.0), ("sculpture", 48.0)):
        for i, (horizon, method) in enumerate(((900, "model"), (1800, "model"), (3600, "clim_dev"))):
            people = occ - 3.0 * i
            found[f"{zone}/{horizon}"] = {
                "zone": zone,
                "horizon": horizon,
                "occ": people,
                "lo": people - 6 - 3 * i,
                "hi": people + 7 + 3 * i,
                "at": at - 60_000,
                "m": method,
                "over": 0.35 if zone == "star-room" else 0.01,
            }
    return found


def corrections(at: int = NOW) -> list[Fields]:
    """Lines of the audit log, the oldest first."""
    told = {"what": "correction", "note": ""}
    return [
        told
        | {
            "zone": "sculpture",
            "before": 40.2,
            "after": 44.0,
            "reason": "recount",
            "by": "M. Dupont",
            "note": "at the door",
            "at": at - 2_520_000,
        },
        told
        | {"zone": "star-room", "before": 51.2, "after": 48.6, "reason": "beacons", "by": "filter", "at": at - 600_000},
        told
        | {
            "zone": "star-room",
            "before": 55.0,
            "after": 57.4,
            "reason": "neighbour",
            "by": "filter",
            "at": at - 120_000,
        },
    ]


def queues(at: int = NOW) -> dict[str, Fields]:
    """Both queues, as the channel `queues` has them."""
    long = {"len": 64, "lo": 60, "hi": 68, "leaving": 1140.0, "p50": 1380.0, "p90": 1740.0, "thr": 2.8, "desks": 2}
    short = {"len": 12, "lo": 9, "hi": 15, "leaving": 210.0, "p50": 230.0, "p90": 340.0, "thr": 3.6, "desks": 3}
    told = {"q": "good", "at": at - 1_000}
    return {
        "entrance": long | told | {"m": "blend", "sign": 1800.0},
        "tickets": short | told | {"m": "length-over-throughput", "sign": 300.0},
    }


_UNWELL = {
    "ctr-painting-modern": ("silent", "nothing heard for 400 s"),
    "ctr-antiquity-star": ("suspect", "loses one in five of those who go in"),
}


def sensors(at: int = NOW) -> dict[str, Fields]:
    """Every counter, one of them silent, every receiver and the gateway, as the channel `sensors` has them."""
    found: dict[str, Fields] = {}
    document = venue()
    for name, counter in document["counters"].items():
        between = document["portals"][counter["portal"]]["between"]
        found[name] = {
            "kind": "counter",
            "health": _UNWELL.get(name, ("good", ""))[0],
            "since": at - 360_000,
            "reason": _UNWELL.get(name, ("", ""))[1],
            "last": at - (400_000 if name == "ctr-painting-modern" else 2_000),
            "zones": [zone for zone in between if zone != "outside"],
            "skew": 41.0 if name == "ctr-star-sculpture" else 0.1,
            "time": "shifted" if name == "ctr-star-sculpture" else "device",
            "at": at - 1_000,
        }
    for name, receiver in document["receivers"].items():
        found[name] = _well(at) | {"kind": "receiver", "zones": [receiver["zone"]]}
    refused = {"msgs": 1284, "rej": 0, "worst": ""}
    found["gateway"] = _well(at) | {"kind": "gateway", "zones": []} | refused
    return found


def _well(at: int) -> Fields:
    told = {"health": "good", "since": at - 7_200_000, "reason": "", "last": at - 2_000}
    return told | {"skew": 0.0, "time": "device", "at": at - 1_000}


def alert(**fields: Any) -> Fields:
    """One alert: the star room over its capacity, unless told otherwise."""
    told = {
        "id": "zone-full.star-room.1777723160",
        "key": "museum/star-room/zone-full",
        "rule": "zone-full",
        "subject": "star-room",
        "state": "UNACK",
        "pri": "critical",
        "rev": 1,
        "raised": NOW - 248_000,
        "at": NOW - 248_000,
        "text": "zone_above",
        "value": 52.0,
        "limit": 50.0,
        "unit": "people",
        "q": "good",
        "by": "",
        "note": "",
        "until": None,
    }
    return told | fields


def alerts() -> dict[str, Fields]:
    """Four open alerts, one of each kind of rule but the venue's."""
    found = [
        alert(),
        alert(
            id="queue-long.entrance.1",
            key="museum/entrance/queue-long",
            rule="queue-long",
            subject="entrance",
            pri="high",
            raised=NOW - 138_000,
            at=NOW - 138_000,
            text="queue_above",
            value=21.3,
            limit=20.0,
            unit="minutes",
        ),
        alert(
            id="zone-near.sculpture.1",
            key="museum/sculpture/zone-near",
            rule="zone-near",
            subject="sculpture",
            pri="high",
            state="ACKED",
            rev=2,
            raised=NOW - 660_000,
            at=NOW - 610_000,
            value=46.0,
            limit=45.6,
            by="M. Dupont",
            note="one agent sent to the door",
        ),
        alert(
            id="device-silent.ctr-painting-modern.1",
            key="museum/ctr-painting-modern/device-silent",
            rule="device-silent",
            subject="ctr-painting-modern",
            pri="medium",
            raised=NOW - 310_000,
            at=NOW - 310_000,
            text="device_silent",
            value=90.0,
            limit=90.0,
            unit="seconds",
        ),
    ]
    return {one["id"]: one for one in found}
