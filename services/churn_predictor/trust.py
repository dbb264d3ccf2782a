"""Whether state may be gone on from: it was written over these topics, and for so many partitions.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter

from services.churn_predictor.state import FORMAT, PARTITION, PartitionState
from services.contracts import topics as t


class Moved(Exception):
    """The topic under this state is another one than the state was made from."""


class LaidOutOtherwise(Exception):
    """The state was written for another number of partitions, which the message tells."""


class WrittenByNewer(Exception):
    """A newer version wrote this, in the format that the message tells: to go on would lose some of it."""


@dataclass(frozen=True, slots=True)
class _Written:
    """What must be known of an entry before the rest of it is read."""

    format: int = FORMAT


_WRITTEN: TypeAdapter[_Written] = TypeAdapter(_Written)


def refuse_newer(entry: bytes) -> None:
    """Look at the format of an entry alone: what else is in a newer one may be nothing that can be read.

    Raises:
        WrittenByNewer: this version would lose something of it.
        ValidationError: it tells no format.
    """
    written = _WRITTEN.validate_json(entry).format
    if written > FORMAT:
        raise WrittenByNewer(written)


def read_state(entry: bytes) -> PartitionState:
    """Return the state of a partition in an entry; raises as `refuse_newer`."""
    refuse_newer(entry)
    return PARTITION.validate_json(entry)


def trust(state: PartitionState, topic_ids: Mapping[str, UUID], partitions: int) -> None:
    """Go on from this state, which notes what it did not say yet of where it belongs.

    Raises:
        Moved: a topic was made anew since; its offsets mean nothing now.
        LaidOutOtherwise: its customers belong to other partitions by now.
    """
    state.format = FORMAT
    for name, source in state.sources.items():
        if source.topic_id != topic_ids[name]:
            raise Moved(name)
    changelog = t.FACTS_CHANGELOG.name
    state.changelog_id = state.changelog_id or topic_ids[changelog]
    if state.changelog_id != topic_ids[changelog]:
        raise Moved(changelog)
    state.layouts = state.layouts or (partitions,)
    if state.layouts[-1] != partitions:
        raise LaidOutOtherwise(state.layouts[-1])
