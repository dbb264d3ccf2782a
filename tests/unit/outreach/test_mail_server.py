"""A mail server that asks who we are, over real SMTP and TLS: who is let in, and what it means not to be."""

from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from services.kit.exits import Unavailable
from services.kit.watched_file import WatchedFile
from services.outreach.channels.breaker import Breaker, Phase
from services.outreach.channels.endings import Delivery, Ending
from services.outreach.channels.smtp import SmtpChannel, Tls
from services.outreach.mail_server import server_of
from services.outreach.settings import Settings
from tests.factories import START
from tests.support.mail import Sink, listening
from tests.support.relay import PASSWORD, USER, Relay, relaying, vouching
from tests.unit.outreach.factories import mail

BOTH = [Tls.STARTTLS, Tls.IMPLICIT]
TAKEN = Delivery(Ending.TAKEN)
OLD = "0ld-horse"


class Client:
    """Our side: its files, its settings and a channel."""

    def __init__(self, folder: Path) -> None:
        self.password, self.authorities = folder / "smtp-password", vouching(folder)
        self.password.write_text(f"{PASSWORD}\n")
        self.files: list[WatchedFile[Any]] = []
        self.told: dict[str, Any] = {
            "smtp_username": USER,
            "smtp_password_file": self.password,
            "smtp_ca_file": self.authorities,
        }

    def settings(self, port: int, tls: Tls) -> Settings:
        return Settings(
            database_url="postgresql:///c",
            kafka_bootstrap_servers="d:1",
            smtp_port=port,
            smtp_starttls=tls is Tls.STARTTLS,
            smtp_implicit_tls=tls is Tls.IMPLICIT,
            smtp_timeout_seconds=10,
            **self.told,
        )

    def channel(self, relay: Sink, tls: Tls) -> SmtpChannel:
        return SmtpChannel(server_of(self.settings(relay.port, tls), self.files.append))

    def send(self, relay: Sink, tls: Tls, message: EmailMessage | None = None) -> Delivery:
        """Return how a mail ends on a connection of its own."""
        channel = self.channel(relay, tls)
        delivery = channel.send(message or mail())
        channel.close()
        return delivery


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


@pytest.mark.parametrize("tls", BOTH)
def test_who_shows_the_password_is_let_in_once_a_connection(client: Client, tls: Tls) -> None:
    with relaying(Relay(), tls) as relay:
        channel = client.channel(relay, tls)
        assert [channel.send(mail()) for _ in range(2)] == [TAKEN, TAKEN]
        channel.close()

    assert relay.shown == [("PLAIN", USER, PASSWORD)]
    assert len(relay.mails) == 2


@pytest.mark.parametrize("offers", ["AUTH LOGIN", "AUTH=LOGIN", "auth login CRAM-MD5"])
def test_where_there_is_no_plain_it_logs_in_the_other_way(client: Client, offers: str) -> None:
    with relaying(Relay(offers=offers), Tls.STARTTLS) as relay:
        assert client.send(relay, Tls.STARTTLS) == TAKEN

    assert relay.shown == [("LOGIN", USER, PASSWORD)]


@pytest.mark.parametrize("tls", BOTH)
def test_a_wrong_password_is_shown_once_and_says_nothing_about_the_recipient(
    client: Client, tls: Tls
) -> None:
    client.password.write_text(OLD)
    with capture_logs() as lines, relaying(Relay(), tls) as relay:
        delivery = client.send(relay, tls)

    assert delivery == Delivery(Ending.DEFERRED, "535 5.7.8")
    assert relay.shown == [("PLAIN", USER, OLD)]
    assert relay.mails == []
    assert OLD not in str(lines)


def test_a_password_that_is_right_by_then_lets_in_without_a_restart(client: Client) -> None:
    client.password.write_text(OLD)
    with relaying(Relay(), Tls.STARTTLS) as relay:
        channel = client.channel(relay, Tls.STARTTLS)
        assert channel.send(mail()).ending is Ending.DEFERRED
        client.password.write_text(PASSWORD)
        assert channel.send(mail()) == TAKEN
        channel.close()

    assert [password for _, _, password in relay.shown] == [OLD, PASSWORD]
    assert len(relay.mails) == 1


def test_a_connection_that_is_open_outlives_a_new_password_and_the_next_shows_it(
    client: Client,
) -> None:
    with relaying(Relay(), Tls.STARTTLS) as relay:
        channel, port = client.channel(relay, Tls.STARTTLS), relay.port
        assert channel.send(mail()) == TAKEN
        relay.password = "n3w-horse"
        client.password.write_text("n3w-horse")
        assert channel.send(mail()) == TAKEN
    with relaying(relay, Tls.STARTTLS, port):
        assert channel.send(mail()) == TAKEN
        channel.close()

    assert [password for _, _, password in relay.shown] == [PASSWORD, "n3w-horse"]


@pytest.mark.parametrize("offers", ["", "AUTH XOAUTH2 CRAM-MD5"])
def test_where_no_way_in_is_offered_the_password_stays_here(client: Client, offers: str) -> None:
    with relaying(Relay(offers=offers), Tls.STARTTLS) as relay:
        delivery = client.send(relay, Tls.STARTTLS)

    assert delivery.ending is Ending.DEFERRED
    assert delivery.reason == "the server offers neither AUTH PLAIN nor AUTH LOGIN"
    assert relay.shown == []


@pytest.mark.parametrize("tls", BOTH)
def test_to_a_server_nobody_vouches_for_nothing_is_shown(client: Client, tls: Tls) -> None:
    del client.told["smtp_ca_file"]
    with relaying(Relay(), tls) as relay:
        delivery = client.send(relay, tls)

    assert delivery == Delivery(Ending.DEFERRED, "SSLCertVerificationError")
    assert (relay.shown, relay.mails) == ([], [])


@pytest.mark.parametrize("tls", BOTH)
def test_to_a_server_of_another_name_nothing_is_shown(client: Client, tls: Tls) -> None:
    client.told["smtp_host"] = "localhost"
    with relaying(Relay(host="127.0.0.1"), tls) as relay:
        delivery = client.send(relay, tls)

    assert delivery == Delivery(Ending.DEFERRED, "SSLCertVerificationError")
    assert relay.shown == []


def test_an_authority_that_is_there_by_then_is_believed(client: Client) -> None:
    right = client.authorities.read_bytes()
    client.authorities.write_bytes(trustme.CA().cert_pem.bytes())
    with relaying(Relay(), Tls.IMPLICIT) as relay:
        channel = client.channel(relay, Tls.IMPLICIT)
        assert channel.send(mail()).ending is Ending.DEFERRED
        client.authorities.write_bytes(right)
        assert channel.send(mail()) == TAKEN
        channel.close()


def test_without_a_user_who_is_asked_for_one_has_not_been_refused(client: Client) -> None:
    del client.told["smtp_username"], client.told["smtp_password_file"]
    with relaying(Relay(), Tls.STARTTLS) as relay:
        assert client.send(relay, Tls.STARTTLS) == Delivery(Ending.DEFERRED, "530 5.7.0")

    assert relay.shown == []


def answering(step: str, answer: str) -> Sink:
    """Return a server that gives this answer to MAIL, to RCPT or to the mail itself, and else is well."""

    async def handle(*_: object) -> str:
        return answer

    sink = Sink()
    setattr(sink, f"handle_{step}", handle)
    return sink


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("530 5.7.0 log in first, ada", "530 5.7.0"),
        ("530 5.7.57 not authenticated to send mail", "530 5.7.57"),
        ("534 5.7.9 mechanism is too weak", "534 5.7.9"),
        ("535 who are you", "535"),
        ("538 5.7.11 encryption required", "538 5.7.11"),
    ],
)
def test_not_to_be_let_in_is_the_servers_trouble_wherever_it_says_so(
    step: str, answer: str, shown: str, client: Client
) -> None:
    client.told.clear()
    with listening(answering(step, answer)) as sink:
        delivery = client.send(sink, Tls.NONE)

    assert delivery == Delivery(Ending.DEFERRED, shown)
    provider = Breaker()
    for _ in range(5):
        provider = provider.ended(delivery, START)
    assert provider.phase(START) is Phase.OPEN


@pytest.mark.parametrize("step", ["RCPT", "DATA"])
def test_what_is_refused_for_another_reason_stays_refused(step: str, client: Client) -> None:
    client.told.clear()
    with listening(answering(step, "554 5.7.1 relay access denied")) as sink:
        assert client.send(sink, Tls.NONE).ending is Ending.REFUSED


def test_a_sender_that_is_refused_is_put_right_before_any_mail_is_given_up(client: Client) -> None:
    client.told.clear()
    with listening(answering("MAIL", "550 5.1.8 unknown sender")) as sink:
        delivery = client.send(sink, Tls.NONE)

    assert delivery == Delivery(Ending.DEFERRED, "550 5.1.8")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("550 5.6.7 not in this alphabet", Delivery(Ending.REFUSED, "550 5.6.7")),
        ("553 5.6.9 not this header", Delivery(Ending.REFUSED, "553 5.6.9")),
        ("555 no such parameter", Delivery(Ending.REFUSED, "555")),
        ("550 5.1.8 unknown sender", Delivery(Ending.DEFERRED, "550 5.1.8")),
        ("550 not from here", Delivery(Ending.DEFERRED, "550")),
    ],
)
def test_an_address_beyond_ascii_is_refused_where_that_is_why(
    answer: str, told: Delivery, client: Client
) -> None:
    """It is MAIL that asks for SMTPUTF8, and the recipient's address for which it asks."""
    client.told.clear()
    with listening(answering("MAIL", answer)) as sink:
        assert client.send(sink, Tls.NONE, mail("jürgen@example.com")) == told


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("MAIL", "530 5.7.0 log in again"),
        ("DATA", "530 5.7.0 log in again"),
        ("MAIL", "550 5.7.0 not on this connection"),
    ],
)
def test_who_is_not_let_in_any_more_comes_back_on_another_connection(
    step: str, answer: str, client: Client
) -> None:
    class Forgetful(Relay):
        is_well = False

    relay = Forgetful()
    well = getattr(relay, f"handle_{step}")

    async def handle(*given: Any) -> str:
        return await well(*given) if relay.is_well else answer

    setattr(relay, f"handle_{step}", handle)
    with relaying(relay, Tls.STARTTLS):
        channel = client.channel(relay, Tls.STARTTLS)
        assert channel.send(mail()) == Delivery(Ending.DEFERRED, answer[:9])
        relay.is_well = True
        assert channel.send(mail()) == TAKEN
        channel.close()

    assert len(relay.shown) == 2


def test_who_is_shown_the_door_still_knows_why(client: Client) -> None:
    class Slamming(Relay):
        async def handle_AUTH(self, server: Any, *_: object) -> None:  # noqa: N802
            await server.push("535 5.7.139 locked out")
            server.transport.close()

    with relaying(Slamming(), Tls.STARTTLS) as relay:
        delivery = client.send(relay, Tls.STARTTLS)

    assert delivery == Delivery(Ending.DEFERRED, "535 5.7.139")


@pytest.mark.parametrize("challenge", ["334 \x80=", "334 A", "334 " + "A" * 300])
def test_a_challenge_that_makes_no_sense_says_nothing_about_the_recipient(
    client: Client, challenge: str
) -> None:
    class Puzzling(Relay):
        async def handle_AUTH(self, server: Any, *_: object) -> str:  # noqa: N802
            return challenge

    with relaying(Puzzling(offers="AUTH LOGIN"), Tls.STARTTLS) as relay:
        assert client.send(relay, Tls.STARTTLS).ending is Ending.DEFERRED


def test_both_files_are_read_again_and_watched(client: Client) -> None:
    server_of(client.settings(25, Tls.STARTTLS), client.files.append)
    password, authorities = client.files
    assert (password.called, authorities.called) == ("smtp_password", "smtp_authorities")

    client.password.write_text("")
    client.authorities.write_text("no certificate")

    with capture_logs() as lines:
        assert password.is_at_fault()
        assert authorities.is_at_fault()
    assert password.current() == PASSWORD
    assert PASSWORD not in str(lines)


Breaking = Callable[[Client], object]


@pytest.mark.parametrize(
    ("breaking", "setting"),
    [
        (lambda c: c.password.unlink(), "PASSWORD_FILE"),
        (lambda c: c.password.write_text("\n"), "PASSWORD_FILE"),
        (lambda c: c.password.write_text("canary\ncanary"), "PASSWORD_FILE"),
        (lambda c: c.password.write_text("canary-ü"), "PASSWORD_FILE"),
        (lambda c: c.password.write_text("canary\0"), "PASSWORD_FILE"),
        (lambda c: c.authorities.unlink(), "CA_FILE"),
        (lambda c: c.authorities.write_text("canary"), "CA_FILE"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_by_its_setting_and_no_word_of_it(
    client: Client, breaking: Breaking, setting: str
) -> None:
    breaking(client)

    with pytest.raises(Unavailable, match=f"^CARE_OUTREACH_SMTP_{setting}: /") as told:
        server_of(client.settings(25, Tls.STARTTLS), client.files.append)

    assert "canary" not in str(told.value)


def test_nobody_reads_the_password_off_the_server(client: Client) -> None:
    server = server_of(client.settings(25, Tls.STARTTLS), client.files.append)

    assert PASSWORD not in repr(server)
    assert server.login is not None
    assert server.login.password() == PASSWORD
