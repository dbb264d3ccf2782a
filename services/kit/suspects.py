"""Finds the record that ends the process whenever it is applied, and lets it be set aside.

Before records are applied a note on disk says which; it is taken away when they are done.  A note
found at a start was left by a life that ended in them: from there on records are applied singly,
so that the next note names one.  A record that ended three lives in a row is deadly.

The disk need not outlive the machine, only the process: without it nothing is ever set aside.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

DEADLY_AFTER = 3
"""Lives in a row that a record has to end before it is set aside."""

Records = Sequence[Any]


class Note(BaseModel):
    """What was being applied when the note was written."""

    topic: str
    offset: int
    """The first record's."""
    is_single: bool
    """Whether it was the only one."""
    ended: int
    """Lives that ended here in a row before this one."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Records to be applied together.

    A deadly one is not to be applied at all; commit that at once: the note names one record only.
    """

    records: Records
    is_deadly: bool = False


class Suspects:
    """One note per partition, in a folder of this consumer group's own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._found: dict[int, Note] = {}

    def recall(self, partition: int) -> None:
        """Look for a note of the life before; call it when the partition is taken over."""
        self._found.pop(partition, None)
        try:
            note = Note.model_validate_json(self._file(partition).read_bytes())
        except (FileNotFoundError, ValidationError):
            return
        self._found[partition] = note.model_copy(update={"ended": note.ended + 1})

    def portions(self, topic: str, partition: int, records: Records) -> Iterator[Portion]:
        """Yield the records in portions, each noted while the caller applies it."""
        found = self._found.get(partition)
        if found is None or found.topic != topic or not records:
            yield from self._together(topic, partition, records)
            return
        yield from self._together(topic, partition, [r for r in records if r.offset < found.offset])
        for record in records:
            if record.offset >= found.offset:
                yield self._singly(topic, partition, record, found)

    def done(self, partition: int, topic: str, next_offset: int) -> None:
        """Take the note away: everything before this offset of the topic is applied."""
        self._file(partition).unlink(missing_ok=True)
        found = self._found.get(partition)
        if found is not None and found.topic == topic and found.offset < next_offset:
            del self._found[partition]

    def _together(self, topic: str, partition: int, records: Records) -> Iterator[Portion]:
        if records:
            self._note(
                partition, Note(topic=topic, offset=records[0].offset, is_single=False, ended=0)
            )
            yield Portion(records)

    def _singly(self, topic: str, partition: int, record: Any, found: Note) -> Portion:
        is_same = found.is_single and record.offset == found.offset
        if is_same and found.ended >= DEADLY_AFTER:
            return Portion([record], is_deadly=True)
        # Of one that was not noted by itself, one life is known: the one that ended in its company.
        ended = found.ended if is_same else 1
        self._note(partition, Note(topic=topic, offset=record.offset, is_single=True, ended=ended))
        return Portion([record])

    def _note(self, partition: int, note: Note) -> None:
        self._file(partition).write_text(note.model_dump_json(), encoding="utf-8")

    def _file(self, partition: int) -> Path:
        return self._folder / f"{partition}.json"
