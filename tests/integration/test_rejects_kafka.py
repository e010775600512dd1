"""`flowmon rejects` on a cluster's Kafka: read again beside it, once, and marked in the topic itself."""

import asyncio
import json
from pathlib import Path

import pytest

from deploy.services import Services
from flowmon.__main__ import main
from flowmon.facts import Count
from flowmon.findings import Rejected
from flowmon.journal.kafka import KafkaJournal, create_topics
from flowmon.settings import Settings
from sensors.dialects.port import Message
from sensors.rejects import Rejects
from streams import topics
from tests.typical import SEEN, TYPICAL

pytestmark = pytest.mark.integration
ROUTE = '[[routes]]\ntopic = "retried/#"\ndialect = "terabee"\n'
VENUE = Path(__file__).parents[2] / "deploy" / "venues" / "museum.toml"


async def test_rejects_are_listed_read_again_and_marked(
    services: Services, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kafka = services.kafka_address
    await create_topics(kafka, topics.table(Settings()))
    (tmp_path / "venue.toml").write_text(VENUE.read_text() + "\n" + ROUTE)
    told = [
        _reject("retried/door", TYPICAL["terabee"][0].payload.replace(b"FA2100000001", b"XL-retried")),
        _reject("elsewhere/door", b"x"),
    ]
    journal = KafkaJournal(kafka, patience_s=30)
    try:
        await journal.append_rejects("museum", told)
        only = ["--kafka", kafka, "--venue", "museum", "--reason", "retried in a test", "--json"]
        again = ["rejects", "retry", "--venue-file", str(tmp_path / "venue.toml"), *only]

        assert await asyncio.to_thread(main, ["rejects", *only]) == 0
        [row] = json.loads(capsys.readouterr().out)
        assert row["count"] == 2

        assert await asyncio.to_thread(main, again) == 1
        found = json.loads(capsys.readouterr().out)
        assert (found["read"], found["facts"], found["historical"], len(found["failing"])) == (1, 1, 1, 1)
        counts = [
            fact
            async for entry in journal.read("museum")
            for fact in entry.record
            if isinstance(fact, Count) and fact.source == "XL-retried"
        ]
        assert [(fact.forward, fact.historical) for fact in counts] == [(23, True)]

        assert await asyncio.to_thread(main, again) == 1
        assert json.loads(capsys.readouterr().out)["read"] == 0
    finally:
        await journal.close()


def _reject(topic: str, payload: bytes) -> Rejected:
    message = Message(topic=topic, payload=payload, seen=SEEN)
    kept = Rejects().keep("museum", message, None, "retried in a test", simulated=False)
    assert kept is not None
    return kept
