"""A typical message of every dialect: read as it is, packed for the fuzzer and unpacked, judged like any input."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowmon.errors import Undecodable
from flowmon.facts import Fact
from flowmon.wire import encode
from sensors.dialects import DIALECTS, bodies, markup
from sensors.dialects.port import Family, Message, Outgoing
from tests.fuzz import inputs
from tests.fuzz.judge import FACT_BYTES, Judge
from tests.fuzz.mutation import mutated
from tests.typical import DEVICE, SEEN, TYPICAL


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_dialect_has_typical_messages_that_it_reads(dialect: str) -> None:
    assert TYPICAL.get(dialect), f"write a message of {dialect} into tests/typical.py: fuzzer and bench start from it"
    for message in TYPICAL[dialect]:
        assert DIALECTS[dialect].decode(message, DEVICE), message


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("device", ["x" * 5000, "a\0b", "\x1b[31m"])
def test_a_device_named_by_a_topic_of_a_stranger_is_a_name_or_refused(dialect: str, device: str) -> None:
    for message in TYPICAL[dialect]:
        with contextlib.suppress(Undecodable):
            assert all(bodies.fits(fact.source, 100) for fact in DIALECTS[dialect].decode(message, device))


@pytest.mark.parametrize("message", [message for messages in TYPICAL.values() for message in messages])
def test_a_message_is_packed_and_unpacked(message: Message) -> None:
    assert inputs.unpacked(inputs.packed(message, DEVICE)) == (message, DEVICE)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message(data: bytes) -> None:
    message, device = inputs.unpacked(data)
    assert len(message.payload) + len(device) <= 3 * len(data)


@given(st.sampled_from(["xovis", "minew", "lorawan-hkt"]), st.integers(0, 2**32))
def test_a_changed_payload_is_json_still(dialect: str, seed: int) -> None:
    payload = TYPICAL[dialect][0].payload
    changed = mutated(payload, seed, [b"fw", b"bw"], lambda part: part + b"\x00")
    assert changed is not None
    json.loads(changed)
    assert changed == mutated(payload, seed, [b"fw", b"bw"], lambda part: part + b"\x00")


@pytest.mark.parametrize(("dialect", "root"), [("hikvision", "EventNotificationAlert"), ("brickstream", "Metrics")])
def test_most_changed_xml_is_xml_still(dialect: str, root: str) -> None:
    whole = 0
    for seed in range(100):
        changed = mutated(TYPICAL[dialect][0].payload, seed, [b"7"], bytes)
        with contextlib.suppress(Undecodable):
            whole += bool(markup.tree(changed or b"", root))
    assert whole > 50


def test_what_is_neither_json_nor_xml_is_not_changed_as_such() -> None:
    assert mutated(b"<>", 1, [], bytes) is None
    assert mutated(b"[" * 100_000, 1, [], bytes) is None


class Broken:
    """A dialect with a defect on payloads that begin with x."""

    FAMILY: Family = DIALECTS["frigate"].FAMILY

    def decode(self, message: Message, device: str) -> list[Fact]:
        if message.payload.startswith(b"x"):
            raise KeyError(message.payload)
        return DIALECTS["frigate"].decode(message, device)

    def encode(self, facts: object, *, venue: str, device: str) -> list[Outgoing]:
        return []


def test_what_escapes_a_dialect_is_a_finding_told_once(tmp_path: Path) -> None:
    judge = Judge("broken", Broken(), tmp_path)
    for payload in (b"xa", b"xb", b"3", b"{"):
        judge.try_one(b"frigate/hall/person\n\n\n" + payload)
    tally = judge.report()
    assert (tally["inputs"], tally["read"], tally["refused"]) == (4, 1, 1)
    [finding] = tally["findings"]
    assert (finding["what"], finding["times"]) == ("KeyError: b'xa'", 2)
    assert Path(finding["input"]).read_bytes().endswith(b"xa")


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(DIALECTS)), st.data(), st.sampled_from(["", DEVICE, "Ü/:+#"]),
    st.dictionaries(st.sampled_from(["content-type", "x-serial"]), st.text(max_size=30), max_size=3),
)  # fmt: skip
def test_no_change_of_a_typical_message_crashes_its_dialect(
    dialect: str, data: st.DataObject, device: str, headers: dict[str, str]
) -> None:
    message = data.draw(st.sampled_from(TYPICAL[dialect]))
    payload = message.payload
    for _ in range(data.draw(st.integers(1, 3))):
        payload = mutated(payload, data.draw(st.integers(0, 2**32)), [b"value", b"type"], _reverse) or payload
    cut = data.draw(st.integers(0, len(payload)))
    noise = data.draw(st.binary(max_size=3))
    topic = data.draw(st.sampled_from([message.topic, message.topic + "/x", "", "/", "+/#", "\ud7ff/ /$x"]))
    for body in (payload, payload[:cut] + noise + payload[cut:], payload[:cut]):
        changed = Message(topic=topic, payload=body, seen=SEEN, headers=message.headers | headers)
        try:
            facts = DIALECTS[dialect].decode(changed, device)
        except Undecodable:
            continue
        assert len(encode(facts)) <= FACT_BYTES * len(facts) + 2


def _reverse(part: bytes) -> bytes:
    return part[::-1]
