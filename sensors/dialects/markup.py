"""Payload bytes to a small tree of XML elements. No input is trusted here.

Only local names are kept: makers use several namespaces in one device. Document types and entities are refused, so
that no bomb is unpacked and no file is read.
"""

from typing import Never
from xml.parsers import expat

from msgspec import Struct, field

from flowmon.errors import Undecodable

_DEPTH_MAX = 32
_ELEMENTS_MAX = 20_000


class Element(Struct):
    """One element: its local name, its attributes by local name, its own text, and what it holds."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def all(self, name: str) -> list["Element"]:
        """The children of that name."""
        return [child for child in self.children if child.name == name]

    def said(self, name: str) -> str:
        """The text of the first child of that name, or ""."""
        return next((child.text.strip() for child in self.children if child.name == name), "")


def tree(payload: bytes, root: str, most: int = _ELEMENTS_MAX) -> Element:
    """The document whose outermost element is `root`, of at most `most` elements. Raises Undecodable."""
    top = Element("")
    path = [top]
    size = 0

    def opened(name: str, attributes: dict[str, str]) -> None:
        nonlocal size
        size += 1
        if len(path) > _DEPTH_MAX or size > most:
            raise Undecodable("XML nested too deeply or with too many elements")
        told = Element(_local(name), {_local(key): value for key, value in attributes.items()} if attributes else {})
        if len(path) == 1 and told.name != root:
            raise Undecodable(f"XML of another kind: {told.name[:40]!r}")
        path[-1].children.append(told)
        path.append(told)

    def closed(_: str) -> None:
        path.pop()

    def text(data: str) -> None:
        path[-1].text += data

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = opened, closed, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refused
    parser.SkippedEntityHandler = parser.ExternalEntityRefHandler = _refused
    try:
        parser.Parse(payload, True)  # noqa: FBT003  expat takes no name for it
    except expat.ExpatError as error:
        raise Undecodable(f"not XML: {error}") from None
    return top.children[0]


def _local(name: str) -> str:
    return name.rpartition(":")[2] if ":" in name else name


def _refused(*_: object) -> Never:
    raise Undecodable("XML with a document type or entities is refused")
