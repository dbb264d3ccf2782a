"""Letters between partitions that wait for their reader while a deployment is moved to more of them."""

from collections.abc import Callable, Iterator, Mapping

from services.churn_predictor.moves import read_move
from services.churn_predictor.records import read_plain
from services.churn_predictor.relocation import UnknownEntry
from services.churn_predictor.state import PartitionState
from services.churn_predictor.trust import WrittenByNewer
from services.contracts import topics as t
from services.contracts.events import Unreadable
from services.contracts.stream import HistoryNews
from services.contracts.topics import Topic
from services.kit.changelog import Expired, Stretch, read_on


class LetterLost(Exception):
    """A letter between partitions can be read by nobody; the message tells where it lies."""


def read_news(value: bytes | None) -> HistoryNews:
    """Return the news of histories in a record; raises `Unreadable`."""
    return read_plain(HistoryNews, value)


def unread(
    bootstrap: str, prefix: str, topic: Topic, number: int, own: PartitionState
) -> Iterator[Stretch]:
    """Yield what the partition of this number was sent on a topic and has not read; raises as `read_on`."""
    source = own.sources.get(topic.name)
    if source is not None:
        yield from read_on(bootstrap, topic.physical(prefix), number, source.next_offset)


def check(bootstrap: str, prefix: str, states: Mapping[int, PartitionState]) -> None:
    """Read every letter that waits for a partition: it will be written anew, to whom it belongs then.

    Raises:
        LetterLost: one is none, or is there no more; its reader goes on behind it.
        UnknownEntry: a newer version wrote one.
    """
    readers: dict[Topic, Callable[[bytes | None], object]] = {
        t.HISTORIES: read_news,
        t.MOVES: read_move,
    }
    for number, state in states.items():
        for topic, read in readers.items():
            place = f"{topic.physical(prefix)}-{number}"
            try:
                for stretch in unread(bootstrap, prefix, topic, number, state):
                    for _, value in stretch.changes:
                        read(value)
            except (Unreadable, Expired) as error:
                raise LetterLost(f"a letter on {place} cannot be read ({error})") from None
            except WrittenByNewer as newer:
                raise UnknownEntry(f"letters on {place} in format {newer}") from None
