"""What tests of the real stack share: the servers, started when a test first asks for their address."""

from collections.abc import Iterator

import pytest

from deploy.services import Services


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The servers of this test run: `services.kafka_address`, `.mqtt_url`, `.postgres_url`."""
    with Services(tmp_path_factory.mktemp("services")) as running:
        yield running
