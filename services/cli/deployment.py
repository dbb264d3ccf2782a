"""What lies on the topics of a deployment, for commands that learn from it or add to it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from services.cli.progress import seldom
from services.contracts.stream import Tick
from services.contracts.topics import TICKS, Topic
from services.kit.kafka_admin import check_topics
from services.kit.kafka_clients import end_offsets, open_consumer, reaching
from services.kit.progress import Tell
from services.kit.topic_reader import TopicReader

_LAST_TICKS = 10
"""One would do, if a transaction's marker never lay behind it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the topics of a deployment are."""

    bootstrap: str
    prefix: str
    partitions: int

    def records(self, wanted: Sequence[Topic], tell: Tell) -> Iterator[tuple[Topic, Any]]:
        """Yield every record on these topics, one topic after the other.

        So of two events under one id the same one always comes first.

        Raises:
            Unavailable: no broker answers, a topic is missing or has another number of partitions,
                or the broker fell silent on the way.
        """
        self._check(wanted)
        with closing(self._reader()) as reader:
            for topic in wanted:
                yield from reader.records([topic], progress=telling_of(topic, tell))

    def latest_tick(self) -> datetime | None:
        """Return the deployment's time; None: it has had no tick lately.

        Raises:
            Unavailable: as above.
        """
        self._check([TICKS])
        with closing(self._reader()) as reader:
            found = reader.records([TICKS], last=_LAST_TICKS)
            moments = [_time_in(record.value) for _, record in found]
        return max((moment for moment in moments if moment is not None), default=None)

    def has_begun(self) -> bool:
        """Return whether there was ever a tick, also where retention has taken it.

        Raises:
            Unavailable: as above.
        """
        self._check([TICKS])
        ticks = TICKS.physical(self.prefix)
        with closing(open_consumer(self.bootstrap)) as consumer, reaching(self.bootstrap):
            return any(end_offsets(consumer, [ticks], self.partitions)[ticks])

    def _check(self, wanted: Sequence[Topic]) -> None:
        check_topics(self.bootstrap, wanted, partitions=self.partitions, prefix=self.prefix)

    def _reader(self) -> TopicReader:
        return TopicReader(self.bootstrap, prefix=self.prefix, partitions=self.partitions)


def _time_in(value: bytes | None) -> datetime | None:
    try:
        return Tick.model_validate_json(value or b"").at
    except ValidationError:
        return None


def telling_of(topic: Topic, tell: Tell) -> Callable[[int, int], None]:
    """Return who tells now and then how far a topic is read."""
    told = seldom(tell)
    return lambda done, total: told(f"reading {topic.name}: {done:,} of {total:,}")
