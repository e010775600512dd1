"""Beacon tokens and how long their keys live."""

from datetime import UTC, datetime

import pytest

from flowmon.venue.model import Privacy
from sensors import tokens
from sensors.keys import Keys
from tests.small import venue


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_token_needs_its_key_and_hides_its_beacon() -> None:
    one, other = tokens.token(b"k" * 32, "iBeacon:1-2-3"), tokens.token(b"l" * 32, "iBeacon:1-2-3")
    assert one != other
    assert tokens.is_token(one)
    assert tokens.token(b"k" * 32, "ibeacon:1-2-3") == one
    assert tokens.token(b"k" * 32, one) != one


@pytest.mark.parametrize(
    ("mode", "earlier", "later", "same"),
    [
        ("pseudo-24h", "2026-05-02T08:00", "2026-05-03T01:59", True),  # 03:59 in Paris: still the same night
        ("pseudo-24h", "2026-05-02T08:00", "2026-05-03T02:01", False),
        ("anon-5min", "2026-05-02T08:00", "2026-05-02T08:04", True),
        ("anon-5min", "2026-05-02T08:04", "2026-05-02T08:05", False),
        ("consent", "2026-05-02T08:00", "2027-05-02T08:00", True),
    ],
)
@pytest.mark.parametrize("secret", ["", "s3cret"])
def test_a_key_lives_as_long_as_the_privacy_mode_says(
    mode: str, earlier: str, later: str, same: bool, secret: str
) -> None:
    museum = venue(privacy=Privacy(mode=mode))  # type: ignore[arg-type]
    keys = Keys(secret)
    assert (keys.at(museum, at(earlier)) == keys.at(museum, at(later))) is same


def test_a_secret_makes_gateways_agree_and_none_keeps_them_apart() -> None:
    museum, now = venue(), at("2026-05-02T08:00")
    assert Keys("s3cret").at(museum, now) == Keys("s3cret").at(museum, now)
    assert Keys().at(museum, now) != Keys().at(museum, now)
    assert Keys("s3cret").at(museum, now) != Keys("s3cret").at(venue(id="annex"), now)


def test_a_key_without_a_secret_is_gone_after_its_period() -> None:
    museum, keys = venue(), Keys()
    first = keys.at(museum, at("2026-05-02T08:00"))
    keys.at(museum, at("2026-05-03T08:00"))
    assert keys.at(museum, at("2026-05-02T08:00")) != first
