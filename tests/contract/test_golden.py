"""An incompatible change of the wire fails here."""

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest

from flowmon import wire
from flowmon.commands import Command
from flowmon.facts import Fact
from flowmon.findings import Finding
from tests.contract import golden

DECODE: dict[str, Callable[[bytes], Any]] = {
    "facts": wire.decode_fact,
    "findings": wire.decode_finding,
    "commands": wire.decode_command,
}
UNIONS = {"facts": Fact, "findings": Finding, "commands": Command}


@pytest.mark.parametrize("name", golden.VALUES)
def test_every_type_has_a_lean_and_a_full_golden_line(name: str) -> None:
    values = golden.VALUES[name]
    for kind in get_args(UNIONS[name]):
        of_kind = [value for value in values if type(value) is kind]
        assert of_kind, f"{kind.__name__} has no sample in tests/contract/samples.py"
        written = set().union(*(json.loads(wire.encode(value)) for value in of_kind))
        left_out = {field for field in kind.__struct_fields__ if field not in written}
        assert not left_out, f"no sample of {kind.__name__} has {left_out}"


@pytest.mark.parametrize("name", golden.VALUES)
def test_golden_lines_decode_to_the_expected_values(name: str) -> None:
    decoded = [DECODE[name](line) for line in golden.lines(name)]
    assert decoded == golden.VALUES[name]


@pytest.mark.parametrize("name", golden.VALUES)
def test_values_encode_to_the_golden_bytes(name: str) -> None:
    assert [wire.encode(value) for value in golden.VALUES[name]] == golden.lines(name)


def test_facts_of_a_record_decode_as_they_do_alone() -> None:
    lines = golden.lines("facts")
    assert wire.decode_record(b"[" + b",".join(lines) + b"]") == golden.VALUES["facts"]


@pytest.mark.parametrize("name", golden.VALUES)
def test_unknown_fields_are_ignored(name: str) -> None:
    for line, value in zip(golden.lines(name), golden.VALUES[name], strict=True):
        later = line[:-1] + b',"field_of_a_later_version":{"x":[1,null]}}'
        assert DECODE[name](later) == value


def test_the_contract_only_grows() -> None:
    released = json.loads(golden.SCHEMA.read_text(encoding="utf-8"))
    assert golden.breaks(released, golden.definitions()) == []


def test_the_additive_rule_sees_each_kind_of_break() -> None:
    old = {
        "Count": {
            "properties": {"line": {"type": "string", "default": "1"}, "at": {"type": "number"}},
            "required": ["at"],
        },
        "Kind": {"properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"]},
    }

    def changed(kind: str, field: str, schema: dict[str, Any] | None, required: list[str] | None = None) -> list[str]:
        new = json.loads(json.dumps(old))
        new[kind]["properties"].pop(field, None)
        if schema is not None:
            new[kind]["properties"][field] = schema
        if required is not None:
            new[kind]["required"] = required
        return golden.breaks(old, new)

    assert golden.breaks(old, old) == []
    assert changed("Count", "new", {"type": "string", "default": ""}) == []
    assert changed("Kind", "kind", {"enum": ["a", "b", "c"]}) == []
    assert changed("Kind", "kind", {"enum": ["a"]})
    assert changed("Count", "line", None) == ["Count.line is gone"]
    assert changed("Count", "at", {"type": "integer"})
    assert changed("Count", "line", {"type": "string", "default": "2"})
    assert changed("Count", "new", {"type": "string"}, ["at", "new"]) == ["Count.new is now required"]
    assert changed("Count", "at", {"type": "number"}, []) == ["Count.at may now be left out"]
    assert golden.breaks(old, {"Count": old["Count"]}) == ["Kind is gone"]
