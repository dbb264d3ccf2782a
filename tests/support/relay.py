"""A real SMTP server that asks who one is, over TLS by an authority of the tests' own."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.smtp import AuthResult, LoginPassword

from services.outreach.channels.smtp import Tls
from tests.support.mail import Sink, listening

USER = "care@relay.example"
PASSWORD = "c0rrect horse"


@dataclass
class Relay(Sink):
    """Takes mail of one user; `password` and what it `offers` may be changed between connections."""

    password: str = PASSWORD
    offers: str = "AUTH LOGIN PLAIN"
    """How it says which mechanisms it has; empty: it does not say."""
    shown: list[tuple[str, str, str]] = field(default_factory=list)
    """Mechanism, user and password of each attempt to log in."""

    def authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        """Judge an attempt, and note it."""
        user, password = given.login.decode(), given.password.decode()
        self.shown.append((mechanism, user, password))
        if (user, password) == (USER, self.password):
            return AuthResult(success=True)
        # As a server might that repeats what it heard.
        return AuthResult(
            success=False, handled=False, message=f"535 5.7.8 no {user} with {password}"
        )

    async def handle_EHLO(  # noqa: N802 - aiosmtpd names it
        self, server: Any, session: Any, envelope: Any, hostname: str, answers: list[str]
    ) -> list[str]:
        """Say which ways in there are."""
        session.host_name = hostname
        told = [each for each in answers if not each.startswith("250-AUTH")]
        return [*told[:-1], *([f"250-{self.offers}"] if self.offers else []), told[-1]]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd names it
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Let in who is logged in."""
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        return await super().handle_MAIL(server, session, envelope, address, options)


@contextmanager
def relaying(relay: Relay, tls: Tls, port: int = 0) -> Iterator[Relay]:
    """Serve it; nobody who is not logged in may send."""
    more: dict[str, Any] = {}
    if tls is not Tls.NONE:
        more["tls_context" if tls is Tls.STARTTLS else "ssl_context"] = _identity()
    with listening(
        relay,
        port,
        authenticator=relay.authenticate,
        # What is TLS from the first byte, aiosmtpd takes for none at all.
        auth_require_tls=tls is Tls.STARTTLS,
        **more,
    ):
        yield relay


def vouching(folder: Path) -> Path:
    """Return a file with the authority that vouches for the relay."""
    file = folder / "ca.crt"
    file.write_bytes(_authority().cert_pem.bytes())
    return file


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def _identity() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert("127.0.0.1").configure_cert(context)
    return context
