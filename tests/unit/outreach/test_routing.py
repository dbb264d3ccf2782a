"""Which ways there are with which settings, where they lead, and files that cannot be used."""

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from services.contracts.people import Channel
from services.kit.clock import SystemClock
from services.outreach.channels.apprise_channel import AppriseChannel, Provider
from services.outreach.channels.apprise_url import PHONE_NUMBER, ProviderUrl
from services.outreach.channels.endings import Delivery, Ending
from services.outreach.channels.outgoing import Outgoing
from services.outreach.routes import AppriseRoute, WebhookRoute
from services.outreach.routing import routes_of
from services.outreach.settings import Settings
from tests.support.receiver import receiving, status
from tests.unit.outreach.factories import outgoing

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
CANARY = "canary-5e1f"
FIELDS = {
    Channel.SMS: ("sms_url_file", "seven://key/{recipient}"),
    Channel.PUSH: ("push_url_file", "ntfys://token@push.example/{recipient}"),
    Channel.CHAT: ("chat_url_file", "tgram://123456789:abcdefg_hijklmnop/{recipient}"),
}


def settings(**changes: Any) -> Settings:
    known = {"database_url": "postgresql://a@b/c", "kafka_bootstrap_servers": "d:1"}
    return Settings(**{**known, **changes})


def hooked(url: str, secrets: Path, **changes: Any) -> Settings:
    own = {"webhook_allowed_networks": "127.0.0.0/8", "webhook_plain_http": True}
    return settings(webhook_url=url, webhook_secrets_file=secrets, **{**own, **changes})


def written(folder: Path, text: str) -> Path:
    file = folder / "secret"
    file.write_text(text)
    return file


class Kept:
    """A channel that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.is_closed = False

    def send(self, message: Outgoing, /) -> Delivery:
        self.sent.append(message)
        return Delivery(Ending.TAKEN)

    def close(self) -> None:
        self.is_closed = True


def test_without_a_word_there_are_mail_and_people() -> None:
    assert set(routes_of(settings())) == {Channel.EMAIL, Channel.HUMAN}


@pytest.mark.parametrize("by", FIELDS)
def test_a_file_with_a_url_adds_its_channel_and_no_other(by: Channel, tmp_path: Path) -> None:
    field, url = FIELDS[by]
    file = written(tmp_path, f"\n{url}\n")

    found = routes_of(settings(**{field: file}))

    assert set(found) == {Channel.EMAIL, Channel.HUMAN, by}
    assert isinstance(found[by], AppriseRoute)
    found[by].close()


def test_a_webhook_goes_to_the_deployments_url_signed_by_every_secret(tmp_path: Path) -> None:
    newer = "whsec_" + base64.b64encode(bytes([1]) * 24).decode()
    now = SystemClock().now()
    with receiving() as other:
        url = f"http://127.0.0.1:{other.port}/hook"
        route = routes_of(hooked(url, written(tmp_path, f"{SECRET}\n\n{newer}\n")))[Channel.WEBHOOK]
        assert route.prepare(outgoing(at=now))() == Delivery(Ending.TAKEN)
        route.close()

    (heard,) = other.requests
    assert heard.path == "/hook"
    for secret in (SECRET, newer):
        Webhook(secret).verify(heard.body, heard.headers)
    assert json.loads(heard.body)["customer_id"] == "c-1"


@pytest.mark.parametrize("networks", ["", "10.0.0.0/8"])
def test_a_webhook_stays_out_of_networks_that_are_not_named(tmp_path: Path, networks: str) -> None:
    made = hooked(
        "https://127.0.0.1/hook",
        written(tmp_path, SECRET),
        webhook_allowed_networks=networks,
        webhook_plain_http=False,
    )

    ended = routes_of(made)[Channel.WEBHOOK].prepare(outgoing())()

    assert ended == Delivery(Ending.REFUSED, "an address of the host is not public")


@pytest.mark.parametrize("is_idempotent", [False, True])
def test_what_was_not_answered_is_repeated_only_where_the_receiver_minds_no_repetition(
    tmp_path: Path, *, is_idempotent: bool
) -> None:
    with receiving(lambda handler, _: handler.connection.close()) as other:
        url = f"http://127.0.0.1:{other.port}/"
        made = hooked(url, written(tmp_path, SECRET), webhook_idempotent=is_idempotent)
        ended = routes_of(made)[Channel.WEBHOOK].prepare(outgoing())()

    assert ended.ending is (Ending.DEFERRED if is_idempotent else Ending.UNKNOWN)


def test_a_webhooks_address_is_put_in_place_of_the_customers_and_nothing_else_changes() -> None:
    channel = Kept()
    route = WebhookRoute(channel, "https://hooks.example.org/")
    attempt = route.prepare(outgoing())
    assert channel.sent == []

    assert attempt() == Delivery(Ending.TAKEN)
    route.close()

    assert channel.sent == [outgoing(recipient="https://hooks.example.org/")]
    assert channel.is_closed


def test_a_text_goes_to_the_address_of_the_profile() -> None:
    number = "+4915112345678"
    with receiving(status(200)) as gateway:
        url = ProviderUrl(
            f"json://127.0.0.1:{gateway.port}/{{recipient}}", PHONE_NUMBER, frozenset({"json"})
        )
        route = AppriseRoute(AppriseChannel(Provider(url)))
        assert route.prepare(outgoing(recipient=number))() == Delivery(Ending.TAKEN)
        route.close()

    assert [heard.path for heard in gateway.requests] == ["/+4915112345678"]


def test_the_urls_of_the_page_about_channels_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/channels.md").read_text()
    shown = re.findall(r"^(\w+://\S+) +# (sms|push|chat|a gateway)", page, re.MULTILINE)
    assert [of for _, of in shown] == ["sms", "push", "chat", "a gateway"]

    for url, of in shown:
        for by in FIELDS if of == "a gateway" else [Channel(of)]:
            assert by in routes_of(settings(**{FIELDS[by][0]: written(tmp_path, url)}))


WRONG_URLS = {
    "": "one line",
    "seven://key/{recipient}\nseven://key/{recipient}": "one line",
    f"jsons://gateway.example/{CANARY}": "{recipient}",
    f"mailto://{CANARY}@example.org/{{recipient}}": "one of these kinds",
    f"jsons://gateway.example/{{recipient}}?{CANARY}=1&retry=3": "leave out retry",
}


@pytest.mark.parametrize(("text", "said"), WRONG_URLS.items())
@pytest.mark.parametrize("by", FIELDS)
def test_a_wrong_url_ends_the_start_with_the_name_of_its_setting_and_no_word_of_it(
    by: Channel, text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    field = FIELDS[by][0]
    refused(settings(**{field: written(tmp_path, text)}), field, said, capsys)


@pytest.mark.parametrize("secret", ["", CANARY, f"{SECRET}\nwhsec_{CANARY}"])
def test_a_wrong_secret_ends_the_start_the_same_way(
    secret: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = hooked("https://hooks.example.org/", written(tmp_path, secret))
    refused(made, "webhook_secrets_file", "secret", capsys)


@pytest.mark.parametrize("field", ["webhook_secrets_file", *(f for f, _ in FIELDS.values())])
def test_a_file_that_cannot_be_read_ends_the_start_with_the_reason(
    field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = {"webhook_url": "https://hooks.example.org/"} if field.startswith("webhook") else {}
    refused(settings(**{field: tmp_path / "none"}, **url), field, "No such file", capsys)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    refused(settings(**{field: tmp_path / "binary"}, **url), field, "no text", capsys)


@pytest.mark.parametrize("text", [None, "", f"{CANARY}\n{CANARY}"])
def test_a_mail_password_that_cannot_be_used_ends_the_start_the_same_way(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "none" if text is None else written(tmp_path, text)
    made = settings(smtp_starttls=True, smtp_username="care", smtp_password_file=file)
    refused(made, "smtp_password_file", "password of the mail server's user", capsys)


def refused(made: Settings, field: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        routes_of(made)

    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert re.match(f"CARE_OUTREACH_{field.upper()}: ", told)
    assert told.count("\n") == 1
    assert said in told
    assert CANARY not in told
