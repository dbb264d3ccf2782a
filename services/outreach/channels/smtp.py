"""Mail over SMTP: what is said until the server's last word tells which of four endings it was."""

import smtplib
import ssl
from dataclasses import dataclass, replace
from email.message import EmailMessage

from services.outreach.channels.endings import UNWRITABLE, Delivery, Ending

_ABOUT_RECIPIENT = frozenset({".1", ".2", ".7"})
"""Subjects of enhanced codes: the address, the mailbox, and policy; not the system or the network."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed over."""

    host: str
    port: int
    starttls: bool
    timeout_seconds: float


class SmtpChannel:
    """Mail over SMTP, one connection kept open between messages.  For one thread."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._client: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> Delivery:
        """Return how the attempt ended: nothing that fails before DATA's 354 can have been taken."""
        try:
            letter = _written(message)
        except Exception:  # noqa: BLE001 - the standard library fails in many ways
            return Delivery(Ending.REFUSED, UNWRITABLE)
        try:
            client = self._connected()
            not_accepted = _offer(client, letter)
        except UnicodeError:
            self._forget_transaction()
            return Delivery(Ending.REFUSED, "the address needs SMTPUTF8, which the server lacks")
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            return Delivery(Ending.DEFERRED, type(error).__name__)
        if not_accepted is not None:
            self._forget_transaction()
            return not_accepted
        return self._hand_over(client, letter.wire)

    def close(self) -> None:
        """Say goodbye; a server that does not answer is left."""
        if self._client is not None:
            try:
                self._client.quit()
            except (OSError, smtplib.SMTPException):
                self._drop()
        self._client = None

    def _hand_over(self, client: smtplib.SMTP, wire: bytes) -> Delivery:
        try:
            client.send(wire)
            code, text = client.getreply()
        except (OSError, smtplib.SMTPException) as error:
            # The server may have taken it and lost its voice before the 250.
            self._drop()
            return Delivery(Ending.UNKNOWN, f"after DATA: {type(error).__name__}")
        if code == 421:
            self._drop()
        return Delivery(Ending.TAKEN) if code // 100 == 2 else _verdict(code, text)

    def _connected(self) -> smtplib.SMTP:
        if self._client is not None and _is_alive(self._client):
            return self._client
        self._drop()
        server = self._server
        client = smtplib.SMTP(server.host, server.port, timeout=server.timeout_seconds)
        try:
            if server.starttls:
                client.starttls(context=ssl.create_default_context())
            client.ehlo_or_helo_if_needed()
        except BaseException:
            client.close()
            raise
        self._client = client
        return client

    def _forget_transaction(self) -> None:
        try:
            if self._client is not None:
                self._client.rset()
        except (OSError, smtplib.SMTPException):
            self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None


@dataclass(frozen=True, slots=True)
class _Written:
    """A message down to its last byte, so that nothing about it can fail half way."""

    sender: str
    recipient: str
    wire: bytes


def _written(message: EmailMessage) -> _Written:
    sender, recipient = (str(message[name].addresses[0].addr_spec) for name in ("From", "To"))
    return _Written(sender, recipient, _on_the_wire(message))


def _offer(client: smtplib.SMTP, letter: _Written) -> Delivery | None:
    """Go as far as the server's 354; return None there, or how it ended before."""
    wants_utf8 = not letter.recipient.isascii() and client.has_extn("smtputf8")
    code, text = client.mail(letter.sender, ["SMTPUTF8"] if wants_utf8 else [])
    if code // 100 != 2:
        return _verdict(code, text)
    code, text = client.rcpt(letter.recipient)
    if code // 100 != 2:
        return replace(_verdict(code, text), about_recipient=_is_about_recipient(code, text))
    code, text = client.docmd("DATA")
    return None if code == 354 else _verdict(code, text)


def _is_about_recipient(code: int, text: bytes) -> bool:
    """Return whether this answer to RCPT concerns this recipient and not the server (RFC 3463).

    Many servers turn the first attempt for each recipient away (greylisting, 4.7.1): that must not
    look like a server in trouble, or nobody new is written to for as long as there are new ones.
    """
    enhanced = _enhanced(text)
    if code == 421:
        return False
    return enhanced[1:3] in _ABOUT_RECIPIENT if enhanced else code == 450


def _verdict(code: int, text: bytes) -> Delivery:
    # Only the codes: the server's words may repeat the address.
    enhanced = _enhanced(text)
    shown = f"{code} {enhanced}" if enhanced else str(code)
    permanent = code // 100 == 5
    return Delivery(Ending.REFUSED if permanent else Ending.DEFERRED, shown)


def _enhanced(text: bytes) -> str:
    """Return the enhanced status code with which these words begin, or nothing."""
    first = text.split(b" ", 1)[0].decode("ascii", "replace")
    return first if first[:1].isdigit() and "." in first else ""


def _on_the_wire(message: EmailMessage) -> bytes:
    raw = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
    lines = raw.rstrip(b"\r\n").split(b"\r\n")
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    return stuffed + b"\r\n.\r\n"


def _is_alive(client: smtplib.SMTP) -> bool:
    try:
        return client.noop()[0] == 250
    except (OSError, smtplib.SMTPException):
        return False
