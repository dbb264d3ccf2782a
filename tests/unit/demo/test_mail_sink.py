"""The mail sink keeps what it took, says when it came, and counts what came twice."""

import gc
import json
import smtplib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from services.demo.mail_sink import MailSink
from services.demo.tally import tally
from services.shop.timeline import Mail

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[MailSink]:
    running = MailSink(tmp_path / "mails", now=NOON).start()
    yield running
    running.close()


def mail(problem: str | None = "p-1", step: str | None = "late/notice") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "care@shop.example", "c-1@people.example"
    if problem:
        message["X-Care-Problem"] = problem
    if step:
        message["X-Care-Step"] = step
    message.set_content("Your parcel is late.")
    return message


def deliver(sink: MailSink, *messages: EmailMessage) -> None:
    with smtplib.SMTP(*sink.address, timeout=5) as client:
        for message in messages:
            client.send_message(message)


def test_one_mail_delivered_twice_is_counted_as_double(sink: MailSink) -> None:
    deliver(sink, mail(), mail())
    assert (tally(sink.mails).sent, tally(sink.mails).double) == (1, 1)


def test_two_steps_of_one_problem_are_two_mails(sink: MailSink) -> None:
    deliver(sink, mail(), mail(step="late/follow-up"), mail(problem="p-2"))
    assert (tally(sink.mails).sent, tally(sink.mails).double) == (3, 0)


def test_a_mail_without_the_headers_is_shown_apart(sink: MailSink) -> None:
    deliver(sink, mail(problem=None), mail(step=None), mail())
    found = tally(sink.mails)
    assert (found.sent, found.double, found.unlabelled) == (1, 0, 2)


def test_a_mail_arrives_at_the_simulated_time(sink: MailSink) -> None:
    deliver(sink, mail())
    assert sink.collect() == [Mail("p-1", "late/notice", "c-1@people.example", NOON)]
    later = NOON.replace(hour=18)
    sink.set_time(later)
    deliver(sink, mail(problem="p-2"))
    assert [m.arrived_at for m in sink.collect()] == [later]
    assert sink.collect() == []


def test_what_is_collected_has_an_order_no_race_changes(sink: MailSink) -> None:
    deliver(sink, mail(problem="p-3"), mail(problem="p-1"), mail(problem="p-2"))
    assert [m.problem_id for m in sink.collect()] == ["p-1", "p-2", "p-3"]


def test_mails_are_kept_as_files(sink: MailSink, tmp_path: Path) -> None:
    deliver(sink, mail())
    lines = (tmp_path / "mails" / "mails.jsonl").read_text().splitlines()
    assert [json.loads(line)["problem"] for line in lines] == ["p-1"]
    assert b"Your parcel is late." in (tmp_path / "mails" / "00001.eml").read_bytes()


def test_nobody_gets_an_answer_while_the_sink_is_held_up(sink: MailSink) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def hold(_: Mail) -> None:
        reached.set()
        go_on.wait(5)

    sink.before_answer = hold
    sender = threading.Thread(target=deliver, args=(sink, mail()))
    sender.start()
    assert reached.wait(5)
    assert sender.is_alive()
    assert sink.mails == []
    go_on.set()
    sender.join(5)
    assert len(sink.mails) == 1


def test_a_sender_that_died_before_the_answer_has_sent(sink: MailSink) -> None:
    client = smtplib.SMTP(*sink.address, timeout=5)
    client.ehlo()
    client.mail("care@shop.example")
    client.rcpt("c-1@people.example")
    client.docmd("DATA")

    def hang_up(_: Mail) -> None:
        client.close()

    sink.before_answer = hang_up
    client.send(mail().as_bytes().replace(b"\n", b"\r\n") + b"\r\n.\r\n")
    deadline = threading.Event()
    for _ in range(100):
        if sink.mails or deadline.wait(0.02):
            break
    assert len(sink.mails) == 1


def test_a_sender_that_keeps_its_line_open_is_hung_up_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = MailSink(tmp_path / "kept").start()
    with smtplib.SMTP(*running.address, timeout=5) as client:
        client.noop()
        running.close()
        gc.collect()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.noop()
    assert "Task was destroyed" not in caplog.text
