"""URLs of providers with a place for the recipient, filled in such that nothing else of them changes."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from apprise import NotificationManager
from apprise.plugins import url_to_dict

from services.outreach.channels.quiet_logs import silence

# Apprise gives these two no types.
_kinds: Callable[[], Any] = NotificationManager
_read: Callable[[str], dict[str, Any] | None] = url_to_dict

PLACE = "{recipient}"

PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
"""As E.164 writes them."""

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:-]{0,511}")
"""How most providers call a person, a room or a device."""

SMS = frozenset(
    {
        *("46elks", "bulksms", "burstsms", "clicksend", "d7sms", "httpsms", "infobip"),
        *("kavenegar", "msgbird", "plivo", "seven", "sinch", "sns", "telnyx", "twilio"),
        *("voipms", "vonage"),
    }
)
CHAT = frozenset(
    {
        *("line", "matrixs", "mmosts", "nctalks", "rockets", "signals", "slack", "tgram"),
        *("threema", "whatsapp", "wxteams", "zulip"),
    }
)
PUSH = frozenset({"fcm", "gotifys", "join", "ntfys", "onesignal", "pbul", "pover", "pushy"})
SCHEMAS = SMS | CHAT | PUSH | {"jsons"}
"""Providers that are reached over TLS, and `jsons` for a gateway of one's own."""

# Of several targets in one URL, or groups and rooms of everybody, none may come from a recipient.
_HARMLESS = re.compile(r"[+-]?[A-Za-z0-9][A-Za-z0-9._~:-]*")
_SAMPLE = "+15550100"

_FORBIDDEN_OPTIONS = {
    "attach": "would send a file along",
    "batch": "could reach several at once",
    "bcc": "would reach somebody else too",
    "cc": "would reach somebody else too",
    "emojis": "would change the text",
    "format": "would change the text",
    "optional": "would call a failure a success",
    "overflow": "could send several messages",
    "redirect": "could send it elsewhere",
    "retry": "would send again what may have arrived",
    "verify": "would trust every certificate",
    "wait": "would send again what may have arrived",
}


class WrongProvider(ValueError):
    """A provider's URL cannot be used; the message says why and repeats nothing of it."""


class WrongRecipient(ValueError):
    """The channel has no such recipients; the message does not repeat it."""


@dataclass(frozen=True, slots=True)
class ProviderUrl:
    """One of Apprise's URLs, with `{recipient}` behind or before its host.

    Raises:
        WrongProvider: it is none, or none that reaches one recipient by one message over TLS.
    """

    template: str = field(repr=False)
    recipients: re.Pattern[str] = IDENTIFIER
    """What a recipient must be, as a whole."""
    schemas: frozenset[str] = SCHEMAS
    """Which kinds of providers may be used."""

    def __post_init__(self) -> None:
        """Check what can be checked before the first recipient is known."""
        # Already when it reads a URL, Apprise logs what is in it; later, its client does.
        silence("apprise", "urllib3", "requests")
        schema, _, rest = self.template.partition("://")
        if schema not in self.schemas:
            raise WrongProvider(f"use one of these kinds of URL: {', '.join(sorted(self.schemas))}")
        if rest.count(PLACE) != 1 or PLACE in _host(self.template):
            raise WrongProvider(f"write {PLACE} once, and not as the host")
        if "#" in rest:
            raise WrongProvider("write # as %23")
        if not _kinds()[schema].enabled:
            raise WrongProvider(f"{schema} needs a package that is not installed")
        parsed = _read(self.template.replace(PLACE, quote(_SAMPLE, safe="")))
        if not parsed:
            raise WrongProvider(f"not a URL of {schema}")
        for option in sorted(_FORBIDDEN_OPTIONS.keys() & parsed["qsd"].keys()):
            raise WrongProvider(f"leave out {option}: it {_FORBIDDEN_OPTIONS[option]}")

    def of(self, recipient: str) -> str:
        """Return the URL that reaches this recipient.

        Raises:
            WrongRecipient: it is none of this channel, or would reach others or nobody.
        """
        if not (self.recipients.fullmatch(recipient) and _HARMLESS.fullmatch(recipient)):
            raise WrongRecipient("not a recipient of this channel")
        return self.template.replace(PLACE, quote(recipient, safe=""))


def names(url: str, recipient: str) -> bool:
    """Return whether a part of the URL is this recipient, but for the marks that providers add.

    A provider that cannot use a recipient leaves it out in silence, and may then write to its owner.
    """
    wanted = recipient.lstrip("+").casefold()
    parts = {*re.split(r"[/?&=]", url), *re.split(r"[/?&=:@]", url)}
    return any(unquote(part).lstrip("+@#").casefold() == wanted for part in parts)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        raise WrongProvider("not a URL") from None
