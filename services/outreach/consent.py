"""What a customer's dated words about our messages come to at one instant.  Pure."""

from collections.abc import Mapping
from datetime import datetime

from services.contracts.people import Channel, ConsentStatus, MessageClass
from services.outreach.facts import ConsentStatement

ALLOWED_WITHOUT_RECORD: Mapping[MessageClass, bool] = {
    MessageClass.SAFETY: True,
    MessageClass.SERVICE: True,
    # A care message is kind but not needed to fulfil the order, so we ask before we write.
    MessageClass.CARE: False,
    MessageClass.PROMOTIONAL: False,
}
"""What holds where a customer never said anything about a class on a channel."""


def consent_in_force(
    statements: tuple[ConsentStatement, ...], asked: MessageClass, by: Channel, at: datetime
) -> ConsentStatement | None:
    """Return the word that counts: the last said among those in force; of two said at once, the stricter.

    Of what was said under several ids of one customer the strictest holds, until something is said under
    the id that stays, after the other became a name of it.
    """
    last: dict[str, ConsentStatement] = {}
    for statement in statements:
        is_asked = statement.message_class is asked and statement.channel is by
        if is_asked and statement.is_in_force(at):
            name = statement.customer_id
            last[name] = max(last.get(name, statement), statement, key=_said)
    own = next((word for word in last.values() if word.merged_at is None), None)
    words = [word for word in last.values() if not _is_overruled(word, own)]
    return max(words, key=_strictness, default=None)


def _said(word: ConsentStatement) -> tuple[datetime, bool, str, str]:
    return (word.said_at, word.status is not ConsentStatus.GRANTED, word.source, word.event_id)


def _strictness(word: ConsentStatement) -> tuple[bool, tuple[datetime, bool, str, str]]:
    return (word.status is not ConsentStatus.GRANTED, _said(word))


def _is_overruled(word: ConsentStatement, own: ConsentStatement | None) -> bool:
    """Whether what was said under another id no longer counts beside the customer's own word."""
    if own is None or word.merged_at is None:
        return False
    return own.said_at > max(word.merged_at, word.said_at)


def is_suppressed(
    asked: MessageClass, since: datetime | None, word: ConsentStatement | None
) -> bool:
    """Whether this may not go to an address of somebody who wished to be forgotten.

    Args:
        asked: The class of the message; of a danger everybody is told.
        since: When they were erased; None: nobody with such an address was.
        word: The one in force; a yes counts that was said afterwards.
    """
    if since is None or asked is MessageClass.SAFETY:
        return False
    if word is None or word.status is not ConsentStatus.GRANTED:
        return True
    return word.said_at <= since
