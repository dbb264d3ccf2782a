"""Facts on `customers` and `consents`, the only ones that may hold personal data, and on `identities`."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from services.contracts.envelope import CustomerId, Fact, Instant, TimeZone

# Quoted names, comments, address literals and encoded words are legal in a mail's headers and are
# nobody's address: what a header would read as one of them is refused at the door.
_NOT_IN_AN_ADDRESS = r"\s@.<>()\[\]\\,;:?\"\x00-\x20\x7f-\xa0"
_NAME = rf"[^{_NOT_IN_AN_ADDRESS}]+"

MailAddress = Annotated[
    str, Field(max_length=254, pattern=rf"^{_NAME}(\.{_NAME})*@{_NAME}(\.{_NAME})*$")
]
"""Names joined by dots on both sides of one `@`; for the rest the mail server has the last word."""

PhoneNumber = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
"""As E.164 writes it, for example `+4915112345678`."""

AccountId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~:-]{1,200}$")]
"""How a provider calls a person or a device; it says nothing to anybody else."""


class CustomerUpdated(Fact):
    """The whole profile at this moment (a snapshot); an absent field is not known."""

    TYPE: ClassVar[str] = "care.customer.updated.v1"
    name: (
        Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")] | None
    ) = None
    email: MailAddress | None = None
    phone: PhoneNumber | None = None
    """Where messages by SMS go."""
    push_id: AccountId | None = None
    """Whom the deployment's push provider knows by it: a device, a user or a topic of theirs alone."""
    chat_id: AccountId | None = None
    """Whom the deployment's chat provider knows by it."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    """BCP 47, for example `pt-BR`."""
    time_zone: TimeZone | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None


class MessageClass(StrEnum):
    """What kind of message it is; consent, quiet hours and budgets differ by it."""

    SAFETY = "safety"
    SERVICE = "service"
    CARE = "care"
    PROMOTIONAL = "promotional"


class Channel(StrEnum):
    """How we reach a customer."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    CHAT = "chat"
    WEBHOOK = "webhook"
    HUMAN = "human"


class ConsentStatus(StrEnum):
    """What the customer said."""

    GRANTED = "granted"
    DENIED = "denied"
    REVOKED = "revoked"


class ConsentChanged(Fact):
    """The customer's word for one class on one channel, from `time` on unless dates say otherwise."""

    TYPE: ClassVar[str] = "care.consent.changed.v1"
    message_class: MessageClass
    channel: Channel
    status: ConsentStatus
    valid_from: Instant | None = None
    """None: from the event's time on."""
    valid_until: Instant | None = None
    """None: until the next change."""

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise ValueError("valid_until must be later than valid_from")
        return self


class CustomerMerged(Fact):
    """The event's customer turned out to be somebody known by another id, who stays.

    What either was told counts for both, and of what they said the strictest holds.  It is not undone by
    a later event: the id that goes away is another name of the one that stays for ever.
    """

    TYPE: ClassVar[str] = "care.customer.merged.v1"
    into: CustomerId
    """The id that stays."""


class CustomerErased(Fact):
    """The event's customer is to be forgotten: everything about them dated no later than the event.

    What comes later under the same id is a new customer, whom nobody knows yet.
    """

    TYPE: ClassVar[str] = "care.customer.erased.v1"
