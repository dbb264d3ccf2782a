"""Signed links: who may answer which survey, judge which message, or stop which messages.  Pure.

A token is signed and not encrypted: whoever has the link can read the ids in it, which are pseudonymous,
and nobody can change them.  It is made for one purpose and is worth nothing for another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import base64_decode, base64_encode
from pydantic import Field, TypeAdapter, ValidationError

from services.contracts import ids
from services.contracts.envelope import CustomerId, Identifier
from services.contracts.people import Channel, MessageClass

MAX_LENGTH = 1_500
"""Longer ones are not looked at; the longest ids give about half of it."""

_Language = Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z0-9-]+$")]


@dataclass(frozen=True, slots=True)
class SurveyLink:
    """Answers one survey of one customer."""

    customer_id: CustomerId
    survey_id: Identifier
    order_id: Identifier | None = None
    step_id: UUID | None = None
    language: _Language | None = None
    """BCP 47; None: the browser is asked."""


@dataclass(frozen=True, slots=True)
class PreferencesLink:
    """Shows what one customer may get, and stops it; this class on this channel with one click."""

    customer_id: CustomerId
    message_class: MessageClass
    channel: Channel
    step_id: UUID | None = None
    """The message that carried the link."""
    language: _Language | None = None


@dataclass(frozen=True, slots=True)
class HelpfulLink:
    """Judges the message of one step."""

    customer_id: CustomerId
    step_id: UUID
    language: _Language | None = None


Link = SurveyLink | PreferencesLink | HelpfulLink
L = TypeVar("L", bound=Link)


@dataclass(frozen=True, slots=True)
class Purpose(Generic[L]):
    """What a token is for; a token of another purpose is another signature."""

    name: str
    link: type[L]


SURVEY = Purpose("survey", SurveyLink)
PREFERENCES = Purpose("preferences", PreferencesLink)
HELPFUL = Purpose("helpful", HelpfulLink)
PURPOSES: tuple[Purpose[Any], ...] = (SURVEY, PREFERENCES, HELPFUL)

_LINKS: dict[str, TypeAdapter[Any]] = {p.name: TypeAdapter(p.link) for p in PURPOSES}


class Wrong(StrEnum):
    """Why a token is not taken."""

    TAMPERED = "tampered"
    """Not as we signed it, or signed with a secret that is gone."""
    EXPIRED = "expired"
    WRONG_PURPOSE = "wrong_purpose"
    """One of ours, for another page."""


class WrongToken(Exception):
    """A token that opens nothing; says why and holds nothing of it."""

    def __init__(self, why: Wrong) -> None:
        super().__init__(why.value)
        self.why = why


def survey_of_step(
    step_id: UUID, customer_id: str, order_id: str | None = None, language: str | None = None
) -> SurveyLink:
    """Return the link of the one survey that goes out with this step."""
    survey_id = str(ids.derive("survey", str(step_id)))
    return SurveyLink(customer_id, survey_id, order_id, step_id, language)


def issue(purpose: Purpose[L], link: L, secrets: Sequence[str], now: datetime) -> str:
    """Return a token for this link, to be put in a URL.

    Args:
        secrets: The last one signs.
        now: When its lifetime begins.
    """
    payload = _LINKS[purpose.name].dump_python(link, mode="json", exclude_none=True)
    return str(_serializer(purpose, secrets, now).dumps(payload))


def read(
    purpose: Purpose[L], token: str, secrets: Sequence[str], now: datetime, lifetime: timedelta
) -> L:
    """Return the link in a token of this purpose.

    Args:
        secrets: Each of them is accepted.
        lifetime: How long after `issue` it is taken.

    Raises:
        WrongToken: it is not ours, not for this, or too old.
    """
    found = _opened(purpose, token, secrets)
    if found is None:
        others = (other for other in PURPOSES if other.name != purpose.name)
        is_ours = any(_opened(other, token, secrets) is not None for other in others)
        raise WrongToken(Wrong.WRONG_PURPOSE if is_ours else Wrong.TAMPERED)
    payload, issued_at = found
    if now > issued_at + lifetime:
        raise WrongToken(Wrong.EXPIRED)
    try:
        link: L = _LINKS[purpose.name].validate_python(payload)
    except ValidationError:
        raise WrongToken(Wrong.TAMPERED) from None
    return link


class _SignedAt(TimestampSigner):
    """Takes the time of signing as an argument."""

    def __init__(self, *args: Any, at: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at = at

    def get_timestamp(self) -> int:
        return self._at


def _opened(
    purpose: Purpose[Any], token: str, secrets: Sequence[str]
) -> tuple[Any, datetime] | None:
    """Return what was signed and when; None where it was not signed by us for this."""
    if len(token) > MAX_LENGTH or not _is_spelled_as_signed(token):
        return None
    try:
        payload, signed_at = _serializer(purpose, secrets).loads(token, return_timestamp=True)
    except BadData:
        return None
    return payload, signed_at


def _serializer(
    purpose: Purpose[Any], secrets: Sequence[str], now: datetime | None = None
) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        list(secrets),
        salt=f"care.outreach.pages.{purpose.name}",
        signer=_SignedAt,
        signer_kwargs={
            "at": int(now.timestamp()) if now else 0,
            "key_derivation": "hmac",
            "digest_method": sha256,
        },
    )


def _is_spelled_as_signed(token: str) -> bool:
    """Whether the signature is written in the one way we write it: base64 has several for the same bytes."""
    if not token.isascii():
        return False
    signature = token.rpartition(".")[2]
    try:
        return base64_encode(base64_decode(signature)).decode() == signature
    except BadData:
        return False
