"""Dead letters: the original bytes and headers, with why they could not be read and where they stood."""

from collections.abc import Sequence

from services.contracts.topics import PERSONAL, Topic

Headers = list[tuple[str, bytes]]

REASON = "care-dead-letter-reason"
DETAIL = "care-dead-letter-detail"
TOPIC = "care-dead-letter-topic"
PARTITION = "care-dead-letter-partition"
OFFSET = "care-dead-letter-offset"
SERVICE = "care-dead-letter-service"

_LONGEST_DETAIL = 1000


def headers_for(
    *,
    service: str,
    reason: str,
    detail: str,
    topic: Topic,
    partition: int,
    offset: int,
    original: Sequence[tuple[str, bytes | None]] = (),
) -> Headers:
    """Return the headers of a dead letter: the original ones first, ours after them.

    For topics that hold personal data the original headers are left out, as the bytes are.
    """
    kept = [] if topic in PERSONAL else [(name, value or b"") for name, value in original]
    ours = {
        REASON: reason,
        DETAIL: detail[:_LONGEST_DETAIL],
        TOPIC: topic.name,
        PARTITION: str(partition),
        OFFSET: str(offset),
        SERVICE: service,
    }
    return [*kept, *((name, text.encode()) for name, text in ours.items())]


def body_for(topic: Topic, value: bytes | None) -> bytes | None:
    """Return the bytes to keep: the original, or none where they may be personal."""
    return None if topic in PERSONAL else value


def read_header(headers: Sequence[tuple[str, bytes | None]], name: str) -> str | None:
    """Return the last value of this header as text, or None."""
    for key, value in reversed(headers):
        if key == name:
            return None if value is None else value.decode("utf-8", "replace")
    return None
