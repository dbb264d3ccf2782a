"""Events of which no figure needs the content: read by their envelope, which costs a tenth.

That such an event's content is well-formed is not looked at here; whoever acts on it dead-letters it
otherwise, and dead letters are counted.
"""

from collections.abc import Collection

import msgspec

from services.contracts.envelope import BINARY_PREFIX
from services.contracts.events import FACTS, TOPIC_OF, Unreadable
from services.contracts.topics import Topic
from services.kit.records import KafkaHeaders
from services.metrics.fold import Envelope
from services.metrics.state import READERS

_ENVELOPE = msgspec.json.Decoder(Envelope)
_BY_ENVELOPE = {name: TOPIC_OF[f] for name, f in FACTS.items() if f not in READERS}


def read_envelope(value: bytes, headers: KafkaHeaders) -> Envelope | None:
    """Return the event with its content unread; None: it has to be read whole to say more."""
    if _is_binary(headers):
        return None
    try:
        return _ENVELOPE.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def is_enough(told: Envelope) -> bool:
    """Return whether no figure needs the content of this type."""
    return told.type in _BY_ENVELOPE


def check(told: Envelope, topic: Topic, key: bytes | None) -> None:
    """Do nothing where an event that is read by its envelope lies where it belongs.

    Raises:
        Unreadable: of a type that does not live on this topic, or under a key that is not its customer.
    """
    if _BY_ENVELOPE[told.type] is not topic:
        raise Unreadable("wrong_topic")
    if key != told.partitionkey.encode():
        raise Unreadable("wrong_key")


def _is_binary(headers: Collection[tuple[str, bytes | None]]) -> bool:
    for name, _ in headers:  # noqa: SIM110 - `any` takes twice as long, for each record
        if name.startswith(BINARY_PREFIX):
            return True
    return False
