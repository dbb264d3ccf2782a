"""What the library of Standard Webhooks signs, and with what."""

import base64
from datetime import UTC, datetime, timedelta, timezone

from standardwebhooks import Webhook


def test_a_secret_that_is_no_base64_signs_with_what_is_left_of_it() -> None:
    key = base64.b64decode("abcdefgh")
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)

    assert Webhook("whsec_a b!c.d,e f-g h").sign("1", at, "{}") == Webhook(key).sign("1", at, "{}")


def test_a_time_of_another_zone_is_signed_as_if_it_were_utc() -> None:
    here = datetime(2026, 3, 2, 12, tzinfo=timezone(timedelta(hours=1)))
    hook = Webhook(b"x" * 32)

    assert hook.sign("1", here, "{}") != hook.sign("1", here.astimezone(UTC), "{}")
    assert hook.sign("1", here, "{}") == hook.sign("1", here.replace(tzinfo=UTC), "{}")
