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


def read_envelope(
    topic: Topic, key: bytes | None, value: bytes, headers: KafkaHeaders
) -> Envelope | None:
    """Return the event with its content unread; None: it has to be read whole to say more.

    Raises:
        Unreadable: of a type that does not live on this topic, or under a key that is not its customer.
    """
    if _is_binary(headers):
        return None
    try:
        told = _ENVELOPE.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    home = _BY_ENVELOPE.get(told.type)
    if home is None:
        return None
    if home is not topic:
        raise Unreadable("wrong_topic")
    if key != told.partitionkey.encode():
        raise Unreadable("wrong_key")
    return told


def _is_binary(headers: Collection[tuple[str, bytes | None]]) -> bool:
    return any(name.startswith(BINARY_PREFIX) for name, _ in headers)
