"""Kafka, Mosquitto and PostgreSQL as ordinary processes in one folder: for the tests, and for `make stack`.

    with Services(folder, kafka=True) as services:
        services.kafka_address      # 127.0.0.1:23817
        services.mqtt_url           # starts Mosquitto, because nobody has yet
        services.kafka.restart()    # also start, stop, kill: the same port, the same data

Each part has its own port and folder, is ready when it answers (never after a pause), and is ended by its own
process id. Without `keep` the data go too, at the end. From a shell: `python deploy/services.py --data DIR`.
More than 300 lines, because it is started as one file before anything else of the project can be imported.
"""

import argparse
import contextlib
import getpass
import hashlib
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0

#: program that shows a package is there -> Debian package
PACKAGES = {
    "java": "default-jre-headless",
    "mvn": "maven",
    "mosquitto": "mosquitto",
    "postgres": "postgresql",
    "chromium": "chromium",
    "node": "nodejs",
}


class ServiceError(Exception):
    """A part cannot be started; the message says what to do."""


def free_port() -> int:
    """A TCP port nobody listens on, below the range of outgoing connections: it stays ours over a restart."""
    for _ in range(200):
        port = 15_000 + secrets.randbelow(17_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise ServiceError("no free port between 15000 and 32000: end whatever holds them")


def find(program: str) -> str:
    """Path of a program, looking also where Debian hides daemons. Raises ServiceError naming its package."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", *map(str, versions)])
    found = shutil.which(program, path=places)
    if found is None:
        package = PACKAGES.get(program, "postgresql")
        raise ServiceError(f"{program} is missing: run `python deploy/services.py install` (Debian: {package})")
    return found


def _run(command: Sequence[str], *, user: str | None = None) -> str:
    done = subprocess.run(  # noqa: S603 -- fixed programs, no shell
        command, user=user, capture_output=True, text=True, check=False, cwd="/", stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise ServiceError(f"{' '.join(command[:3])} … failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


class Part:
    """One server: a folder, a port, at most one process. Starting or ending it twice does nothing."""

    name: str
    user: str | None = None  # run as somebody else; only root may

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.log = folder / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start and wait until it answers. Raises ServiceError with the end of its log."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start without waiting, so that several parts can come up together."""
        if self.running:
            return
        with socket.socket() as probe:
            # A server that ended a moment ago leaves connections in TIME_WAIT, which do not block the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self.port))
            except OSError as error:
                raise ServiceError(f"{self.name}: port {self.port} is taken: choose another one") from error
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        with self.log.open("ab") as log:
            # Its own session: Ctrl-C in the terminal reaches us, and we end the parts in order.
            self.process = subprocess.Popen(  # noqa: S603 -- fixed programs, no shell
                self.command(),
                user=self.user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )

    def wait_ready(self) -> None:
        """Wait until it answers. Raises ServiceError with the end of its log."""
        deadline = time.monotonic() + READY_WITHIN_S
        while not self.answers():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                tail = self.log.read_text(errors="replace")[-2000:]
                raise ServiceError(f"{self.name} did not come up on port {self.port}. Its log ends:\n{tail}")
            time.sleep(0.02)
        self.after_start()

    def stop(self) -> None:
        """End it in good order, as a shutdown of the machine would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (`kill -9`), as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop in good order and start again: the same port, the same data."""
        self.stop()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def remove(self) -> None:
        """Delete what it stored."""
        shutil.rmtree(self.folder, ignore_errors=True)

    # What each part knows of itself.

    def prepare(self) -> None:
        """Write configuration; create the store where there is none."""

    def command(self) -> list[str]:
        """What runs it in the foreground."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it accepts work."""
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
            return True
        return False

    def after_start(self) -> None:
        """What can only be done once it answers."""


class Kafka(Part):
    """Apache Kafka, one KRaft node. The jars are fetched once, by Maven, into a cache."""

    name = "kafka"
    FLAGS = (
        "-Xmx384m",
        "-Xms128m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    )

    def __init__(self, folder: Path, port: int = 0) -> None:
        super().__init__(folder, port)
        self.controller_port = free_port()

    @property
    def address(self) -> str:
        """What clients call the bootstrap servers."""
        return f"{HOST}:{self.port}"

    def prepare(self) -> None:
        properties = self.folder / "server.properties"
        place = {
            "controller.quorum.bootstrap.servers": f"{HOST}:{self.controller_port}",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "log.dirs": str(self.folder / "data"),
        }
        text = (HERE / "kafka" / "server.properties").read_text()
        properties.write_text(text + "".join(f"{key}={value}\n" for key, value in place.items()))
        if not (self.folder / "data" / "meta.properties").exists():
            # One word with its value: a random id may begin with a dash.
            store = ["--standalone", f"--cluster-id={secrets.token_urlsafe(16)}", "-c", str(properties)]
            _run([*self._java(), "kafka.tools.StorageTool", "format", *store])

    def _java(self) -> list[str]:
        # The JVM, not a shell, expands the star.
        return [find("java"), *self.FLAGS, "-cp", f"{kafka_jars()}/*"]

    def command(self) -> list[str]:
        return [*self._java(), "kafka.Kafka", str(self.folder / "server.properties")]

    def answers(self) -> bool:
        """Asks for the API versions: the port opens a little before requests are answered."""
        request = struct.pack(">hhih", 18, 0, 1, -1)
        with (
            contextlib.suppress(OSError),
            socket.create_connection((HOST, self.port), timeout=1) as connection,
        ):
            connection.sendall(struct.pack(">i", len(request)) + request)
            return len(connection.recv(8)) > 0
        return False


class Mosquitto(Part):
    """Eclipse Mosquitto with persistence. `users` (name -> password) makes it refuse everybody else."""

    name = "mosquitto"

    def __init__(self, folder: Path, port: int = 0, users: dict[str, str] | None = None) -> None:
        super().__init__(folder, port)
        self.users = users or {}

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"mqtt://{HOST}:{self.port}"

    def prepare(self) -> None:
        passwords = self.folder / "passwords"
        passwords.write_text("")
        passwords.chmod(0o600)
        for user, password in self.users.items():
            _run([find("mosquitto_passwd"), "-b", str(passwords), user, password])
        ours = ("listener", "persistence_location", "allow_anonymous")
        lines = (HERE / "mosquitto" / "mosquitto.conf").read_text().splitlines()
        kept = [line for line in lines if line.split(" ")[0] not in ours]
        kept += [
            f"listener {self.port} {HOST}",
            f"user {getpass.getuser()}",  # started by root it would become a user who cannot write here
            f"persistence_location {self.folder}/",
            f"allow_anonymous {'false' if self.users else 'true'}",
        ]
        if self.users:
            kept.append(f"password_file {passwords}")
        (self.folder / "mosquitto.conf").write_text("\n".join(kept) + "\n")

    def command(self) -> list[str]:
        return [find("mosquitto"), "-c", str(self.folder / "mosquitto.conf")]


class Postgres(Part):
    """PostgreSQL with one database and one user, `flowmon`, trusted on this machine only.

    It refuses to run as root, and its user cannot enter root's private folders: there the store is put into
    /var/tmp, under a name made from `folder`, so that the next start finds it again.
    """

    name = "postgres"

    def __init__(self, folder: Path, port: int = 0, *, durable: bool = True) -> None:
        super().__init__(folder, port)
        self.durable = durable
        self.store = folder / "data"
        if os.geteuid() == 0:
            self.user = "postgres"
            if not _open_to_all(folder):
                name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
                self.store = Path("/var/tmp") / f"flowmon-postgres-{name}"  # noqa: S108 -- 0700, owned by postgres

    @property
    def url(self) -> str:
        """What asyncpg and psql connect to."""
        return f"postgresql://flowmon@{HOST}:{self.port}/flowmon"

    def prepare(self) -> None:
        if (self.store / "PG_VERSION").exists():
            return
        self.store.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.user:
            try:
                owner = pwd.getpwnam(self.user)
            except KeyError:
                raise ServiceError("no user postgres: run `python deploy/services.py install`") from None
            os.chown(self.store, owner.pw_uid, owner.pw_gid)
        store = ["-D", str(self.store), "-U", "flowmon", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
        _run([find("initdb"), *store], user=self.user)

    def command(self) -> list[str]:
        sync = "on" if self.durable else "off"  # off outlives the process, not the machine: enough for a test
        options = ["-k", "", "-h", HOST, "-p", str(self.port), "-c", f"fsync={sync}"]
        return [find("postgres"), "-D", str(self.store), *options]

    def answers(self) -> bool:
        with contextlib.suppress(ServiceError):
            _run([find("pg_isready"), "-q", "-h", HOST, "-p", str(self.port)])
            return True
        return False

    def stop(self) -> None:
        """A fast shutdown: SIGTERM would wait for every client to leave."""
        self._end(signal.SIGINT)

    def after_start(self) -> None:
        try:
            _run([find("createdb"), "-h", HOST, "-p", str(self.port), "-U", "flowmon", "flowmon"])
        except ServiceError as error:
            if "already exists" not in str(error):
                raise

    def remove(self) -> None:
        super().remove()
        shutil.rmtree(self.store, ignore_errors=True)


def _open_to_all(folder: Path) -> bool:
    """Whether any user may pass through every folder above and including this one."""
    existing = [p for p in (folder.resolve(), *folder.resolve().parents) if p.exists()]
    return all(p.stat().st_mode & 0o001 for p in existing)


class Services:
    """The parts of an installation in one folder. What is asked for starts at once, the rest when first used.

    kafka, mosquitto, postgres: start it on entering. users: MQTT names and passwords (default: anybody may).
    keep: leave the data when closing, and make PostgreSQL durable. Ports are free ones unless given.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kafka: bool = False,
        mosquitto: bool = False,
        postgres: bool = False,
        kafka_port: int = 0,
        mqtt_port: int = 0,
        postgres_port: int = 0,
        users: dict[str, str] | None = None,
        keep: bool = False,
    ) -> None:
        self.folder = folder.resolve()
        self.keep = keep
        self.kafka = Kafka(self.folder / "kafka", kafka_port)
        self.mosquitto = Mosquitto(self.folder / "mosquitto", mqtt_port, users)
        self.postgres = Postgres(self.folder / "postgres", postgres_port, durable=keep)
        self._wanted = [part for part, wanted in zip(self.parts, (kafka, mosquitto, postgres), strict=True) if wanted]
        self._begun: set[str] = set()

    @property
    def parts(self) -> tuple[Kafka, Mosquitto, Postgres]:
        """All three, running or not."""
        return self.kafka, self.mosquitto, self.postgres

    @property
    def kafka_address(self) -> str:
        """`host:port` of Kafka, started when nobody has yet (never again after a `kill`)."""
        self._begin([self.kafka])
        return self.kafka.address

    @property
    def mqtt_url(self) -> str:
        """`mqtt://host:port` of Mosquitto, started when nobody has yet."""
        self._begin([self.mosquitto])
        return self.mosquitto.url

    @property
    def postgres_url(self) -> str:
        """`postgresql://…` of PostgreSQL, started when nobody has yet."""
        self._begin([self.postgres])
        return self.postgres.url

    def _begin(self, parts: Sequence[Part]) -> None:
        fresh = [part for part in parts if part.name not in self._begun]
        for part in fresh:
            part.launch()
        for part in fresh:
            part.wait_ready()
            self._begun.add(part.name)

    def __enter__(self) -> Self:
        try:
            self._begin(self._wanted)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every part; without `keep` delete its data (which is why it need not end in good order)."""
        for part in self.parts:
            if self.keep:
                part.stop()
            else:
                part.kill()
                part.remove()


def kafka_jars() -> Path:
    """Folder of Kafka's jars, fetched by Maven the first time. Raises ServiceError when it cannot."""
    version = re.search(r"<version>([\d.]+)</version>", (HERE / "kafka" / "pom.xml").read_text())
    assert version, "pom.xml names the version"
    base = Path(os.environ.get("FLOWMON_CACHE") or Path.home() / ".cache" / "flowmon")
    jars = base / f"kafka-{version[1]}"
    if not jars.exists():
        base.mkdir(parents=True, exist_ok=True)
        # Beside its final place, then renamed: who comes second finds either nothing or everything.
        with tempfile.TemporaryDirectory(dir=base) as fetched:
            goal = [
                "dependency:copy-dependencies",
                f"-DoutputDirectory={fetched}/jars",
                "-DincludeScope=runtime",
            ]
            _run([find("mvn"), "-q", "-B", "-f", str(HERE / "kafka" / "pom.xml"), *goal])
            with contextlib.suppress(OSError):
                (Path(fetched) / "jars").rename(jars)
    return jars


def install() -> int:
    """Install the Debian packages that are missing; as anybody but root, say which. Returns the exit code."""
    missing = []
    for program, package in PACKAGES.items():
        try:
            find(program)
        except ServiceError:
            missing.append(package)
    if not missing:
        print("everything is installed")
        return 0
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"missing: {', '.join(missing)}. Run: sudo apt-get update && sudo {' '.join(command)}")
        return 1
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update"], env=quiet, check=True)  # noqa: S607 -- Debian's own, from root's PATH
    return subprocess.run(command, env=quiet, check=False).returncode  # noqa: S603 -- fixed packages, no shell


def run(services: Services, *, as_json: bool, wait: Callable[[], object]) -> int:
    """Start all three, print where they are, `wait`, end them."""
    with services:
        where = {
            "kafka": services.kafka_address,
            "mqtt": services.mqtt_url,
            "postgres": services.postgres_url,
            "folder": str(services.folder),
        }
        print(json.dumps(where) if as_json else "\n".join(f"{k:9} {v}" for k, v in where.items()), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            wait()
    return 0


def main() -> int:
    """`services.py --data DIR` runs them until Ctrl-C or SIGTERM; `services.py install` adds packages."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("verb", nargs="?", choices=["run", "install"], default="run")
    parser.add_argument("--data", type=Path, help="folder of their data, kept (default: a temporary one)")
    parser.add_argument("--kafka-port", type=int, default=0, help="default: a free one")
    parser.add_argument("--mqtt-port", type=int, default=0, help="default: a free one")
    parser.add_argument("--postgres-port", type=int, default=0, help="default: a free one")
    parser.add_argument("--json", action="store_true", help="print the addresses as one line of JSON")
    args = parser.parse_args()
    if args.verb == "install":
        return install()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="flowmon-") as temporary:
        services = Services(
            args.data or Path(temporary),
            kafka=True,
            mosquitto=True,
            postgres=True,
            kafka_port=args.kafka_port,
            mqtt_port=args.mqtt_port,
            postgres_port=args.postgres_port,
            keep=args.data is not None,
        )
        try:
            return run(services, as_json=args.json, wait=ended.wait)
        except ServiceError as error:
            print(f"services: {error}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
