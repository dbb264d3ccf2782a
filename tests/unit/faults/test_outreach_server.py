"""The scripted mail server, over real SMTP: it holds its last word as told, and hangs up after a 421."""

import smtplib
import threading

import pytest

from tests.faults.outreach.server import TAKES, MailServer, Script, serving

LETTER = "X-Care-Problem: p-1\r\nX-Care-Step: late/notice\r\nMessage-ID: <1@care>\r\n\r\nHello\r\n"


def send(server: MailServer) -> None:
    with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as client:
        client.sendmail("care@example.org", ["ada@example.org"], LETTER)


def test_a_mail_that_is_held_is_there_and_its_sender_waits_until_it_is_released() -> None:
    with serving(MailServer()) as server:
        held, sender = server.hold_next(), threading.Thread(target=send, args=(server,))
        sender.start()
        mail = held.wait(10)

        assert (mail.problem, mail.step, mail.message_id) == ("p-1", "late/notice", "<1@care>")
        assert server.mails == [mail]
        assert held.peer_port
        assert sender.is_alive()

        held.release()
        sender.join(10)
        assert not sender.is_alive()

        send(server)
        assert len(server.mails) == 2


def test_where_no_mail_comes_nobody_waits_for_ever() -> None:
    with pytest.raises(TimeoutError):
        MailServer().hold_next().wait(0.01)


def test_what_is_not_taken_is_not_there_and_each_attempt_is_counted() -> None:
    scripts = iter(
        (Script(at_recipient="450 no"), Script(after_data="451 no"), Script(at_recipient="421 no"))
    )
    with serving(MailServer(lambda *_: next(scripts, TAKES))) as server:
        for error in (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError):
            with pytest.raises(error):
                send(server)
        with pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPServerDisconnected)):
            send(server)
        assert server.mails == []

        send(server)
        assert len(server.mails) == 1
        assert server.attempts["ada@example.org"] == 4
