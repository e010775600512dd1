"""What tests of `flowmon VERB` as a process share: the process, a small venue, counters that are counted themselves."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

VENUE = """
id = "one"
name = "One"
timezone = "Europe/Paris"
[floors.ground]
outline = [[0, 0], [20, 0], [20, 10], [0, 10]]
[zones.hall]
floor = "ground"
capacity = 100000
outline = [[0, 0], [10, 0], [10, 10], [0, 10]]
[zones.room]
floor = "ground"
capacity = 100000
outline = [[10, 0], [20, 0], [20, 10], [10, 10]]
[portals.gate]
between = ["outside", "hall"]
[portals.door]
between = ["hall", "room"]
[counters.ctr-gate]
portal = "gate"
towards = "hall"
[counters.ctr-door]
portal = "door"
towards = "room"
"""


def until(what: str, holds: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Wait for a condition; fails with its name."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not in {timeout_s:.0f} s: {what}"
        time.sleep(0.02)


class Flowmon:
    """One process, as somebody starts it in a shell; its output in a file that every start adds to."""

    def __init__(self, folder: Path, *arguments: str | Path, module: str = "flowmon", **environment: str) -> None:
        self.log = folder / "log.txt"
        self._command = [sys.executable, "-m", module, *map(str, arguments)]
        kept = {name: text for name, text in os.environ.items() if not name.startswith("FLOWMON_")}
        self._environment = kept | environment
        self._from = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Flowmon":
        self._from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def space(self, file_bytes: int = resource.RLIM_INFINITY) -> None:
        """No file of it may grow past this, as on a full disk; from now on."""
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY))

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def said(self) -> str:
        """What it has said since its last start."""
        return self.log.read_bytes()[self._from :].decode(errors="replace") if self.log.exists() else ""

    def ended(self, timeout_s: float = 20.0) -> int:
        """Wait for its own end; the exit code."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(30)

    def interrupt(self) -> int:
        """Ctrl-C: the terminal tells the whole process group."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(30)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def rss(self) -> int:
        """Bytes of memory it holds now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024

    def children(self) -> list[int]:
        """Its child processes."""
        tasks = Path(f"/proc/{self.pid}/task")
        return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]

    @property
    def url(self) -> str:
        """Where its screens are; '' until it says so."""
        found = re.findall(r"http://127\.0\.0\.1:(\d+)/", self.said)
        return f"http://127.0.0.1:{found[-1]}" if found else ""

    def get(self, place: str) -> tuple[int, str]:
        """Status and text of a plain GET; 0 when nobody answers."""
        if not self.url:
            return 0, ""
        try:
            with urllib.request.urlopen(self.url + place, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> bool:
        """Serving; fails at once when the process ended."""
        assert self.process is not None
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.said[-3000:]}"
        return self.get("/healthz")[0] == 200

    def started(self) -> "Flowmon":
        """Start and wait until it serves."""
        self.start()
        until("the screens are ready", self.ready)
        return self

    def state(self) -> dict[str, Any]:
        """/api/state."""
        status, text = self.get("/api/state")
        assert status == 200, (status, text, self.said[-3000:])
        return dict(json.loads(text))

    def raw(self, zone: str = "hall") -> float:
        """People in a zone by counting alone; 0 before anything is known."""
        return float(self.state()["zones"].get(zone, {}).get("raw") or 0)

    def metric(self, name: str) -> float:
        """One sample of /metrics, labels included in the name; 0 when it is not there."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0


class Devices:
    """Counters on a broker: number their messages per device, remember what the broker confirmed."""

    def __init__(self, url: str, venue: str = "one", *, user: str = "", password: str = "") -> None:
        self.people: dict[str, int] = {}
        self._sent: list[tuple[int, str, int]] = []
        self._confirmed: list[int] = []
        self._venue = venue
        self._seq: dict[str, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        host, _, port = url.removeprefix("mqtt://").partition(":")
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="test-devices", protocol=mqtt.MQTTv5)
        self.client.max_inflight_messages_set(1000)
        self.client.reconnect_delay_set(1, 1)
        self.client.max_queued_messages_set(0)
        if user:
            self.client.username_pw_set(user, password)
        self.client.on_publish = self._on_publish
        self.client.connect(host, int(port))
        self.client.loop_start()

    @property
    def published(self) -> int:
        return sum(self._seq.values())

    def flow(self) -> "Devices":
        """One person every 5 ms through the gate, until `stop`."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    @property
    def confirmed(self) -> set[tuple[str, int]]:
        """Device and number of what the broker has; message ids are used again after 65,535."""
        mids = set(self._confirmed)
        return {(device, seq) for mid, device, seq in self._sent if mid in mids}

    def stop(self) -> None:
        """No more; returns when the broker has confirmed everything."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(20)
        self.settle()

    def settle(self) -> None:
        until("every message is confirmed", lambda: {mid for mid, *_ in self._sent} <= set(self._confirmed), 60)

    def close(self) -> None:
        self._stop.set()
        self.client.disconnect()
        self.client.loop_stop()

    def enter(self, people: int = 1, device: str = "ctr-gate", *, ahead_s: float = 0.0, **more: Any) -> None:
        """`people` pass a counter whose clock is `ahead_s` seconds wrong."""
        with self._lock:
            seq = self._seq[device] = self._seq.get(device, 0) + 1
            self.people[device] = self.people.get(device, 0) + people
            at = time.time() + ahead_s  # noqa: TID251 -- a device's own clock
            body = {"at": at, "seq": seq, "kind": "event", "forward": people} | more
            info = self.client.publish(f"flowmon/v1/{self._venue}/{device}/count", json.dumps(body), qos=1)
            self._sent.append((info.mid, device, seq))

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            self.enter()

    def _on_publish(self, _c: object, _d: object, mid: int, _r: object, _p: object) -> None:
        self._confirmed.append(mid)  # no lock here: paho holds one of its own
