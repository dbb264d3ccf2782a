"""Where the latest value of every key of one changelog partition is kept: in memory, or on disk.

A store never holds more than the changelog does: it is given what was committed, together with the
changelog's position behind it.  So whatever is missing in it can be read from that position on, and
a store that cannot be trusted any more is emptied and filled again.
"""

import shutil
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Protocol, cast
from uuid import UUID

from pydantic import BaseModel, ValidationError
from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteBatch

from services.contracts.topics import TOMBSTONES_KEPT
from services.kit.clock import epoch_seconds
from services.kit.exits import Unavailable
from services.kit.logs import get

Change = tuple[bytes, bytes | None]
"""A key with its latest value; None: it has none any more."""

MAX_AGE_SECONDS = TOMBSTONES_KEPT.total_seconds() / 2
"""A store that was away for longer may have missed that a key is gone, and would keep it for ever."""

_CLOCK_SKEW_SECONDS = 300.0
_MARK = b"\x00store"
_MiB = 1024 * 1024
_BLOCKS = 16 * _MiB
_WRITE_BUFFER = 4 * _MiB
_log = get(__name__)


class StoreKind(StrEnum):
    """Which store to use."""

    MEMORY = "memory"
    """Filled from the changelog at every start."""
    ROCKSDB = "rocksdb"
    """On disk; a start reads only what is missing."""


class Store(Protocol):
    """The latest values of one partition, and how far into the changelog they reach."""

    @property
    def position(self) -> int | None:
        """Where to read on in the changelog; None: from its beginning."""
        ...

    def get(self, key: bytes) -> bytes | None:
        """Return the latest value of this key, if it has one."""
        ...

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key with its value, in no order to rely on."""
        ...

    def keep(self, changes: Iterable[Change], position: int) -> None:
        """Take in what was committed up to this position of the changelog, all or nothing."""
        ...

    def clear(self) -> None:
        """Forget everything, the position too."""
        ...

    def close(self) -> None:
        """Let go of files; nothing else may be called afterwards."""
        ...


class MemoryStore:
    """Keeps values in this process."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._position: int | None = None

    @property
    def position(self) -> int | None:
        """Where to read on in the changelog; None: from its beginning."""
        return self._position

    def get(self, key: bytes) -> bytes | None:
        """Return the latest value of this key, if it has one."""
        return self._values.get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key with its value."""
        yield from self._values.items()

    def keep(self, changes: Iterable[Change], position: int) -> None:
        """Take in what was committed up to this position of the changelog."""
        for key, value in changes:
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value
        self._position = position

    def clear(self) -> None:
        """Forget everything, the position too."""
        self._values.clear()
        self._position = None

    def close(self) -> None:
        """Do nothing: memory goes with the object."""


class _Mark(BaseModel):
    """Stands in the database beside the values, written in one batch with them."""

    topic_id: UUID
    """The changelog's: made anew, its positions mean nothing."""
    position: int
    kept_at: float
    """Seconds since 1970."""


class RocksStore:
    """Keeps values in RocksDB, a folder per partition.

    Its own log makes a batch whole or absent after a crash of the process or of the machine.  What
    it lacks after one is read from the changelog.
    """

    def __init__(self, folder: Path, topic_id: UUID) -> None:
        """Open or make the database.

        Raises:
            Unavailable: another process has it open, or the disk cannot be written.
        """
        self._folder = folder
        self._topic_id = topic_id
        self._position: int | None = None
        self._open()

    @property
    def position(self) -> int | None:
        """Where to read on in the changelog; None: from its beginning."""
        return self._position

    def get(self, key: bytes) -> bytes | None:
        """Return the latest value of this key, if it has one."""
        value: bytes | None = self._db.get(key)
        return value

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key with its value, by key."""
        for key, value in self._db.items():
            if key != _MARK:
                # In raw mode both are bytes; the client's types do not say so.
                yield cast("bytes", key), value

    def keep(self, changes: Iterable[Change], position: int) -> None:
        """Take in what was committed up to this position of the changelog, all or nothing."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        mark = _Mark(topic_id=self._topic_id, position=position, kept_at=epoch_seconds())
        batch.put(_MARK, mark.model_dump_json().encode())
        self._db.write(batch)
        self._position = position

    def clear(self) -> None:
        """Forget everything, the position too."""
        self._db.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._open()

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()

    def _open(self) -> None:
        self._db = _open_or_make_anew(self._folder)
        self._position = self._trusted_position()
        if self._position is None and self._db.get(_MARK) is not None:
            self.clear()

    def _trusted_position(self) -> int | None:
        found = self._db.get(_MARK)
        try:
            mark = None if found is None else _Mark.model_validate_json(found)
        except ValidationError:
            mark = None
        if mark is None:
            return None
        age = epoch_seconds() - mark.kept_at
        is_other_topic = mark.topic_id != self._topic_id
        # A clock that was far ahead would make it young for ever.
        if is_other_topic or not -_CLOCK_SKEW_SECONDS <= age <= MAX_AGE_SECONDS:
            reason = "another changelog" if is_other_topic else f"{age:.0f} s old"
            _log.warning("store_outdated", folder=str(self._folder), reason=reason)
            return None
        return mark.position


def open_store(kind: StoreKind, folder: Path, topic_id: UUID) -> Store:
    """Return the store of one partition; `folder` is its own.

    Raises:
        Unavailable: the folder is in use by another process, or cannot be written.
    """
    return MemoryStore() if kind is StoreKind.MEMORY else RocksStore(folder, topic_id)


def _open_or_make_anew(folder: Path) -> Rdict:
    try:
        return _open_database(folder)
    except Exception as error:
        if "LOCK" in str(error):
            raise Unavailable(
                f"{folder} is in use by another process: give each its own folder"
            ) from error
        # Whatever is wrong with it, the changelog has everything.
        _log.warning("store_unusable", folder=str(folder), error=str(error))
    shutil.rmtree(folder, ignore_errors=True)
    try:
        return _open_database(folder)
    except Exception as error:
        raise Unavailable(f"no store can be kept in {folder}: {error}") from error


def _open_database(folder: Path) -> Rdict:
    folder.mkdir(parents=True, exist_ok=True)
    return Rdict(str(folder), _options())


def _options() -> Options:
    blocks = BlockBasedOptions()
    blocks.set_block_cache(Cache(_BLOCKS))
    blocks.set_bloom_filter(10, block_based=False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_size(_WRITE_BUFFER)
    options.set_max_write_buffer_number(2)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_keep_log_file_num(2)
    return options
