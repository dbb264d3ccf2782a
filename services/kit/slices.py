"""What Faust hands to a host, and what it asks of one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from faust.types import TP

from services.kit.exits import Unavailable

SLICE = 500
"""Most records of a slice."""

Records = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Slice:
    """Records of one partition in offset order, and the range of offsets they stand for.

    Whatever lies from `begins_at` up to `ends_at` and is not among `records` does not exist for a
    reader: transaction markers, aborted or compacted records.
    """

    topic: str
    partition: int
    begins_at: int
    records: Records
    ends_at: int


class Host(Protocol):
    """What a stream does with its partitions.  None of its calls may await anything."""

    def own(self, partitions: frozenset[int]) -> Mapping[tuple[str, int], int | None]:
        """Take these partitions over, and return where to read on; None: from the beginning.

        Called in a thread, with no slice in work, after every rebalance, and behind a `disown`.
        """

    def begin(self, starts: Mapping[tuple[str, int], int]) -> None:
        """Note from where each topic and partition is read; called once after `own`."""

    def disown(self) -> None:
        """Finish what is open and forget all partitions: others may own them from now on."""

    def work(self, piece: Slice) -> None:
        """Apply one slice."""

    def idle(self) -> None:
        """Do what waits for something else than a slice; called twice a second."""

    def commit(self) -> None:
        """Make all that was applied durable."""


class HoleInStream(Exception):
    """Records between the state's position and this slice were never delivered."""


class TornApart(Unavailable):
    """The group gave this worker some topics of a partition number and not the others."""


def numbers(assigned: set[TP], topics: frozenset[str]) -> frozenset[int]:
    """Return the partition numbers of which every topic is assigned; raises `TornApart`."""
    found = frozenset(tp.partition for tp in assigned)
    if len(assigned) != len(found) * len(topics):
        missing = topics - {tp.topic for tp in assigned}
        raise TornApart(
            f"the group did not give this worker all topics of partitions {sorted(found)} "
            f"({', '.join(sorted(missing)) or 'some are with others'}): see that all topics exist and "
            "that only this version runs, then start again"
        )
    return found


def cut(fetched: Mapping[TP, Records]) -> Iterator[tuple[TP, Records]]:
    """Yield slices round robin over the partitions, so that a long one does not starve others."""
    waiting = [
        (tp, iter([records[i : i + SLICE] for i in range(0, len(records), SLICE)]))
        for tp, records in fetched.items()
    ]
    while waiting:
        left = []
        for tp, pieces in waiting:
            piece = next(pieces, None)
            if piece is not None:
                yield tp, piece
                left.append((tp, pieces))
        waiting = left
