"""What Apprise does with recipients, results and its log."""

import json
from urllib.parse import parse_qs, unquote

import pytest
from apprise import Apprise, AppriseAsset, AppriseResultStatus, NotifyBase

from services.outreach.channels.apprise_url import _read
from tests.support.canary import everything_logged
from tests.support.mail import free_port
from tests.support.receiver import receiving, status


def loaded(url: str) -> NotifyBase:
    service = Apprise.instantiate(url, asset=AppriseAsset(storage_mode="memory"))
    assert service is not None
    return service


@pytest.mark.parametrize("recipient", ["a,b", "a%2Cb", "a%20b"])
def test_a_comma_or_a_blank_makes_two_recipients_although_it_is_quoted(recipient: str) -> None:
    service = loaded(f"ntfys://127.0.0.1/{recipient}")

    assert vars(service)["topics"] == ["a", "b"]
    assert len(service) == 2


def test_a_value_in_the_query_is_unquoted_twice() -> None:
    read = _read("json://127.0.0.1/?:to=a%252Cb")

    assert read is not None
    assert read["payload"] == {"to": "a,b"}


def test_a_recipient_it_cannot_use_is_left_out_and_the_text_goes_to_our_own_number() -> None:
    service = loaded(f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/nobody")
    assert len(service) == 1

    with receiving(status(200)) as provider:
        vars(service)["notify_sms_url"] = f"http://127.0.0.1:{provider.port}/{{sid}}"
        assert service.notify("for nobody")

    (heard,) = provider.requests
    assert parse_qs(heard.body.decode())["To"] == ["+15551234567"]


def test_a_provider_that_refused_and_one_that_was_away_look_alike() -> None:
    with receiving(status(400)) as refusing:
        urls = [f"json://127.0.0.1:{port}/" for port in (refusing.port, free_port())]
        results = [Apprise(url).notify("text") for url in urls]

    assert {result.status for result in results} == {AppriseResultStatus.FAILURE}
    attempts = [attempt for result in results for sent in result for attempt in sent.attempts]
    assert [attempt.status for attempt in attempts] == [AppriseResultStatus.FAILURE] * 2


def test_its_log_tells_passwords_recipients_and_texts() -> None:
    with (
        everything_logged("apprise", "urllib3") as lines,
        receiving(status(500)) as provider,
    ):
        Apprise(f"json://user:secret@127.0.0.1:{provider.port}/%2B4917112345678").notify("text")

    assert json.loads(provider.requests[0].body)["message"] == "text"
    assert all(told in unquote(lines.text) for told in ("secret", "+4917112345678", "text"))
