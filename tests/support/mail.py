"""A real SMTP server that takes mail, or misbehaves as told; and a channel that only pretends."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from enum import StrEnum
from typing import Any

from aiosmtpd.controller import Controller

from services.outreach.channels.endings import Delivery, Ending

MISSING = "550 5.1.1 <ada@example.org> no such person"


class Manner(StrEnum):
    """How the other side behaves."""

    TAKES = "takes"
    REFUSES_RECIPIENT = "refuses_recipient"
    BUSY_AT_SENDER = "busy_at_sender"
    BUSY_AT_RECIPIENT = "busy_at_recipient"
    BUSY_AFTER_DATA = "busy_after_data"
    REFUSES_AFTER_DATA = "refuses_after_data"
    TAKES_AND_HANGS = "takes_and_hangs"
    TAKES_AND_BREAKS_OFF = "takes_and_breaks_off"
    AWAY = "away"


ENDS: dict[Manner, Ending] = {
    Manner.TAKES: Ending.TAKEN,
    Manner.REFUSES_RECIPIENT: Ending.REFUSED,
    Manner.BUSY_AT_SENDER: Ending.DEFERRED,
    Manner.BUSY_AT_RECIPIENT: Ending.DEFERRED,
    Manner.BUSY_AFTER_DATA: Ending.DEFERRED,
    Manner.REFUSES_AFTER_DATA: Ending.REFUSED,
    Manner.TAKES_AND_HANGS: Ending.UNKNOWN,
    Manner.TAKES_AND_BREAKS_OFF: Ending.UNKNOWN,
    Manner.AWAY: Ending.DEFERRED,
}
"""How an attempt must end; every channel obeys it."""

TAKING = frozenset({Manner.TAKES, Manner.TAKES_AND_HANGS, Manner.TAKES_AND_BREAKS_OFF})
"""Manners in which the mail is there afterwards."""


@dataclass
class Sink:
    """Where mail lands.  `manner_of` is asked for each mail's recipient."""

    manner_of: Callable[[str], Manner] = lambda _: Manner.TAKES
    mails: list[Message] = field(default_factory=list)
    host: str = "127.0.0.1"
    port: int = 0

    def steps(self) -> list[tuple[str, str]]:
        """Return problem and step of every mail, in the order of arrival."""
        return [(str(m["X-Care-Problem"]), str(m["X-Care-Step"])) for m in self.mails]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd names it
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.manner_of("") is Manner.BUSY_AT_SENDER:
            return "421 4.3.2 busy"
        envelope.mail_from = address
        return "250 2.1.0 ok"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd names it
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        manner = self.manner_of(address)
        if manner is Manner.REFUSES_RECIPIENT:
            return MISSING
        if manner is Manner.BUSY_AT_RECIPIENT:
            return "450 4.2.1 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        manner = self.manner_of(envelope.rcpt_tos[0])
        if manner in TAKING:
            self.mails.append(message_from_bytes(envelope.content, policy=default))
        match manner:
            case Manner.BUSY_AFTER_DATA:
                return "451 4.3.0 try again"
            case Manner.REFUSES_AFTER_DATA:
                return "554 5.6.0 not wanted"
            case Manner.TAKES_AND_HANGS:
                await asyncio.sleep(60)
            case Manner.TAKES_AND_BREAKS_OFF:
                server.transport.abort()
        return "250 2.0.0 taken"


@contextmanager
def listening(sink: Sink, port: int = 0, *, smtputf8: bool = True, **more: Any) -> Iterator[Sink]:
    """Serve a sink over SMTP, with more of aiosmtpd's arguments; its port is known inside."""
    sink.port = port or free_port()
    controller = Controller(
        sink, hostname=sink.host, port=sink.port, enable_SMTPUTF8=smtputf8, **more
    )
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()


def free_port() -> int:
    """Return a port on which nobody listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class FakeChannel:
    """Obeys the channel's contract without a server."""

    def __init__(self, manner_of: Callable[[str], Manner] = lambda _: Manner.TAKES) -> None:
        self.manner_of = manner_of
        self.mails: list[EmailMessage] = []
        self.attempts = 0

    def send(self, message: EmailMessage) -> Delivery:
        self.attempts += 1
        manner = self.manner_of(str(message["To"]))
        if manner in TAKING:
            self.mails.append(message)
        return Delivery(ENDS[manner], "" if manner is Manner.TAKES else "550")

    def close(self) -> None:
        return None
