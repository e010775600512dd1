"""Position-annotated walks of the BLE hall data set as the CSV that `flowmon score beacons` reads.

Tracks are lines `time, receiver, beacon, rssi, x, y, z, 3×3 orientation` in a zip. The hall has no walls; its four
zones are its quarters, cut at x = 10.2 m and y = 8.9 m (estimators page, section 2.3).
"""

import csv
import io
import zipfile
from pathlib import Path, PurePosixPath

CUT_X, CUT_Y = 10.2, 8.9
HEADER = ("time", "beacon", "receiver", "rssi", "zone", "track")


def write(source: Path, path: Path) -> None:
    """All tracks of the zip to one CSV."""
    with zipfile.ZipFile(source) as packed, path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(HEADER)
        for name in sorted(name for name in packed.namelist() if name.endswith(".mbd")):
            track = PurePosixPath(name).stem
            for row in csv.reader(io.TextIOWrapper(packed.open(name), encoding="utf-8")):
                at, receiver, beacon, rssi, x, y = row[:6]
                zone = ("west" if float(x) < CUT_X else "east") + ("-south" if float(y) < CUT_Y else "-north")
                out.writerow((at, beacon, receiver, rssi, zone, track))
