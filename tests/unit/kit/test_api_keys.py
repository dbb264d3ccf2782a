"""Keys: what they look like, what they open, and how long."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit import api_keys
from services.kit.api_keys import Denial, Key, Keys, TooManyKeys, grants, presented

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def draw(seed: int) -> api_keys.Draw:
    return lambda count: hashlib.shake_256(str((seed, count)).encode()).digest(count)


def made(client: str = "desk", seed: int = 1, not_after: datetime | None = None) -> tuple[Key, str]:
    return api_keys.made(draw(seed), client, ["outreach:read"], not_after)


def test_a_key_opens_and_is_kept_as_its_hash_alone() -> None:
    key, text = made()

    assert Keys([key], NOW).find(text, NOW) == key
    assert text.startswith(f"care_{key.key_id}_")
    secret = text.split("_", 2)[2]
    assert len(secret) >= 43  # 256 bits in base64
    assert key.sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(key)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda text: None, Denial.MISSING),
        (lambda text: "", Denial.MALFORMED),
        (lambda text: text[:-1], Denial.MALFORMED),
        (lambda text: text + "!", Denial.MALFORMED),
        (lambda text: text + "\n", Denial.MALFORMED),
        (lambda text: text.replace("care_", "cart_"), Denial.MALFORMED),
        (lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"), Denial.WRONG_SECRET),
        (lambda text: text + "A", Denial.WRONG_SECRET),
        (lambda text: f"care_{'0' * 16}_{text.split('_', 2)[2]}", Denial.UNKNOWN),
    ],
)
def test_what_is_no_key_opens_nothing(change: object, expected: Denial) -> None:
    key, text = made()

    assert Keys([key], NOW).find(change(text), NOW) is expected  # type: ignore[operator]


def test_a_key_ends_at_its_instant_and_when_it_is_revoked() -> None:
    key, text = made(not_after=NOW)
    revoked = Key(key.key_id, key.client, key.sha256, key.scopes, revoked=True)

    assert Keys([key], NOW).find(text, NOW - HOUR) == key
    assert Keys([key], NOW).find(text, NOW) is Denial.EXPIRED
    assert Keys([revoked], NOW).find(text, NOW) is Denial.REVOKED


def test_who_has_not_the_secret_learns_of_no_ending() -> None:
    key, text = made(not_after=NOW)
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")

    assert Keys([key], NOW).find(wrong, NOW) is Denial.WRONG_SECRET


def test_a_client_has_at_most_two_keys_in_force() -> None:
    first, second, third = (made(seed=seed)[0] for seed in (1, 2, 3))
    ended, _ = made(seed=4, not_after=NOW)
    other, _ = made("else", seed=5)

    assert len(Keys([first, second, ended, other], NOW).all) == 4
    with pytest.raises(TooManyKeys, match="client desk has more than 2"):
        Keys([first, second, third], NOW)
    with pytest.raises(TooManyKeys):
        Keys([first, second, ended], NOW - HOUR)


@pytest.mark.parametrize(
    ("given_", "wanted", "expected"),
    [
        ("outreach:read", "outreach:read", True),
        ("outreach:read", "outreach:act", False),
        ("outreach:read", "outreach:reader", False),
        ("outreach:*", "outreach:act", True),
        ("outreach:*", "outreach", False),
        ("*", "anything", True),
        ("a*c", "abc", False),
        ("publish:care.order.*", "publish:care.order.placed.v1@/shop/orders", True),
    ],
)
def test_a_scope_covers_itself_or_what_begins_like_it(
    given_: str, wanted: str, expected: bool
) -> None:
    assert grants(given_, wanted) is expected


@given(st.text(max_size=80))
def test_no_text_opens_by_chance(text: str) -> None:
    key, _ = made()

    assert isinstance(Keys([key], NOW).find(text, NOW), Denial)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"authorization": "Bearer k"}, "k"),
        ({"authorization": "bearer  k "}, "k"),
        ({"authorization": "Basic k"}, None),
        ({"authorization": "k"}, None),
        ({"x-api-key": "k", "authorization": "Bearer other"}, "k"),
    ],
)
def test_a_key_comes_in_either_header(headers: dict[str, str], expected: str | None) -> None:
    assert presented(headers) == expected
