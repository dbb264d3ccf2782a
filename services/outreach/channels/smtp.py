"""Mail over SMTP: what is said until the server's last word tells which of four endings it was."""

import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.message import EmailMessage
from enum import StrEnum

from services.outreach.channels.endings import UNWRITABLE, Delivery, Ending

_ABOUT_RECIPIENT = frozenset({".1", ".2", ".7"})
"""Subjects of enhanced codes: the address, the mailbox, and policy; not the system or the network."""
_ABOUT_ALPHABET = frozenset({".6.7", ".6.9"})
"""Details of enhanced codes: addresses, or a mail, that would have to be spelled in ASCII."""
_NOT_LET_IN = frozenset({530, 534, 535, 538})
"""Answers about who we are to the server and how we speak to it (RFC 4954, RFC 3207), wherever they come."""
_ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}(?![.\w])")


class Tls(StrEnum):
    """How a connection is encrypted."""

    NONE = "none"
    STARTTLS = "starttls"
    """From that command on; without it nothing is handed over."""
    IMPLICIT = "implicit"
    """From the first byte (RFC 8314)."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the server; the password is asked for at each new connection."""

    user: str
    password: Callable[[], str]


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed over."""

    host: str
    port: int
    tls: Tls
    timeout_seconds: float
    login: Login | None = None
    trusting: Callable[[], ssl.SSLContext] = ssl.create_default_context
    """Returns what knows whose word about the server's certificate counts; asked at each new connection."""


class _NoMechanism(smtplib.SMTPNotSupportedError):
    """The server offers no way in that is known here; nothing was shown to it.  The message is ours."""


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
            return Delivery(Ending.DEFERRED, _why(error))
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
        if code == 421 or code in _NOT_LET_IN:
            self._drop()
        return Delivery(Ending.TAKEN) if code // 100 == 2 else _verdict(code, text)

    def _connected(self) -> smtplib.SMTP:
        if self._client is not None and _is_alive(self._client):
            return self._client
        self._drop()
        self._client = _opened(self._server)
        return self._client

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


def _opened(server: SmtpServer) -> smtplib.SMTP:
    """Return a connection on which mail may be handed over: encrypted and logged in as settings ask for."""
    client = _greeted(server)
    try:
        if server.tls is Tls.STARTTLS:
            client.starttls(context=server.trusting())
        client.ehlo_or_helo_if_needed()
        if server.login is not None:
            _log_in(client, server.login)
    except BaseException:
        client.close()
        raise
    return client


def _greeted(server: SmtpServer) -> smtplib.SMTP:
    timeout = server.timeout_seconds
    if server.tls is Tls.IMPLICIT:
        context = server.trusting()
        return smtplib.SMTP_SSL(server.host, server.port, timeout=timeout, context=context)
    return smtplib.SMTP(server.host, server.port, timeout=timeout)


def _log_in(client: smtplib.SMTP, login: Login) -> None:
    """Show the server who we are, once.

    `SMTP.login` would show a wrong password once for each mechanism, to be locked out the sooner, and
    would lose the answer of a server that hangs up after it.
    """
    offered = client.esmtp_features.get("auth", "").upper().split()
    known = {"PLAIN": client.auth_plain, "LOGIN": client.auth_login}
    mechanism = next((each for each in known if each in offered), None)
    if mechanism is None:
        raise _NoMechanism("the server offers neither AUTH PLAIN nor AUTH LOGIN")
    client.user, client.password = login.user, login.password()
    try:
        client.auth(mechanism, known[mechanism])
    except ValueError as error:
        # Not a word about the recipient either, as an address that cannot be written would be.
        raise smtplib.SMTPException("a challenge that cannot be answered") from error


def _why(error: OSError | smtplib.SMTPException) -> str:
    """Return codes and names of errors alone: the server's words may repeat what it was shown."""
    if isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPSenderRefused):
        text = error.smtp_error
        return _shown(error.smtp_code, text if isinstance(text, bytes) else text.encode())
    return str(error) if isinstance(error, _NoMechanism) else type(error).__name__


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
    """Go as far as the server's 354; return None there, or how it ended before.

    Raises:
        SMTPAuthenticationError: it does not let us in: the connection is of no use any more.
        SMTPSenderRefused: it takes no mail of ours, perhaps on this connection alone.
    """
    wants_utf8 = not letter.recipient.isascii() and client.has_extn("smtputf8")
    code, text = _let_in(client.mail(letter.sender, ["SMTPUTF8"] if wants_utf8 else []))
    if wants_utf8 and _is_about_alphabet(code, text):
        return Delivery(Ending.REFUSED, _shown(code, text))
    if code // 100 == 5:
        # It has not heard yet for whom this is: it is our address that it does not take.
        raise smtplib.SMTPSenderRefused(code, text, letter.sender)
    if code // 100 != 2:
        return _verdict(code, text)
    code, text = _let_in(client.rcpt(letter.recipient))
    if code // 100 != 2:
        return replace(_verdict(code, text), about_recipient=_is_about_recipient(code, text))
    code, text = _let_in(client.docmd("DATA"))
    return None if code == 354 else _verdict(code, text)


def _let_in(answer: tuple[int, bytes]) -> tuple[int, bytes]:
    if answer[0] in _NOT_LET_IN:
        raise smtplib.SMTPAuthenticationError(*answer)
    return answer


def _is_about_alphabet(code: int, text: bytes) -> bool:
    """Return whether MAIL is refused for SMTPUTF8, which the recipient's address needs (RFC 6531)."""
    return code == 555 or (code // 100 == 5 and _enhanced(text)[1:] in _ABOUT_ALPHABET)


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
    # Behind the 354, too: it is us whom the server does not let in, and not the mail.
    permanent = code // 100 == 5 and code not in _NOT_LET_IN
    return Delivery(Ending.REFUSED if permanent else Ending.DEFERRED, _shown(code, text))


def _shown(code: int, text: bytes) -> str:
    # Only the codes: the server's words may repeat the address.
    enhanced = _enhanced(text)
    return f"{code} {enhanced}" if enhanced else str(code)


def _enhanced(text: bytes) -> str:
    """Return the enhanced status code with which these words begin, or nothing."""
    found = _ENHANCED.match(text)
    return found[0].decode() if found else ""


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
