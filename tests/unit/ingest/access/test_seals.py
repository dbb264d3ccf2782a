"""Signed webhooks: believed with the right secret, near in time, and once."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from services.ingest.access import seals
from services.ingest.access.callers import Denied, Reason
from services.ingest.access.seals import Full, Taken

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEY, OTHER = b"k" * 32, b"o" * 32
BODY = b'{"a": "\xc3\xa4"}'


def headers(
    body: bytes = BODY, key: bytes = KEY, at: datetime = NOW, webhook_id: str = "msg_1"
) -> dict[str, str]:
    """Sign as a publisher does, with the library."""
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(key).sign(webhook_id, at, body.decode()),
    }


def denied(told: dict[str, str], body: bytes = BODY, *secrets: bytes) -> Reason | None:
    try:
        seals.check(seals.seal_in(told, NOW), body, secrets)
    except Denied as error:
        return error.reason
    return None


def test_either_of_two_secrets_is_good_and_another_is_not() -> None:
    assert denied(headers(), BODY, OTHER, KEY) is None
    assert denied(headers(), BODY, OTHER) is Reason.WRONG_SECRET
    assert denied(headers(key=b"\x00" * 24), BODY) is Reason.WRONG_SECRET
    assert denied(headers(), BODY + b" ", KEY) is Reason.WRONG_SECRET
    assert denied(headers() | {"webhook-id": "msg_2"}, BODY, KEY) is Reason.WRONG_SECRET


def test_one_good_signature_among_others_is_enough() -> None:
    good = headers()["webhook-signature"]
    told = headers() | {"webhook-signature": f"v1a,xyz v1,!! {good}"}

    assert denied(told, BODY, KEY) is None
    assert denied(headers() | {"webhook-signature": good.replace("v1", "v2")}, BODY, KEY)


@pytest.mark.parametrize(("seconds", "reason"), [(300, None), (301, Reason.STALE)])
@pytest.mark.parametrize("sign", [1, -1])
def test_five_minutes_either_way(seconds: int, reason: Reason | None, sign: int) -> None:
    assert denied(headers(at=NOW + sign * timedelta(seconds=seconds)), BODY, KEY) is reason


@given(st.dictionaries(st.sampled_from(sorted(headers())), st.text(max_size=40)), st.binary())
def test_no_header_and_no_body_is_an_error_of_ours(told: dict[str, str], body: bytes) -> None:
    assert denied(headers() | told, body, KEY) in set(Reason)


def test_a_webhook_is_taken_once_until_its_time_is_over() -> None:
    taken = Taken()
    seal = seals.seal_in(headers(), NOW)
    taken.take("a", seal, NOW)

    with pytest.raises(Denied, match="replayed"):
        taken.take("a", seal, NOW + timedelta(minutes=5))
    taken.take("b", seal, NOW)
    taken.take("a", seals.seal_in(headers(at=NOW + timedelta(seconds=1)), NOW), NOW)

    later = NOW + timedelta(minutes=6)
    taken.take("c", seals.seal_in(headers(at=later), later), later)
    assert len(taken) == 1


def test_one_whose_body_came_after_its_time_was_over_is_not_taken() -> None:
    """Its head came in time, and by now it is forgotten that it was taken before."""
    taken = Taken()
    seal = seals.seal_in(headers(), NOW + timedelta(minutes=5))
    taken.take("a", seal, NOW)

    with pytest.raises(Denied, match="stale"):
        taken.take("a", seal, NOW + timedelta(minutes=5, seconds=1))


def test_what_came_to_nothing_may_come_again() -> None:
    taken = Taken()
    seal = seals.seal_in(headers(), NOW)
    taken.give_back(taken.take("a", seal, NOW))

    assert taken.take("a", seal, NOW)


def test_where_no_more_can_be_remembered_no_more_is_taken() -> None:
    taken = Taken(most=2)
    for number in range(2):
        taken.take("a", seals.seal_in(headers(webhook_id=str(number)), NOW), NOW)

    with pytest.raises(Full):
        taken.take("a", seals.seal_in(headers(webhook_id="x"), NOW), NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", "k" * 32])
def test_what_is_no_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match=r"whsec_|base64"):
        seals.key_of(secret)


def test_a_secret_holds_its_key() -> None:
    assert seals.key_of("whsec_" + base64.b64encode(KEY).decode()) == KEY
