"""The whole cluster on one machine, from one terminal: servers, gateway, worker, archive, feed and a simulated museum.

    python -m deploy.stack [--rate 1] [--scenario normal-day] [--port 8080] [--workers 1]

Each part is a process of its own with its log in a file; what ends unasked is named with the end of its log. Ctrl-C
ends all, by process id. The tests run their faults on the same class.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self

from deploy.services import ServiceError, Services, free_port

HERE = Path(__file__).parent
MUSEUM = HERE / "venues" / "museum.toml"
END_S = 15.0
READY_S = 60.0


class Process:
    """One part of the stack: a command with its environment, and a log that every start is added to."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.name, self.command, self.log = name, command, log
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it (again)."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = self._spawn(log)
        return self

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        # A session of its own, so that Ctrl-C reaches the stack alone and the parts end in order.
        return subprocess.Popen(  # noqa: S603 -- our own commands, no shell
            self.command, env=self._environment, stdout=log, stderr=log, start_new_session=True
        )

    @property
    def pid(self) -> int:
        """Its process id; it must have been started."""
        assert self._process is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs or was never started."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> int:
        """Ask it to end in good order; returns its exit code. Killed when it does not."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def tail(self, lines: int = 12) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def _end(self, how: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return process.returncode


class Stack:
    """Every process of a cluster on running `services`.

    folder: logs. venues: their files. app: names topics of tables and groups, so that stacks can share servers.
    environment: more settings for every process.
    Nothing is started before `start`.
    """

    def __init__(
        self,
        services: Services,
        folder: Path,
        venues: list[Path],
        *,
        app: str = "flowmon",
        port: int = 0,
        workers: int = 1,
        simulated: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "FLOWMON_VENUES": ":".join(map(str, venues)),
            "FLOWMON_KAFKA": services.kafka_address,
            "FLOWMON_MQTT": services.mqtt_url,
            "FLOWMON_MQTT_CLIENT": f"{app}-gateway",
            "FLOWMON_POSTGRES": services.postgres_url,
            "FLOWMON_APP": app,
            "FLOWMON_FEED_PORT": str(self.port),
            "FLOWMON_SIMULATED": "1" if simulated else "0",
            **(environment or {}),
        }
        self._folder = folder
        self.gateway = self._process("gateway", "-m", "sensors")
        self.workers = [self._process(f"worker-{n + 1}", "-m", "streams") for n in range(workers)]
        self.archive = self._process("archive", "-m", "flowmon", "archive")
        self.feed = self._process("feed", "-m", "flowmon", "feed")

    @property
    def processes(self) -> list[Process]:
        """All parts in the order in which they are started."""
        return [*self.workers, self.gateway, self.archive, self.feed]

    def start(self) -> None:
        """Start every part and wait for the first screen. Raises ServiceError with the log of what failed."""
        for process in self.processes:
            process.start()
        self.wait_ready()

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        """Until the gateway listens and the feed has loaded what is known.

        Raises ServiceError when a part ended or it takes too long.
        """
        deadline = time.monotonic() + timeout_s
        while not (self.ready() and "connected to" in self.gateway.tail(1_000)):
            for process in self.processes:
                if process.returncode is not None:
                    raise ServiceError(f"{process.name} ended ({process.returncode}):\n{process.tail()}")
            if time.monotonic() > deadline:
                raise ServiceError(f"no screens after {timeout_s:.0f} s:\n{self.feed.tail()}")
            time.sleep(0.1)

    def ready(self) -> bool:
        """Whether the feed says it is ready."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:  # noqa: S310 -- our own http URL
                return bool(json.load(answer)["ready"])
        except (OSError, ValueError, urllib.error.URLError):
            return False

    def simulator(self, venue: Path, *arguments: str) -> Process:
        """A simulated museum on the stack's broker; not started yet."""
        return self._process(f"simulator-{venue.stem}", "-m", "simulator", "play", "--venue", str(venue), *arguments)

    def close(self) -> None:
        """End every part in good order, the sources first."""
        for process in [self.gateway, *self.workers, self.archive, self.feed]:
            process.stop()

    def _process(self, name: str, *arguments: str) -> Process:
        return Process(name, [sys.executable, *arguments], self.environment, self._folder / f"{name}.log")


def main() -> int:
    """Start everything, print where, and wait for Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stack", description=__doc__.splitlines()[0])
    parser.add_argument("--venue", type=Path, default=MUSEUM, help="venue file (default: the museum that ships)")
    parser.add_argument("--scenario", default="normal-day")
    parser.add_argument("--from", dest="start", default="11:00", metavar="HH:MM", help="time of the day to begin at")
    parser.add_argument("--rate", type=float, default=1.0, help="times real time; above 1 events outrun the clock")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=8080, help="port of the screens")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep the servers' data and the logs here")
    args = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with contextlib.ExitStack() as ending:
        folder = args.data or Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="flowmon-stack-")))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # PostgreSQL does not run as root and must reach its part
        services = Services(folder / "servers", kafka=True, mosquitto=True, postgres=True, keep=bool(args.data))
        print("flowmon: starting Kafka, Mosquitto and PostgreSQL …", file=sys.stderr, flush=True)
        ending.enter_context(services)
        stack = Stack(services, folder / "logs", [args.venue.resolve()], port=args.port, workers=args.workers)
        ending.callback(stack.close)
        stack.start()
        day = ["--scenario", args.scenario, "--from", args.start, "--rate", f"{args.rate:g}", "--seed", str(args.seed)]
        simulator = stack.simulator(args.venue.resolve(), *day, "--clock", "now", "--mqtt-version", "5").start()
        ending.callback(simulator.stop)
        print(f"flowmon: a simulated museum at {stack.url}/   (Ctrl-C ends it; logs in {folder / 'logs'})", flush=True)
        told: set[str] = set()
        while not ended.wait(1.0):
            for process in [*stack.processes, simulator]:
                if process.returncode is not None and process.name not in told:
                    told.add(process.name)
                    print(f"flowmon: {process.name} ended ({process.returncode}):\n{process.tail()}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
