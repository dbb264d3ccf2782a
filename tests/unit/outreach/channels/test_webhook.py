"""Webhooks: signed, the same id at every attempt, and each way in which they can end."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from services.outreach.channels import webhook
from services.outreach.channels.endings import Delivery, Ending
from services.outreach.channels.outgoing import Outgoing
from services.outreach.channels.safe_http import Answer, Limits, SafeTransport
from services.outreach.channels.webhook import (
    Receiver,
    WebhookChannel,
    WrongSecret,
    retry_after,
)
from tests.support import receiver as side
from tests.support.canary import everything_logged
from tests.support.mail import free_port
from tests.unit.outreach import factories

NOW = datetime(2026, 3, 2, 12, 0, 30, 900_000, tzinfo=UTC)
DAY = timedelta(days=1)
PATIENT_SECONDS = 30.0
OLD, NEW, OTHER = (
    "whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2, 3)
)
TRUSTING = side.trusting()
BOTH = Receiver((NEW, OLD))
CAREFUL = Receiver((OLD,))


def outgoing(recipient: str = "https://receiver.example/", **changes: Any) -> Outgoing:
    german = {
        "subject": "Zu spät",
        "text": "Grüße, Ada",
        "language": "de",
        "html": "<p>Grüße, Ada</p>",
    }
    again = {"attempt": 2, "at": NOW, "use_by": NOW + DAY}
    return factories.outgoing(**(german | again | {"recipient": recipient} | changes))


def channel(
    port: int,
    receiver: Receiver = BOTH,
    seconds: float = PATIENT_SECONDS,
) -> WebhookChannel:
    limits = Limits(
        ports=frozenset({port}),
        networks=(ip_network("127.0.0.0/8"),),
        plain_http=True,
        total_seconds=seconds,
    )
    return WebhookChannel(receiver, SafeTransport(limits, lambda *_: ["127.0.0.1"], TRUSTING))


def send(
    answering: side.Answering,
    receiver: Receiver = CAREFUL,
    seconds: float = PATIENT_SECONDS,
) -> Delivery:
    with side.receiving(answering) as other:
        return channel(other.port, receiver, seconds).send(outgoing(url(other.port)))


def url(port: int) -> str:
    return f"http://receiver.example:{port}/hook?key=canary"


def heard_of(sent: Outgoing, receiver: Receiver = BOTH) -> side.Heard:
    with side.receiving() as other:
        ended = channel(other.port, receiver).send(replace(sent, recipient=url(other.port)))
    assert ended == Delivery(Ending.TAKEN)
    (heard,) = other.requests
    return heard


def test_the_document_says_what_there_is_to_do_and_no_more() -> None:
    heard = heard_of(outgoing())

    assert heard.headers["content-type"] == "application/json"
    assert json.loads(heard.body) == {
        "step_id": str(UUID(int=7)),
        "problem_id": str(UUID(int=8)),
        "playbook": "delivery_late",
        "step": "notice",
        "customer_id": "c-1",
        "language": "de",
        "subject": "Zu spät",
        "text": "Grüße, Ada",
        "attempt": 2,
    }


def test_its_trace_goes_along_where_it_has_one() -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"

    assert heard_of(outgoing(traceparent=trace)).headers["traceparent"] == trace
    assert "traceparent" not in heard_of(outgoing()).headers


def test_the_id_is_the_same_at_every_attempt_and_the_time_is_the_attempts() -> None:
    first = heard_of(outgoing(attempt=1)).headers
    second = heard_of(outgoing(attempt=2, at=NOW + DAY)).headers

    assert first["webhook-id"] == second["webhook-id"] == str(UUID(int=7))
    assert int(first["webhook-timestamp"]) == int(NOW.timestamp())
    assert int(second["webhook-timestamp"]) == int((NOW + DAY).timestamp())
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize("secret", [OLD, NEW])
@pytest.mark.parametrize("hours", [-8, 0, 9])
def test_a_receiver_with_either_secret_can_tell_that_it_was_us(secret: str, hours: int) -> None:
    here = datetime.now(timezone(timedelta(hours=hours)))
    heard = heard_of(outgoing(at=here))

    assert Webhook(secret).verify(heard.body, heard.headers) == json.loads(heard.body)


def test_no_other_secret_and_no_other_text_passes() -> None:
    heard = heard_of(outgoing(at=datetime.now(UTC)))

    for secret, body in ((OTHER, heard.body), (OLD, heard.body.replace(b"Ada", b"Bob"))):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, heard.headers)


def test_each_secret_signs_in_its_turn() -> None:
    signatures = heard_of(outgoing()).headers["webhook-signature"].split(" ")

    assert [signature.partition(",")[0] for signature in signatures] == ["v1", "v1"]
    assert len(set(signatures)) == 2


@given(st.text(alphabet=st.characters(exclude_categories=()), min_size=1))
def test_whatever_the_text_is_it_is_posted_and_signed_or_refused(text: str) -> None:
    sent = outgoing("http://receiver.example/", text=text)
    with pytest.MonkeyPatch.context() as patch:
        posted: list[bytes] = []
        patch.setattr(webhook, "post", pretending(posted))
        ended = channel(1).send(sent)

    if ended == Delivery(Ending.REFUSED, "unwritable"):
        assert posted == []
        assert not can_be_written(text)
    else:
        assert json.loads(posted[0])["text"] == text


def pretending(posted: list[bytes]) -> Callable[..., Answer]:
    def post(_: object, __: str, ___: dict[str, str], content: bytes) -> Answer:
        posted.append(content)
        return Answer(204, httpx.Headers(), b"")

    return post


def can_be_written(text: str) -> bool:
    try:
        text.encode()
    except UnicodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        *((code, Ending.TAKEN) for code in (200, 201, 202, 204, 299)),
        *((code, Ending.DEFERRED) for code in (408, 425, 429, 500, 502, 503, 504, 599)),
        *((code, Ending.REFUSED) for code in (301, 302, 308, 304, 400, 401, 403, 404, 409, 413)),
        (410, Ending.REFUSED),
        (600, Ending.UNKNOWN),
    ],
)
def test_each_status_has_its_ending(code: int, ending: Ending) -> None:
    ended = send(side.status(code))

    assert ended.ending is ending
    assert ended.reason == ("" if ending is Ending.TAKEN else str(code))
    assert ended.gone == (code == 410)
    assert ended.retry_after is None


@pytest.mark.parametrize("code", [408, 425, 429, 503])
def test_how_long_to_wait_is_passed_on(code: int) -> None:
    assert send(side.status(code, retry_after="120")).retry_after == timedelta(minutes=2)


def test_a_wait_without_end_is_cut() -> None:
    patient = Receiver((OLD,), longest_wait=timedelta(hours=1))

    assert send(side.status(429, retry_after="9" * 400), patient).retry_after == timedelta(hours=1)


@pytest.mark.parametrize("code", [204, 404])
def test_a_wait_after_a_last_word_means_nothing(code: int) -> None:
    assert send(side.status(code, retry_after="120")).retry_after is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        (" 0090 ", 90),
        ("86401", 86400),
        ("9" * 5000, 86400),
        (format_datetime(NOW.replace(microsecond=0) + timedelta(hours=1), usegmt=True), 3599.1),
        ("Mon, 02 Mar 2026 11:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
        ("Monday, 02-Mar-26 12:01:30 GMT", 59.1),
        ("Mon Mar  2 12:01:30 2026", 59.1),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("Mon, 99 Mar 2026 11:00:00 GMT", None),
        ("Mon, 02 Mar 99999 11:00:00 GMT", None),
    ],
)
def test_seconds_and_dates_are_read_and_kept_within_bounds(
    text: str, seconds: float | None
) -> None:
    wait = None if seconds is None else timedelta(seconds=seconds)

    assert retry_after(text, NOW, DAY) == wait


@given(st.text())
def test_whatever_is_said_the_wait_is_none_or_within_bounds(text: str) -> None:
    wait = retry_after(text, NOW, DAY)

    assert wait is None or timedelta(0) <= wait <= DAY


IDEMPOTENT = Receiver((OLD,), receiver_is_idempotent=True)
ENDLESS = side.talk_on(b"HTTP/1.1 200 OK\r\n", b"x-drip: 1\r\n")


@pytest.mark.parametrize(
    ("answering", "seconds", "error"),
    [
        (side.hang, 0.3, "ReadTimeout"),
        (ENDLESS, 0.3, "ReadTimeout"),
        (side.break_off, PATIENT_SECONDS, "RemoteProtocolError"),
        (side.say(b"no HTTP at all\r\n\r\n"), PATIENT_SECONDS, "RemoteProtocolError"),
    ],
)
@pytest.mark.parametrize(
    ("receiver", "ending"), [(CAREFUL, Ending.UNKNOWN), (IDEMPOTENT, Ending.DEFERRED)]
)
def test_what_was_asked_and_not_answered_is_repeated_only_to_whom_it_does_not_matter(
    answering: side.Answering, seconds: float, error: str, receiver: Receiver, ending: Ending
) -> None:
    ended = send(answering, receiver, seconds)

    assert ended == Delivery(ending, f"after the request: {error}")


@pytest.mark.parametrize("receiver", [CAREFUL, IDEMPOTENT])
def test_what_was_not_asked_may_be_asked_later(receiver: Receiver) -> None:
    port = free_port()
    with side.receiving(tls=True) as other:
        mistaken = channel(other.port, receiver).send(
            outgoing(f"https://other.example:{other.port}/")
        )

    assert channel(port, receiver).send(outgoing(url(port))) == Delivery(
        Ending.DEFERRED, "ConnectError"
    )
    assert mistaken == Delivery(Ending.DEFERRED, "ConnectError")


def test_a_status_counts_although_the_rest_of_the_answer_never_comes() -> None:
    broken = side.say(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab")

    assert send(broken) == Delivery(Ending.TAKEN)


@pytest.mark.parametrize(
    ("recipient", "reason"),
    [
        ("", "not https"),
        ("canary", "not https"),
        ("mailto:canary@example.org", "not https"),
        ("https://canary@receiver.example/", "credentials in the URL"),
        ("https://canary.example:99999/", "a port that is not allowed"),
        ("https://[canary:x/", "not a URL"),
        ("https://xn--canary-\udcff/", "not a URL"),
        ("https://10.0.0.1:1/canary", "an address of the host is not public"),
    ],
)
def test_a_url_that_may_not_be_called_is_refused_without_being_named(
    recipient: str, reason: str
) -> None:
    limits = Limits(ports=frozenset({443, 1}))
    refusing = WebhookChannel(
        Receiver((OLD,)), SafeTransport(limits, lambda host, _: [host], TRUSTING)
    )

    assert refusing.send(outgoing(recipient)) == Delivery(Ending.REFUSED, reason)


@pytest.mark.parametrize(
    "secret",
    [
        *("", "whsec_", OLD.removeprefix("whsec_"), "canary horse battery staple"),
        "whsec_correct horse battery staple, and some more of it",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "whsec_" + base64.b64encode(b"x" * 32).decode() + "\n",
    ],
)
def test_a_secret_that_is_none_is_noticed_at_once_and_not_repeated(secret: str) -> None:
    with pytest.raises(WrongSecret) as wrong:
        channel(1, Receiver((OLD, secret)))
    assert str(wrong.value) == "a webhook secret is `whsec_` and 24 to 64 bytes in base64"


def test_without_a_secret_nothing_is_sent() -> None:
    with pytest.raises(WrongSecret):
        channel(1, Receiver(()))


def test_an_unpadded_secret_is_the_same_secret() -> None:
    padded, bare = (
        heard_of(outgoing(), Receiver((secret,))).headers["webhook-signature"]
        for secret in (OLD, OLD.rstrip("="))
    )

    assert OLD.endswith("=")
    assert padded == bare


def test_nothing_personal_shows(capfd: pytest.CaptureFixture[str]) -> None:
    personal = outgoing(text="canary", subject="canary")
    with everything_logged("httpcore", "httpx") as lines, side.receiving(side.status(500)) as other:
        ended = channel(other.port).send(replace(personal, recipient=url(other.port)))

    assert ended.reason == "500"
    written = capfd.readouterr()
    assert (lines.text, written.out, written.err) == ("", "", "")
    assert "canary" not in repr(replace(personal, recipient=url(1), html="canary"))
    assert OLD not in repr(Receiver((OLD,)))


def test_a_line_of_the_client_would_show() -> None:
    with everything_logged("httpcore", "httpx") as lines, side.receiving() as other:
        httpx.post(url(other.port).replace("receiver.example", "127.0.0.1"), trust_env=False)

    assert "canary" in lines.text
