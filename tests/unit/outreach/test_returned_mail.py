"""What is read of a mail that came back, and of what only looks like one."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.outreach.returned_mail import MAX_BYTES, Kind, Returned, read
from tests.support.returned import STEP, bounce, complaint

NAME = f"<{STEP}@example.com>"


def test_a_hard_bounce_names_our_mail_its_recipient_and_why() -> None:
    found = read(bounce())

    recipients = frozenset({"ada@example.org"})
    assert found == Returned(Kind.HARD, NAME, UUID(STEP), "5.1.1", recipients)
    assert "ada" not in repr(found)


@pytest.mark.parametrize("status", ["4.4.7", "4.2.2"])
def test_what_was_given_up_after_temporary_trouble_is_soft(status: str) -> None:
    found = read(bounce(status=status))

    assert found is not None
    assert (found.kind, found.status) == (Kind.SOFT, status)


def test_the_headers_of_our_mail_are_enough() -> None:
    assert read(bounce(sent_back="text/rfc822-headers")) == read(bounce())


def test_where_it_was_passed_on_the_recipient_we_wrote_to_is_known_too() -> None:
    found = read(bounce(original_recipient="Ada@Example.org", recipient="a.l@elsewhere.example"))

    assert found is not None
    assert found.recipients == {"ada@example.org", "a.l@elsewhere.example"}


def test_a_complaint_names_our_mail() -> None:
    assert read(complaint()) == Returned(Kind.COMPLAINT, NAME, UUID(STEP))


@pytest.mark.parametrize(
    "raw",
    [
        bounce(action="delayed", status="4.4.1"),
        bounce(action="delivered", status="2.1.5"),
        bounce(status="none"),
        bounce(message_id="<not-ours@example.org>"),
        bounce(report_type="disposition-notification"),
        complaint(feedback="not-spam"),
        b"Subject: I am on holiday\r\n\r\nback on Monday",
        b"",
        bounce() + b"x" * MAX_BYTES,
    ],
    ids=lambda raw: f"{len(raw)} bytes",
)
def test_what_says_nothing_for_good_is_no_report(raw: bytes) -> None:
    assert read(raw) is None


@given(st.binary(max_size=400) | st.integers(0, 900).map(lambda end: bounce()[:end]))
def test_whatever_comes_is_read_or_passed_over(raw: bytes) -> None:
    read(raw)
