"""Brings partitions into memory, up to date and fenced, and keeps what may be needed again."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from services.churn_predictor.partition import Partition
from services.churn_predictor.state import FORMAT
from services.churn_predictor.trust import LaidOutOtherwise, Moved, WrittenByNewer
from services.contracts import topics as t
from services.kit.changelog import Truncated, read_on
from services.kit.exits import Unavailable
from services.kit.logs import get
from services.kit.stores import Store
from services.kit.transactions import TransactionalWriter

_RESTORING = 8
_log = get(__name__)


@dataclass(frozen=True, slots=True)
class Deployment:
    """Which topics on which broker."""

    bootstrap: str
    prefix: str
    partitions: int


TopicIds = Mapping[str, UUID]
"""Logical name → the topic's id on the broker."""


@dataclass(slots=True)
class Owned:
    """One partition of this process: its state, where that is kept, and who writes for it."""

    partition: Partition
    store: Store
    writer: TransactionalWriter
    changelog: str
    has_news: bool = False
    """Whether anything was applied since the last commit."""
    _position: int = field(default=0, init=False)
    _has_gone_back: bool = field(default=False, init=False)

    def commit(self) -> None:
        """Make all that was applied durable and visible: outputs, state and positions at once."""
        if not self.has_news:
            return
        changes = list(self.partition.changes())
        for key, value in changes:
            self.writer.write(
                self.changelog, self.partition.number, key, value, delivered=self._delivered
            )
        self.writer.commit()
        if self._has_gone_back:
            raise Unavailable(
                f"{self.changelog} was made anew while this process worked: stop every worker, make it "
                "anew once more, and start from an empty state"
            )
        # Only now: a store that knows more than the changelog could not be trusted again.
        self.store.keep(changes, self._position)
        self.partition.settle()
        self.has_news = False

    def _delivered(self, error: Any, message: Any) -> None:
        if error is None:
            self._has_gone_back |= message.offset() < self._position
            self._position = message.offset() + 1


@dataclass(slots=True)
class Vault:
    """All partitions that this process has or had."""

    deployment: Deployment
    transactional_id: str
    """Of partition 3 it is this and `-3`."""
    new_partition: Callable[[int, Store], Partition]
    open_store: Callable[[int, UUID], Store]
    find_topics: Callable[[], TopicIds]
    """Asks the broker: a topic may have been made anew since the last time."""
    _kept: dict[int, Owned] = field(default_factory=dict, init=False)

    @property
    def _changelog(self) -> str:
        return t.FACTS_CHANGELOG.physical(self.deployment.prefix)

    def fetch(self, numbers: Iterable[int]) -> dict[int, Owned]:
        """Return these partitions, each as its changelog has it, and fence whoever had them before.

        Raises:
            Unavailable: a topic was made anew, a store's folder cannot be used, or what is stored was written
                by a newer version, for other partitions or with another key.
        """
        wanted = sorted(numbers)
        for number in self._kept.keys() - set(wanted):
            # Somebody else's now: what is in memory would be stale, what is on disk stays there.
            self._kept.pop(number).store.close()
        if not wanted:
            return {}
        topic_ids = self.find_topics()
        # Mostly waiting for the broker: side by side it takes as long as the slowest.
        with ThreadPoolExecutor(_RESTORING) as pool:
            # All at once before anything is read: whoever comes later must fence us, not we them.
            writers = list(pool.map(self._open_writer, wanted))
            found = pool.map(partial(self._fetch, topic_ids), wanted, writers)
            return dict(zip(wanted, found, strict=True))

    def put_back(self, owned: Mapping[int, Owned]) -> None:
        """Keep committed partitions for the case that they are fetched again."""
        self._kept.update(owned)

    def _open_writer(self, number: int) -> TransactionalWriter:
        name = f"{self.transactional_id}-{number}"
        return TransactionalWriter(self.deployment.bootstrap, name, t.MAX_STATE_BYTES)

    def _fetch(self, topic_ids: TopicIds, number: int, writer: TransactionalWriter) -> Owned:
        try:
            return self._up_to_date(topic_ids, number, writer)
        except WrittenByNewer as newer:
            # By any entry: the partition's own comes last.
            raise written_by_newer(newer) from None

    def _up_to_date(self, topic_ids: TopicIds, number: int, writer: TransactionalWriter) -> Owned:
        kept = self._kept.pop(number, None)
        partition, store = (
            (kept.partition, kept.store) if kept is not None else self._open(number, topic_ids)
        )
        partition = self._catch_up(partition, store)
        self._check(partition, topic_ids)
        return Owned(partition, store, writer, self._changelog)

    def _open(self, number: int, topic_ids: TopicIds) -> tuple[Partition, Store]:
        store = self.open_store(number, topic_ids[t.FACTS_CHANGELOG.name])
        partition = self.new_partition(number, store)
        partition.take_in(store.items())
        return partition, store

    def _catch_up(self, partition: Partition, store: Store) -> Partition:
        """Return the partition with everything that is committed; a new one where the old was wrong."""
        try:
            self._read_on(partition, store)
        except Truncated as error:
            _log.warning("store_beyond_changelog", partition=partition.number, error=str(error))
            store.clear()
            partition = self.new_partition(partition.number, store)
            self._read_on(partition, store)
        return partition

    def _read_on(self, partition: Partition, store: Store) -> None:
        began_at, read = store.position, 0
        for stretch in read_on(
            self.deployment.bootstrap, self._changelog, partition.number, began_at
        ):
            store.keep(stretch.changes, stretch.position)
            partition.take_in(stretch.changes)
            read += len(stretch.changes)
        _log.info(
            "partition_owned", partition=partition.number, restored=read, began_at=began_at or 0
        )

    def _check(self, partition: Partition, topic_ids: TopicIds) -> None:
        if partition.identities.is_of_another_key:
            raise Unavailable(
                "erased and merged customers were remembered with another key: set "
                "CARE_CHURN_PREDICTOR_SUPPRESSION_KEY_FILE as it was then; a new key is appended to it"
            )
        try:
            partition.trust(topic_ids)
        except Moved as moved:
            topic = f"{self.deployment.prefix}{moved}"
            raise Unavailable(
                f"topic {topic} was made anew since this state was written, so it cannot be "
                f"gone on from: stop every worker and make {self._changelog} anew, to start from an empty one"
            ) from None
        except LaidOutOtherwise as before:
            raise laid_out_otherwise(f"{before}", self.deployment.partitions) from None


def written_by_newer(newer: WrittenByNewer) -> Unavailable:
    """Return what to do where a newer version's state is met."""
    return Unavailable(
        f"a newer version wrote this state, in format {newer}, and this one knows up to {FORMAT}: to go on "
        "would lose some of it; start the newer version here"
    )


def laid_out_otherwise(before: str, partitions: int) -> Unavailable:
    """Return what to do where state belongs to another number of partitions than there are."""
    return Unavailable(
        f"the state was written for {before} partitions, and every topic has {partitions} now: stop every "
        f"worker and run `care partitions move --from {before} --to {partitions}`"
    )
