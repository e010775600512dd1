"""Where things are and the secrets to reach them: from the environment, never from a venue file."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from flowmon.errors import FlowmonError

YES, NO = frozenset({"1", "true", "yes", "on"}), frozenset({"", "0", "false", "no", "off"})
PORT_MAX = 65_535


class Settings(Struct, frozen=True, kw_only=True):
    """One installation. Every field is the environment variable `FLOWMON_` + its name in capitals.

    venues: paths of venue files, separated by `:`. mqtt: `mqtt://host:1883` or `mqtts://host:8883`.
    http: `host:port` for devices that post, empty for none; https with a certificate (PEM files). http_secrets: a TOML
    file of what they prove themselves with.
    """

    venues: tuple[Path, ...] = (Path("deploy/venues/museum.toml"),)
    mqtt: str = "mqtt://127.0.0.1:1883"
    mqtt_username: str = ""
    mqtt_password: str = ""
    mqtt_client: str = "flowmon-gateway"
    http: str = ""
    http_secrets: str = ""
    http_certificate: str = ""  # with its chain
    http_key: str = ""  # empty: in the certificate's file
    beacon_secret: str = ""  # makes beacon tokens equal in several gateways; empty: random keys, forgotten with time
    kafka: str = "127.0.0.1:9092"
    postgres: str = "postgresql://flowmon@127.0.0.1:5432/flowmon"
    app: str = "flowmon"
    data: Path = Path("data")
    simulated: bool = False
    keep_sightings: bool = False  # raw sightings beside the journal of one process, for `flowmon calibrate`
    feed_host: str = "127.0.0.1"
    feed_port: int = 8080
    feed_token: str = ""  # makes whoever has it a manager; empty: only people at the machine itself
    metrics_port: int = 0  # 0: no metrics listener
    metrics_host: str = "127.0.0.1"
    partitions: int = 4
    replication: int = 1
    worker_session_s: float = 10.0  # how long a killed worker still owns its venues


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment. Raises FlowmonError naming the variable that cannot be read."""
    values: dict[str, object] = {}
    for field, default in zip(Settings.__struct_fields__, Settings.__struct_defaults__, strict=True):
        name = f"FLOWMON_{field.upper()}"
        if name in environment:
            values[field] = _read(name, environment[name], default)
    return Settings(**values)  # type: ignore[arg-type]


def _read(name: str, text: str, default: object) -> object:
    match default:
        case bool():
            if text.lower() not in YES | NO:
                raise FlowmonError(f"{name}={text!r} is neither yes nor no: set it to 1 or 0")
            return text.lower() in YES
        case int() | float():
            return _number(name, text, default)
        case tuple():
            return tuple(Path(part) for part in text.split(":") if part)
        case Path():
            return Path(text)
        case _:
            return text


def _number(name: str, text: str, default: float) -> float:
    try:
        number = type(default)(text)
    except ValueError:
        raise FlowmonError(f"{name}={text!r} is not a number: set it to one, e.g. {default}") from None
    if name.endswith("_PORT") and not 0 <= number <= PORT_MAX:
        raise FlowmonError(f"{name}={text!r} is no port: set it to a number from 0 to {PORT_MAX}")
    if not math.isfinite(number) or number < 0:
        raise FlowmonError(f"{name}={text!r} is too small or too large: set it to a number like {default}")
    return number


def address(url: str, *, port: int) -> tuple[str, int, bool]:
    """`mqtt://host:1883` to (host, port, TLS). Raises FlowmonError for anything that is no such URL."""
    like = "write it like mqtt://192.168.1.10:1883"
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        host, number = parts.hostname, parts.port or port
    except ValueError as error:
        raise FlowmonError(f"the address of the MQTT broker cannot be read ({error}): {like}") from None
    if parts.username or parts.password:  # the URL itself is a secret then, and would be in every log
        raise FlowmonError(
            f"the address of the MQTT broker has a user in it: {like}, and set FLOWMON_MQTT_USERNAME and "
            "FLOWMON_MQTT_PASSWORD"
        )
    if not host or parts.scheme not in {"", "mqtt", "mqtts"}:
        raise FlowmonError(f"{url!r} is no address of an MQTT broker: {like}")
    return host, number, parts.scheme == "mqtts"


def endpoint(text: str) -> tuple[str, int]:
    """`host:port` to listen on, `[::1]:8082` for IPv6. Raises FlowmonError for anything else."""
    try:
        parts = urlsplit(f"//{text}")
        host, number = parts.hostname, parts.port
    except ValueError:
        host, number = None, None
    if not host or number is None or parts.netloc != text or "@" in text:
        raise FlowmonError(
            f"FLOWMON_HTTP={text!r} is no address to listen on: write host:port, like 192.168.1.5:8082, "
            "or 0.0.0.0:8082 for every network of this machine"
        )
    return host, number
