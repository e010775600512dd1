"""What a broken or hostile device may send: any bytes, and JSON that is right in its words and wrong in the rest."""

import json

from hypothesis import strategies as st

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["7", "2026"])


def junk(words: str) -> st.SearchStrategy[bytes]:
    """Payloads made of a family's own `words` (separated by blanks) as names and as values, and of plain bytes."""
    known = st.sampled_from(words.split())
    bodies = st.recursive(
        SCALARS | known,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(known, inner, max_size=6),
        max_leaves=15,
    )
    return st.binary(max_size=60) | bodies.map(lambda body: json.dumps(body).encode())
