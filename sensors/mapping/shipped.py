"""The mappings that flowmon brings, as dialects by name: read once, when the table of dialects is made."""

from importlib import resources

from sensors.mapping.dialect import Mapped
from sensors.mapping.read import MappingInvalid, parse


def shipped() -> dict[str, Mapped]:
    """Name -> dialect. Raises MappingInvalid for a file of ours with a defect."""
    found: dict[str, Mapped] = {}
    for file in sorted(resources.files("sensors.mappings").iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".toml"):
            continue
        mapped, problems = parse(file.read_bytes(), file.name)
        if mapped is None:
            raise MappingInvalid(problems)
        found[mapped.name] = mapped
    return found
