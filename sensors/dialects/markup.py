"""Payload bytes to a small tree of XML elements. No input is trusted here.

Only local names are kept: makers use several namespaces in one device. Document types and entities are refused, so that
no bomb is unpacked and no file is read.
"""

import re
from typing import Never
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from flowmon.errors import Undecodable

_DEPTH_MAX = 32
_ELEMENTS_MAX = 20_000
_FEW = 128  # tags of a small document: too few to be deep or many
_PREFIXED = re.compile(rb"<[\w.-]{1,40}:")


def tree(payload: bytes, root: str, most: int = _ELEMENTS_MAX) -> Element:
    """The document whose outermost element is `root`, of at most `most` elements. Raises Undecodable."""
    tags = payload.count(b"<")
    if tags > 2 * most + 16:
        raise _too_large()
    builder = TreeBuilder()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    # expat calls the tree builder itself: no Python runs for an element
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refused
    parser.SkippedEntityHandler = parser.ExternalEntityRefHandler = _refused
    try:
        parser.Parse(payload, True)  # noqa: FBT003  expat takes no name for it
    except expat.ExpatError as error:
        raise Undecodable(f"not XML: {error}") from None
    top = builder.close()
    if tags > _FEW or _PREFIXED.search(payload):
        _localise(top, most)
    if top.tag != root:
        raise Undecodable(f"XML of another kind: {top.tag[:40]!r}")
    return top


def _localise(top: Element, most: int) -> None:
    """Every name without its prefix; a tree that is too deep or too large is refused."""
    size = 0
    level = [top]
    for _ in range(_DEPTH_MAX):
        size += len(level)
        for element in level:
            if ":" in element.tag:
                element.tag = element.tag.rpartition(":")[2]
        level = [child for element in level for child in element]
        if not level:
            break
    if level or size > most:
        raise _too_large()


def _too_large() -> Undecodable:
    return Undecodable("XML nested too deeply or with too many elements")


def _refused(*_: object) -> Never:
    raise Undecodable("XML with a document type or entities is refused")


def said(element: Element, name: str) -> str:
    """The text of the first child of that name, or ""."""
    return (element.findtext(name) or "").strip()
