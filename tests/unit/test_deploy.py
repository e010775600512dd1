"""What is deployed agrees with itself and with the code: containers, metrics, dashboards."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from flowmon import metrics
from flowmon.settings import Settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]

#: The keys of the Compose Specification that we use; a misspelt one would be ignored or refused at start.
TOP = {"name", "services", "volumes"}
KEYS = {
    "build",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "ports",
    "profiles",
    "restart",
    "volumes",
}


def test_compose_has_the_parts_of_the_cluster() -> None:
    assert {"kafka", "mosquitto", "postgres", "gateway", "worker", "archive", "feed", "simulator"} <= set(SERVICES)
    assert {key for key in COMPOSE if not key.startswith("x-")} <= TOP
    assert SERVICES["simulator"]["profiles"] == ["simulator"], "nobody gets simulated people unasked"


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_well_formed(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= KEYS
    assert "image" in service
    for other, how in service.get("depends_on", {}).items():
        assert other in SERVICES
        assert how["condition"] in {"service_started", "service_healthy"}
        assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]
        # A service without a profile must not need one that is only there with a profile.
        assert set(SERVICES[other].get("profiles", [])) <= set(service.get("profiles", []))


@pytest.mark.parametrize("name", SERVICES)
def test_each_mounted_file_and_volume_is_there(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]
        assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_every_setting_given_to_a_container_is_a_setting() -> None:
    known = {f"FLOWMON_{field.upper()}" for field in Settings.__struct_fields__}
    given = {key for s in SERVICES.values() for key in s.get("environment", {}) if key.startswith("FLOWMON_")}
    assert given <= known


def test_the_broker_of_the_containers_is_that_of_the_native_start() -> None:
    version = re.search(r"<version>([\d.]+)</version>", (DEPLOY / "kafka" / "pom.xml").read_text())
    assert version is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}"


def test_no_container_has_a_secret_written_down() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for line in text.splitlines():
        if re.search(r"(PASSWORD|TOKEN|SECRET)\S*:", line) and not line.startswith("#"):
            assert "${" in line, line


def served() -> set[str]:
    """Names of the metrics a process serves."""
    return set(re.findall(r"^# TYPE (\w+) ", metrics.render().decode(), re.MULTILINE))


def asked_for(expression: str) -> set[str]:
    names = set(re.findall(r"\b(?:flowmon|process)_\w+", expression))
    return {name.removesuffix("_bucket") for name in names}


def test_rules_and_dashboards_ask_only_for_metrics_there_are() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())
    board = json.loads((DEPLOY / "grafana" / "flowmon.json").read_text())
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    expressions += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked = set().union(*map(asked_for, expressions))
    assert asked
    assert asked <= served()


def test_prometheus_asks_the_services_that_serve_metrics() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    (found,) = config["scrape_configs"][0]["dns_sd_configs"]
    for name in found["names"]:
        assert SERVICES[name]["environment"]["FLOWMON_METRICS_PORT"] == found["port"]
        assert SERVICES[name]["environment"]["FLOWMON_METRICS_HOST"] == "0.0.0.0"
