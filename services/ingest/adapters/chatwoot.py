"""Chatwoot's webhooks as facts about contacts and surveys.  What a text says never leaves here.

A message names its conversation, a conversation its contact (`meta.sender`).  Chatwoot does not
send a failed webhook again: so each message of a customer tells the opening once more, under the
same id.  Only the conversation's creation shows that an agent began it.

Sources: "How to use webhooks?" of Chatwoot's user guide (https://www.chatwoot.com/hc/user-guide),
the schema "Webhook" of its API, and its public source: `EventDataPresenter`, `Message#webhook_data`,
`CsatSurveys::ResponseBuilder`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from services.contracts.contacts import (
    ContactChannel,
    ContactOpened,
    ContactReason,
    ContactReopened,
    ContactReplied,
    ContactResolved,
    OpenedBy,
    ReplyBy,
    SurveyAnswered,
    SurveyKind,
    SurveySent,
)
from services.ingest.adapters.findings import (
    Finding,
    Headers,
    Ignored,
    Publisher,
    Reason,
    Refused,
    customer_of,
    unmapped,
)
from services.ingest.adapters.moments import instant
from services.ingest.adapters.payload import at, id_at, items_at, members_at, text_at

SOURCE = "/adapters/chatwoot"
_INCOMING, _OUTGOING, _TEMPLATE = ("incoming", 0), ("outgoing", 1), ("template", 3)
"""A message's type, in a webhook of its own and inside a conversation."""

CHANNELS: Mapping[str, ContactChannel] = {
    "Channel::WebWidget": ContactChannel.CHAT,
    "Channel::Api": ContactChannel.CHAT,
    "Channel::Whatsapp": ContactChannel.CHAT,
    "Channel::Telegram": ContactChannel.CHAT,
    "Channel::Line": ContactChannel.CHAT,
    "Channel::Sms": ContactChannel.CHAT,
    "Channel::TwilioSms": ContactChannel.CHAT,
    "Channel::Email": ContactChannel.EMAIL,
    "Channel::Voice": ContactChannel.PHONE,
    "Channel::FacebookPage": ContactChannel.SOCIAL,
    "Channel::Instagram": ContactChannel.SOCIAL,
    "Channel::TwitterProfile": ContactChannel.SOCIAL,
    "Channel::Tiktok": ContactChannel.SOCIAL,
}
"""By the inbox' type; any other is a chat."""

_UNDER_WAY = ("open", "pending")
"""`pending`: a bot answers first."""
_REASONS = {reason.value: reason for reason in ContactReason}


@dataclass(frozen=True, slots=True)
class Options:
    """How this deployment uses Chatwoot."""

    customer_attribute: str | None = None
    """The contact's custom attribute that holds the customer's id; None: its `identifier` does."""
    order_attribute: str = "order_id"
    """The conversation's custom attribute that holds the order's id, where it is known."""
    reason_attribute: str = "reason"
    """The conversation's custom attribute that holds the reason; else a label of that name."""


@dataclass(frozen=True, slots=True)
class _Talk:
    """A conversation whose customer is known."""

    body: object
    """Of the webhook: the conversation, or a message."""
    conversation: object
    id: str
    publisher: Publisher
    options: Options


def findings(body: object, _: Headers, options: Options) -> list[Finding]:
    """Return what one webhook tells."""
    name = text_at(body, "event") or ""
    told = _TOLD_BY.get(name)
    if told is None:
        return [unmapped("this event")]
    about = at(body, "conversation") if name.startswith("message_") else body
    talk = _talk(body, about, options)
    if isinstance(talk, Refused):
        return [talk]
    return list(told(talk)) or [unmapped("what this says")]


def _talk(body: object, conversation: object, options: Options) -> _Talk | Refused:
    contact = at(conversation, "meta", "sender")
    if options.customer_attribute is None:
        customer = customer_of(at(contact, "identifier"), "the contact's identifier")
    else:
        customer = customer_of(
            at(contact, "custom_attributes", options.customer_attribute),
            f"the contact's custom attribute {options.customer_attribute}",
        )
    if isinstance(customer, Refused):
        return customer
    found = id_at(conversation, "id")
    if found is None:
        return Refused(Reason.INVALID, "the conversation has no id")
    return _Talk(body, conversation, found, Publisher(SOURCE, customer), options)


def _created(talk: _Talk) -> Iterator[Finding]:
    """Yield the opening, if somebody has written: the customer, or else an agent by hand."""
    said = [_who_wrote(message) for message in items_at(talk.conversation, "messages")]
    for who, by in ((ReplyBy.CUSTOMER, OpenedBy.CUSTOMER), (ReplyBy.AGENT, OpenedBy.AGENT)):
        if who in said:
            yield _opened(talk, instant(at(talk.conversation, "created_at"), UTC), by)
            return


def _opened(talk: _Talk, when: datetime | None, by: OpenedBy = OpenedBy.CUSTOMER) -> Finding:
    said = talk.conversation
    return talk.publisher.event(
        ContactOpened,
        (talk.id,),
        when,
        contact_id=talk.id,
        channel=CHANNELS.get(text_at(said, "channel") or "", ContactChannel.CHAT),
        reason=_reason(talk),
        order_id=id_at(said, "custom_attributes", talk.options.order_attribute),
        opened_by=by,
    )


def _reason(talk: _Talk) -> ContactReason:
    told = at(talk.conversation, "custom_attributes", talk.options.reason_attribute)
    for value in (told, *items_at(talk.conversation, "labels")):
        word = value.strip().lower().replace("-", "_") if isinstance(value, str) else ""
        if word in _REASONS:
            return _REASONS[word]
    return ContactReason.OTHER


def _status_changed(talk: _Talk) -> Iterator[Finding]:
    status, before = text_at(talk.conversation, "status"), _status_before(talk)
    when = _updated(talk.conversation)
    if status == "resolved":
        yield _turned(talk, ContactResolved, when)
    elif status in _UNDER_WAY and before == "resolved":
        yield _turned(talk, ContactReopened, when)


def _turned(
    talk: _Talk, fact: type[ContactResolved | ContactReopened], when: datetime | None
) -> Finding:
    ids = (talk.id, when.isoformat() if when else "")
    return talk.publisher.event(fact, ids, when, contact_id=talk.id)


def _status_before(talk: _Talk) -> object:
    for change in items_at(talk.body, "changed_attributes"):
        if "status" in members_at(change):
            return at(change, "status", "previous_value")
    return None


def _updated(conversation: object) -> datetime | None:
    names = ("updated_at", "last_activity_at", "timestamp")
    times = (instant(at(conversation, name), UTC) for name in names)
    return next((found for found in times if found is not None), None)


def _message(talk: _Talk) -> Iterator[Finding]:
    if at(talk.body, "private") is True:
        yield Ignored(Reason.NOT_MAPPED, "a private note reaches no customer")
        return
    when = instant(at(talk.body, "created_at"), UTC)
    if at(talk.body, "content_type") == "input_csat":
        yield _survey(talk, SurveySent, when)
        return
    by = _who_wrote(talk.body)
    if by is None:
        return
    if by is ReplyBy.CUSTOMER:
        yield _opened(talk, when)
    yield talk.publisher.event(
        ContactReplied, (id_at(talk.body, "id") or "",), when, contact_id=talk.id, by=by
    )


def _who_wrote(message: object) -> ReplyBy | None:
    """Return who wrote a message; None of what nobody wrote, such as a change of status."""
    kind = at(message, "message_type")
    if kind in _INCOMING:
        return ReplyBy.CUSTOMER
    if kind in _TEMPLATE:
        return ReplyBy.BOT
    if kind not in _OUTGOING:
        return None
    return ReplyBy.AGENT if _is_by_hand(message) else ReplyBy.BOT


def _is_by_hand(message: object) -> bool:
    """Return whether a person of ours wrote it: no bot, no assistant, no rule, no campaign."""
    attributes = members_at(message, "content_attributes")
    if "automation_rule_id" in attributes:
        return False
    if at(message, "additional_attributes", "campaign_id") is not None:
        return False
    # What was written in the channel's own app has no sender.
    return text_at(message, "sender", "type") == "user" or attributes.get("external_echo") is True


def _message_changed(talk: _Talk) -> Iterator[Finding]:
    """Yield the answer to a survey; a message knows when it was sent, the conversation when it changed."""
    answer = at(talk.body, "content_attributes", "submitted_values", "csat_survey_response")
    score = at(answer, "rating")
    if at(talk.body, "content_type") == "input_csat" and score is not None:
        yield _survey(talk, SurveyAnswered, _updated(talk.conversation), score=score)


def _survey(
    talk: _Talk, fact: type[SurveySent | SurveyAnswered], when: datetime | None, **more: object
) -> Finding:
    survey_id = id_at(talk.body, "id") or ""
    about = {"survey_id": survey_id, "kind": SurveyKind.CSAT, "contact_id": talk.id}
    return talk.publisher.event(fact, (survey_id,), when, **about, **more)


_TOLD_BY: Mapping[str, Callable[[_Talk], Iterator[Finding]]] = {
    "conversation_created": _created,
    "conversation_status_changed": _status_changed,
    "message_created": _message,
    "message_updated": _message_changed,
}
"""What each event tells; `conversation_updated` says nothing that these do not."""

EVENTS = tuple(_TOLD_BY)
"""Those to subscribe to."""
