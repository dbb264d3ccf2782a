"""The mail server as settings name it: who vouches for it and who we are to it, by files that may change."""

import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from services.kit.exits import Unavailable
from services.kit.settings import environment_names
from services.kit.watched_file import UnreadableFile, WatchedFile, read_text
from services.outreach.channels.smtp import Login, SmtpServer, Tls
from services.outreach.settings import Settings

T = TypeVar("T")
_Watch = Callable[[WatchedFile[Any]], None]

# What AUTH PLAIN and LOGIN carry to every server alike.
_SAYABLE = re.compile(r"[ -~]+")


def server_of(settings: Settings, watch: _Watch) -> SmtpServer:
    """Return where mail is handed over with these settings.

    Args:
        settings: Of the service.
        watch: Told of each file that is read again.

    Raises:
        Unavailable: a file cannot be used; the message names its setting, and no word of a secret.
    """
    return SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        tls=_tls(settings),
        timeout_seconds=settings.smtp_timeout_seconds,
        login=_login(settings, watch),
        trusting=_trusting(settings, watch),
    )


def _tls(settings: Settings) -> Tls:
    if settings.smtp_implicit_tls:
        return Tls.IMPLICIT
    return Tls.STARTTLS if settings.smtp_starttls else Tls.NONE


def _login(settings: Settings, watch: _Watch) -> Login | None:
    user, file = settings.smtp_username, settings.smtp_password_file
    if user is None or file is None:
        return None
    return Login(user, _watched(file, _password_in, "smtp_password", watch))


def _trusting(settings: Settings, watch: _Watch) -> Callable[[], ssl.SSLContext]:
    file = settings.smtp_ca_file
    if file is None:
        return ssl.create_default_context
    return _watched(file, _authorities_in, "smtp_authorities", watch)


def _watched(path: Path, read: Callable[[Path], T], called: str, watch: _Watch) -> Callable[[], T]:
    file = WatchedFile(path, read, called)
    watch(file)
    return file.current


def _password_in(path: Path) -> str:
    setting = environment_names(Settings, "smtp_password_file")
    try:
        found = read_text(path).strip("\r\n")
    except UnreadableFile as error:
        raise Unavailable(
            f"{setting}: {path} {error.reason}: put the password of the mail server's user there"
        ) from None
    if not _SAYABLE.fullmatch(found):
        raise Unavailable(
            f"{setting}: {path} must hold the password of the mail server's user and nothing else, one "
            "line of printable ASCII"
        )
    return found


def _authorities_in(path: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # what is no certificate too
        raise Unavailable(
            f"{environment_names(Settings, 'smtp_ca_file')}: {path} cannot be used "
            f"({error.strerror or 'no PEM'}): put the certificates of the mail server's authorities there"
        ) from None
