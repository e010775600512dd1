"""The golden files: what the wire looked like when it was released, and the rule of what may change.

A red test here means that recordings, journals, screens or programs of others would stop working. Add a field with
a default instead of changing one. Before the first release, or for a change that is meant and announced:
`python -m tests.contract.golden` writes the files anew; that is a commit of its own, with the reason.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowmon import wire
from flowmon.schema.jsonschema import documents
from tests.contract import samples

FOLDER = Path(__file__).with_name("golden")
SCHEMA = FOLDER / "schema-0.1.json"
VALUES: dict[str, list[Any]] = {
    "facts": [*samples.FACTS],
    "findings": [*samples.FINDINGS],
    "commands": [*samples.COMMANDS],
}


def lines(name: str) -> list[bytes]:
    """The golden lines of `facts`, `findings` or `commands`: one encoded value each."""
    return (FOLDER / f"{name}.jsonl").read_bytes().splitlines()


def definitions(whole: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Type -> schema, of every fact, finding and command."""
    whole = whole or documents()
    kept = {}
    for name in VALUES:
        for kind, schema in whole[f"{name}.schema.json"]["$defs"].items():
            if "properties" in schema:
                kept[kind] = {"properties": schema["properties"], "required": schema["required"]}
    return kept


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Every way in which readers or writers of `old` would stumble over `new`.

    A default is part of the wire, because fields at their default are left out.
    """
    found = []
    for kind, schema in old.items():
        if kind not in new:
            found.append(f"{kind} is gone")
            continue
        properties = new[kind]["properties"]
        for field, was in schema["properties"].items():
            if field not in properties:
                found.append(f"{kind}.{field} is gone")
            elif not _compatible(was, properties[field]):
                found.append(f"{kind}.{field} was {json.dumps(was)}, is {json.dumps(properties[field])}")
        found += [f"{kind}.{field} is now required" for field in set(new[kind]["required"]) - set(schema["required"])]
        found += [
            f"{kind}.{field} may now be left out" for field in set(schema["required"]) - set(new[kind]["required"])
        ]
    return sorted(found)


def _compatible(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Equal, but for new words in an enumeration."""
    words = set(old.get("enum", ())) <= set(new.get("enum", ()))
    return words and {**old, "enum": None} == {**new, "enum": None}


def _write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, values in VALUES.items():
        (FOLDER / f"{name}.jsonl").write_bytes(b"".join(wire.encode(value) + b"\n" for value in values))
    SCHEMA.write_text(json.dumps(definitions(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
