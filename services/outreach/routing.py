"""Which ways messages leave by with these settings: mail and people always, others where told how."""

from collections.abc import Callable, Mapping
from pathlib import Path
from re import Pattern
from typing import Any, NoReturn

import httpx

from services.contracts.people import Channel
from services.kit.exits import EXIT_USAGE, Unavailable, leave
from services.kit.settings import environment_names
from services.kit.watched_file import UnreadableFile, WatchedFile, read_lines
from services.outreach.channels.apprise_channel import AppriseChannel, Provider
from services.outreach.channels.apprise_url import (
    CHAT,
    IDENTIFIER,
    PHONE_NUMBER,
    PUSH,
    SMS,
    ProviderUrl,
    WrongProvider,
)
from services.outreach.channels.safe_http import Limits, SafeTransport
from services.outreach.channels.smtp import SmtpChannel, SmtpServer
from services.outreach.channels.webhook import Receiver, WebhookChannel, WrongSecret
from services.outreach.mail_server import server_of
from services.outreach.routes import AppriseRoute, MailRoute, PersonRoute, Route, WebhookRoute
from services.outreach.settings import Settings

_OWN_GATEWAY = frozenset({"jsons"})
_KINDS: Mapping[Channel, tuple[Pattern[str], frozenset[str]]] = {
    Channel.SMS: (PHONE_NUMBER, SMS | _OWN_GATEWAY),
    Channel.PUSH: (IDENTIFIER, PUSH | _OWN_GATEWAY),
    Channel.CHAT: (IDENTIFIER, CHAT | _OWN_GATEWAY),
}
"""What a recipient must be, and which kinds of URL lead there."""


def routes_of(
    settings: Settings, watch: Callable[[WatchedFile[Any]], None] = lambda _: None
) -> Mapping[Channel, Route]:
    """Return the ways by which messages leave with these settings.

    A file that cannot be used ends the process, code 2, with the name of its setting and no word of it.

    Args:
        settings: Of the service.
        watch: Told of each file that is read again.
    """
    server = _mail_server(settings, watch)
    routes: dict[Channel, Route] = {
        Channel.EMAIL: MailRoute(SmtpChannel(server), settings.from_address),
        Channel.HUMAN: PersonRoute(),
    }
    if settings.webhook_url is not None and settings.webhook_secrets_file is not None:
        url = settings.webhook_url
        channel = _webhook(httpx.URL(url), settings.webhook_secrets_file, settings)
        routes[Channel.WEBHOOK] = WebhookRoute(channel, url)
    for by in _KINDS:
        field = f"{by.value}_url_file"
        file: Path | None = getattr(settings, field)
        if file is not None:
            routes[by] = AppriseRoute(_provider(by, file, field))
    return routes


def _mail_server(settings: Settings, watch: Callable[[WatchedFile[Any]], None]) -> SmtpServer:
    try:
        return server_of(settings, watch)
    except Unavailable as error:
        leave(str(error), EXIT_USAGE)


def _webhook(url: httpx.URL, secrets: Path, settings: Settings) -> WebhookChannel:
    field = "webhook_secrets_file"
    limits = Limits(
        hosts=frozenset({url.raw_host.decode("ascii").rstrip(".")}),
        ports=frozenset({url.port or (443 if url.scheme == "https" else 80)}),
        networks=settings.webhook_allowed_networks,
        plain_http=settings.webhook_plain_http,
    )
    receiver = Receiver(
        _lines_of(secrets, field), receiver_is_idempotent=settings.webhook_idempotent
    )
    try:
        return WebhookChannel(receiver, SafeTransport(limits))
    except WrongSecret as error:
        _refuse(field, str(error))


def _provider(by: Channel, file: Path, field: str) -> AppriseChannel:
    lines = _lines_of(file, field)
    if len(lines) != 1:
        _refuse(field, "the file must hold one line: the URL")
    recipients, schemas = _KINDS[by]
    try:
        url = ProviderUrl(lines[0], recipients, schemas)
    except WrongProvider as error:
        _refuse(field, str(error))
    # What is pushed shows a title and a text; an SMS and a word in a chat are the text alone.
    return AppriseChannel(Provider(url, with_subject=by is Channel.PUSH))


def _lines_of(file: Path, field: str) -> tuple[str, ...]:
    try:
        return read_lines(file)
    except UnreadableFile as error:
        _refuse(field, f"the file {error.reason}")


def _refuse(field: str, because: str) -> NoReturn:
    leave(f"{environment_names(Settings, field)}: {because}", EXIT_USAGE)
