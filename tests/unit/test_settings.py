"""What the environment says is read or refused by name; a secret is never part of a refusal."""

import pytest

from flowmon import settings
from flowmon.errors import FlowmonError


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("FLOWMON_FEED_PORT", "abc", "is not a number: set it to one, e.g. 8080"),
        ("FLOWMON_FEED_PORT", "99999", "is no port: set it to a number from 0 to 65535"),
        ("FLOWMON_METRICS_PORT", "-1", "is no port"),
        ("FLOWMON_PARTITIONS", "-4", "too small or too large"),
        ("FLOWMON_WORKER_SESSION_S", "nan", "too small or too large"),
        ("FLOWMON_SIMULATED", "maybe", "is neither yes nor no: set it to 1 or 0"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, text: str, said: str) -> None:
    with pytest.raises(FlowmonError, match=said) as caught:
        settings.load({name: text})
    assert str(caught.value).startswith(f"{name}={text!r}")


def test_what_can_be_read() -> None:
    found = settings.load({"FLOWMON_SIMULATED": "Yes", "FLOWMON_FEED_PORT": "0", "FLOWMON_VENUES": "a.toml:b.toml"})
    assert (found.simulated, found.feed_port, [str(path) for path in found.venues]) == (True, 0, ["a.toml", "b.toml"])
    assert settings.load({"FLOWMON_SIMULATED": "off"}).simulated is False


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("mqtt://broker", ("broker", 1883, False)),
        ("mqtts://broker:8884", ("broker", 8884, True)),
        ("10.0.0.7:1884", ("10.0.0.7", 1884, False)),
        ("mqtt://[::1]:1883", ("::1", 1883, False)),
    ],
)
def test_addresses_of_brokers(url: str, found: tuple[str, int, bool]) -> None:
    assert settings.address(url, port=1883) == found


@pytest.mark.parametrize("url", ["", "mqtt://", "mqtt://host:abc", "mqtt://host:99999", "http://host", "mqtt://[::1"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(FlowmonError, match=r"write it like mqtt://192\.168\.1\.10:1883"):
        settings.address(url, port=1883)


def test_an_address_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(FlowmonError, match="FLOWMON_MQTT_PASSWORD") as caught:
        settings.address("mqtt://museum:zebra-7@host", port=1883)
    assert "zebra" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [("0.0.0.0:8082", ("0.0.0.0", 8082)), ("[::1]:8443", ("::1", 8443)), ("gateway.local:0", ("gateway.local", 0))],
)
def test_where_devices_post_to(text: str, found: tuple[str, int]) -> None:
    assert settings.endpoint(text) == found


@pytest.mark.parametrize(
    "text", ["", "8082", ":8082", "host", "host:port", "host:99999", "http://host:80", "a@b:80", "[::1:8"]
)
def test_what_is_no_place_to_listen_at(text: str) -> None:
    with pytest.raises(FlowmonError, match=r"write host:port, like 192\.168\.1\.5:8082"):
        settings.endpoint(text)
