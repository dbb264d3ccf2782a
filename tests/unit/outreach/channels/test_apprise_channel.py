"""SMS, chat and push: one request for one recipient, and a cautious word about what came of it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import apprise
import pytest

from services.outreach.channels.apprise_channel import AppriseChannel, Provider
from services.outreach.channels.apprise_url import (
    PHONE_NUMBER,
    ProviderUrl,
    WrongProvider,
    _kinds,
)
from services.outreach.channels.endings import Delivery, Ending
from services.outreach.channels.outgoing import Outgoing
from tests.support.canary import everything_logged
from tests.support.mail import free_port
from tests.support.receiver import Answering, break_off, hang, receiving, status
from tests.unit.outreach import factories

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NUMBER = "+4917112345678"
LOGGERS = ("apprise", "urllib3", "requests")


def outgoing(recipient: str = NUMBER, **changes: Any) -> Outgoing:
    german = {
        "subject": "Zu spät",
        "text": "Grüße & <b>mehr</b> :smile: \\n",
        "language": "de",
        "html": "<p>Grüße</p>",
    }
    return factories.outgoing(**(german | {"recipient": recipient} | changes))


def provider(
    port: int,
    path: str = "/sms/{recipient}",
    recipients: re.Pattern[str] = PHONE_NUMBER,
    **changes: Any,
) -> Provider:
    url = ProviderUrl(f"json://127.0.0.1:{port}{path}", recipients, frozenset({"json"}))
    return replace(Provider(url), **changes)


def send(answering: Answering, sent: Outgoing | None = None, **changes: Any) -> Delivery:
    with receiving(answering) as gateway:
        channel = AppriseChannel(provider(gateway.port, **changes))
        ended = channel.send(sent or outgoing())
        channel.close()
    return ended


@contextmanager
def counted(answering: Answering) -> Iterator[tuple[AppriseChannel, list[Any]]]:
    with receiving(answering) as gateway:
        yield AppriseChannel(provider(gateway.port)), gateway.requests


def test_one_plain_text_goes_to_one_recipient() -> None:
    with counted(status(200)) as (channel, requests):
        assert channel.send(outgoing()) == Delivery(Ending.TAKEN)

    (heard,) = requests
    document = json.loads(heard.body)
    assert unquote(heard.path) == f"/sms/{NUMBER}"
    assert document["message"] == outgoing().text
    assert document["title"] == ""
    assert document["attachments"] == []
    assert heard.headers["user-agent"] == "Care"


def test_a_subject_goes_along_where_it_is_wanted() -> None:
    with receiving(status(200)) as gateway:
        ended = AppriseChannel(provider(gateway.port, with_subject=True)).send(outgoing())

    assert ended == Delivery(Ending.TAKEN)
    assert json.loads(gateway.requests[0].body)["title"] == "Zu spät"


def test_a_long_text_stays_one_message() -> None:
    long = "word " * 20_000
    with counted(status(200)) as (channel, requests):
        assert channel.send(outgoing(text=long)).ending is Ending.TAKEN

    (heard,) = requests
    assert json.loads(heard.body)["message"] == long.rstrip()


@pytest.mark.parametrize("code", [400, 401, 404, 429, 500, 503])
def test_what_was_not_taken_is_unknown_and_was_asked_once(code: int) -> None:
    with counted(status(code)) as (channel, requests):
        assert channel.send(outgoing()) == Delivery(Ending.UNKNOWN, "not taken")

    assert len(requests) == 1


@pytest.mark.parametrize("code", [307, 308])
def test_no_redirect_is_followed(code: int) -> None:
    with receiving(status(200)) as elsewhere:
        there = f"http://127.0.0.1:{elsewhere.port}/"
        ended = send(status(code, location=there))

    assert ended == Delivery(Ending.UNKNOWN, "not taken")
    assert elsewhere.requests == []


@pytest.mark.parametrize("answering", [break_off, status(500)])
def test_a_provider_whose_failures_never_arrive_may_be_asked_again(answering: Answering) -> None:
    assert send(answering) == Delivery(Ending.UNKNOWN, "not taken")
    assert send(answering, failure_is_undelivered=True) == Delivery(Ending.DEFERRED, "not taken")


def test_a_provider_that_is_away_looks_like_one_that_refused() -> None:
    away = AppriseChannel(provider(free_port()))

    assert away.send(outgoing()) == Delivery(Ending.UNKNOWN, "not taken")


@pytest.mark.parametrize("surely", [True, False])
def test_nobody_waits_longer_than_the_limit_and_then_nobody_knows(surely: bool) -> None:
    ended = send(hang, total_seconds=0.2, failure_is_undelivered=surely)

    assert ended == Delivery(Ending.UNKNOWN, "no answer in time")


@pytest.mark.parametrize(
    "recipient", ["", "canary", "4917112345678", "+49 171", f"{NUMBER},{NUMBER}"]
)
def test_what_is_no_recipient_is_refused_unasked(recipient: str) -> None:
    with counted(status(200)) as (channel, requests):
        ended = channel.send(outgoing(recipient))

    assert ended == Delivery(Ending.REFUSED, "not a recipient of this channel")
    assert requests == []


TWILIO = f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/{{recipient}}"
NTFY = "ntfys://127.0.0.1/{recipient}"


@pytest.mark.parametrize(
    ("url", "recipients"),
    [
        # It would leave them out, and write to its own number.
        (TWILIO, re.compile("[a-z]+")),
        # It has one of its own already.
        (NTFY + "/another", re.compile("[a-z]+")),
        (NTFY + "?to=another", re.compile("[a-z]+")),
    ],
)
def test_a_provider_that_would_reach_nobody_or_others_is_not_asked(
    url: str, recipients: re.Pattern[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("nobody may be asked")

    monkeypatch.setattr(apprise.Apprise, "notify", never)

    ended = AppriseChannel(Provider(ProviderUrl(url, recipients))).send(outgoing("canary"))

    assert ended == Delivery(Ending.REFUSED, "the provider has no such recipient")


@pytest.mark.parametrize("text", ["", " \n", "\udcff"])
def test_what_cannot_be_written_is_refused_unasked(text: str) -> None:
    with counted(status(200)) as (channel, requests):
        assert channel.send(outgoing(text=text)) == Delivery(Ending.REFUSED, "unwritable")
    assert requests == []


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (TypeError("canary"), Delivery(Ending.REFUSED, "TypeError")),
        (OSError("canary"), Delivery(Ending.DEFERRED, "before sending: OSError")),
        (ImportError("canary"), Delivery(Ending.DEFERRED, "before sending: ImportError")),
    ],
)
def test_what_fails_before_anything_is_sent_is_told_without_its_words(
    error: Exception, ended: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(apprise.Apprise, "instantiate", fail)

    assert AppriseChannel(provider(1)).send(outgoing()) == ended


def test_a_provider_that_fails_in_the_middle_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> bool:
        raise LookupError("canary")

    monkeypatch.setattr(_kinds()["json"], "send", fail)

    assert AppriseChannel(provider(1)).send(outgoing()) == Delivery(Ending.UNKNOWN, "not taken")


def test_no_line_and_no_file_tells_of_anybody(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with everything_logged(*LOGGERS) as lines:
        for answering in (status(200), status(500), break_off):
            send(answering, outgoing(text="canary", subject="canary"))
        AppriseChannel(provider(free_port())).send(outgoing(text="canary"))
        with pytest.raises(WrongProvider):
            ProviderUrl("json:///{recipient}?:key=canary", schemas=frozenset({"json"}))

    written = capfd.readouterr()
    assert (lines.text, written.out, written.err) == ("", "", "")
    assert list(tmp_path.iterdir()) == []


def test_the_librarys_own_lines_would_tell() -> None:
    with everything_logged(*LOGGERS) as lines, receiving(status(500)) as gateway:
        url = f"json://127.0.0.1:{gateway.port}/sms/%2B4917112345678"
        apprise.Apprise(url).notify("canary")

    assert NUMBER in unquote(lines.text)
    assert "canary" in lines.text
