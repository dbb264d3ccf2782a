"""What every channel promises, asked of the real one over real SMTP and of the fake one alike."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from email.message import EmailMessage, Message

import pytest

from services.outreach.channels.endings import Channel, Delivery, Ending
from services.outreach.channels.smtp import SmtpChannel, SmtpServer, Tls
from tests.support.mail import ENDS, TAKING, FakeChannel, Manner, Sink, free_port, listening
from tests.unit.outreach.factories import mail

TIMEOUT_SECONDS = 0.5
Opened = tuple[Channel[EmailMessage], Sequence[Message]]


@contextmanager
def over_smtp(manner: Manner) -> Iterator[Opened]:
    sink = Sink(lambda _: manner)
    if manner is Manner.AWAY:
        yield open_smtp(free_port()), sink.mails
        return
    with listening(sink):
        channel = open_smtp(sink.port)
        yield channel, sink.mails
        channel.close()


@contextmanager
def pretended(manner: Manner) -> Iterator[Opened]:
    channel = FakeChannel(lambda _: manner)
    yield channel, channel.mails


def open_smtp(port: int, tls: Tls = Tls.NONE) -> SmtpChannel:
    return SmtpChannel(SmtpServer("127.0.0.1", port, tls, TIMEOUT_SECONDS))


@pytest.mark.parametrize("manner", list(Manner))
@pytest.mark.parametrize("opened", [over_smtp, pretended])
def test_each_manner_of_the_other_side_has_its_ending(
    opened: Callable[[Manner], AbstractContextManager[Opened]], manner: Manner
) -> None:
    with opened(manner) as (channel, mails):
        delivery = channel.send(mail())

        assert delivery.ending is ENDS[manner]
        assert len(mails) == (1 if manner in TAKING else 0)
        assert "ada" not in delivery.reason


@pytest.mark.parametrize("manner", list(Manner))
@pytest.mark.parametrize("opened", [over_smtp, pretended])
def test_after_any_ending_the_next_message_is_attempted_afresh(
    opened: Callable[[Manner], AbstractContextManager[Opened]], manner: Manner
) -> None:
    with opened(manner) as (channel, mails):
        endings = [channel.send(mail()).ending for _ in range(2)]

        assert endings == [ENDS[manner]] * 2
        assert len(mails) == (2 if manner in TAKING else 0)


def test_what_is_sent_is_what_arrives() -> None:
    with over_smtp(Manner.TAKES) as (channel, mails):
        channel.send(mail(plain=".a line that begins with a dot\n..\nGrüße"))

        (arrived,) = mails
        plain = next(part for part in arrived.walk() if part.get_content_type() == "text/plain")
        text = plain.get_payload(decode=True)
        assert isinstance(text, bytes)
        assert text.decode().replace("\r\n", "\n").rstrip("\n") == (
            ".a line that begins with a dot\n..\nGrüße"
        )


def test_what_cannot_be_put_into_bytes_is_refused_before_the_server_hears_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise LookupError("unknown encoding")

    with listening(Sink()) as sink:
        channel = open_smtp(sink.port)
        assert channel.send(mail()).ending is Ending.TAKEN
        with monkeypatch.context() as broken:
            broken.setattr(EmailMessage, "as_bytes", fail)
            delivery = channel.send(mail())
        assert channel.send(mail()).ending is Ending.TAKEN
        channel.close()

    assert delivery == Delivery(Ending.REFUSED, "unwritable")
    assert len(sink.mails) == 2


def test_two_mails_share_a_connection_and_a_lost_one_is_opened_anew() -> None:
    with listening(Sink()) as sink:
        channel, port = open_smtp(sink.port), sink.port
        assert channel.send(mail()).ending is Ending.TAKEN
    with listening(sink, port):
        assert channel.send(mail()).ending is Ending.TAKEN
        channel.close()
    assert len(sink.mails) == 2


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_without_the_tls_that_was_asked_for_nothing_is_handed_over(tls: Tls) -> None:
    with listening(Sink()) as sink:
        delivery = open_smtp(sink.port, tls).send(mail())

    assert delivery.ending is Ending.DEFERRED
    assert sink.mails == []


@pytest.mark.parametrize(("smtputf8", "ending"), [(True, Ending.TAKEN), (False, Ending.REFUSED)])
def test_an_address_beyond_ascii_needs_a_server_that_can_write_it(
    smtputf8: bool, ending: Ending
) -> None:
    with listening(Sink(), smtputf8=smtputf8) as sink:
        channel = open_smtp(sink.port)
        delivery = channel.send(mail(recipient="ädä@example.org"))
        afterwards = channel.send(mail())
        channel.close()

    assert delivery.ending is ending
    assert afterwards.ending is Ending.TAKEN


@pytest.mark.parametrize(
    ("answer", "is_about_recipient"),
    [
        ("450 4.7.1 greylisted", True),
        ("451 4.7.1 greylisted", True),
        ("450 4.2.0 greylisted", True),
        ("452 4.2.2 mailbox full", True),
        ("450 try again", True),
        ("451 4.3.0 no disk", False),
        ("450 4.4.1 no route", False),
        ("451 try again", False),
        ("421 4.7.0 too many of you", False),
    ],
)
def test_it_tells_a_recipient_who_is_put_off_from_a_server_in_trouble(
    answer: str, is_about_recipient: bool
) -> None:
    class Answering(Sink):
        async def handle_RCPT(self, *_: object) -> str:  # noqa: N802 - aiosmtpd names it
            return answer

    with listening(Answering()) as sink:
        delivery = open_smtp(sink.port).send(mail())

    assert delivery.ending is Ending.DEFERRED
    assert delivery.about_recipient is is_about_recipient


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("550 5.1.1 no such person", "550 5.1.1"),
        ("550 5.7.139: no", "550 5.7.139"),
        ("550 no 5.1.1 here", "550"),
        ("550 5.1.1ada@example.org is unknown", "550"),
        ("550 5.1.1.ada@example.org is unknown", "550"),
        ("550 127.0.0.1 may not", "550"),
    ],
)
def test_of_an_answer_nothing_but_its_codes_is_kept(answer: str, shown: str) -> None:
    class Answering(Sink):
        async def handle_RCPT(self, *_: object) -> str:  # noqa: N802 - aiosmtpd names it
            return answer

    with listening(Answering()) as sink:
        delivery = open_smtp(sink.port).send(mail())

    assert (delivery.ending, delivery.reason) == (Ending.REFUSED, shown)


def test_who_is_put_off_before_anybody_is_named_is_a_server_in_trouble() -> None:
    with over_smtp(Manner.BUSY_AT_SENDER) as (channel, _):
        assert not channel.send(mail()).about_recipient
