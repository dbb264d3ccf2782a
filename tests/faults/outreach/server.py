"""A mail server that answers by a script, and can hold its last word until a conductor lets it go."""

import asyncio
import logging
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

from services.kit.clock import SystemClock
from tests.support.mail import free_port

_HELD_AT_MOST_SECONDS = 180.0
_LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Script:
    """What the server says to one recipient at one attempt."""

    at_recipient: str = ""
    """Its answer to RCPT; empty: it goes on.  After a 421 it hangs up, as RFC 5321 has it."""
    after_data: str = ""
    """Its answer to the mail; empty: it takes it."""
    slow_seconds: float = 0.0
    """Shared among MAIL, RCPT and the mail."""
    hangs: bool = False
    """It takes the mail and says nothing any more."""


TAKES = Script()
Scripts = Callable[[str, int], Script]
"""The script for a recipient's n-th attempt, from 1."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail the server is responsible for, whether or not anybody heard so."""

    problem: str
    step: str
    """Playbook and step, as the mail's header names them."""
    message_id: str
    at: datetime


@dataclass(slots=True)
class Held:
    """The next mail: it is taken, and its 250 waits until `release`."""

    mail: Mail | None = None
    peer_port: int = 0
    """Of the client, by which its process is found."""
    _is_there: threading.Event = field(default_factory=threading.Event)
    _is_released: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float) -> Mail:
        """Return the mail once it is there.

        Raises:
            TimeoutError: none came.
        """
        if not self._is_there.wait(seconds) or self.mail is None:
            raise TimeoutError(f"no mail came in {seconds:.0f} s")
        return self.mail

    def catch(self, mail: Mail, peer_port: int) -> None:
        """Note that this is the one."""
        self.mail, self.peer_port = mail, peer_port
        self._is_there.set()

    def release(self) -> None:
        """Let the server say its 250."""
        self._is_released.set()

    async def released(self) -> None:
        """Return once it is let go, or after a while."""
        await asyncio.to_thread(self._is_released.wait, _HELD_AT_MOST_SECONDS)


@dataclass
class MailServer:
    """Where mail lands.  Its answers are for aiosmtpd's thread, everything else is for any."""

    script_of: Scripts = lambda *_: TAKES
    slow_seconds: float = 0.0
    """How long a mail takes that is in no hurry."""
    mails: list[Mail] = field(default_factory=list)
    attempts: Counter[str] = field(default_factory=Counter)
    """Recipient → how often it was named."""
    connections: int = 0
    port: int = 0
    _next: Held | None = None
    _scripts: dict[Any, Script] = field(default_factory=dict)

    def hold_next(self) -> Held:
        """Take the next mail and keep its 250 back."""
        self._next = Held()
        return self._next

    async def handle_EHLO(  # noqa: N802 - aiosmtpd names it
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802 - aiosmtpd names it
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        self.attempts[address] += 1
        script = self._scripts[session.peer] = self.script_of(address, self.attempts[address])
        await asyncio.sleep(script.slow_seconds / 2)
        if script.at_recipient:
            return _said(server, script.at_recipient)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        script = self._scripts[session.peer]
        if script.after_data:
            return _said(server, script.after_data)
        await asyncio.sleep(self.slow_seconds + script.slow_seconds / 2)
        mail = _read(envelope.content)
        self.mails.append(mail)
        held, self._next = self._next, None
        if held is not None:
            held.catch(mail, session.peer[1])
            await held.released()
        if script.hangs:
            await asyncio.sleep(_HELD_AT_MOST_SECONDS)
        return "250 2.0.0 taken"


@contextmanager
def serving(server: MailServer, certificate: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    """Serve on the loopback interface, with STARTTLS where there is a certificate."""
    server.port = free_port()
    # It prints a traceback for each client that goes away, which is what is wanted of them here.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)
    controller = Controller(server, hostname="127.0.0.1", port=server.port, tls_context=certificate)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def _said(server: Any, answer: str) -> str:
    if answer.startswith("421"):
        asyncio.get_running_loop().call_later(_LOOK_SECONDS, server.transport.close)
    return answer


def _read(content: bytes) -> Mail:
    mail = message_from_bytes(content, policy=default)
    names = ("X-Care-Problem", "X-Care-Step", "Message-ID")
    problem, step, message_id = (str(mail[name]) for name in names)
    return Mail(problem, step, message_id, SystemClock().now())
