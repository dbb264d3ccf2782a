"""Both stores obey one suite; the one on disk outlives its process, or is emptied."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from services.kit import stores
from services.kit.clock import epoch_seconds
from services.kit.exits import Unavailable
from services.kit.stores import MemoryStore, RocksStore, Store, StoreKind, open_store

TOPIC = UUID(int=1)


@pytest.fixture(params=StoreKind)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(request.param, tmp_path / "store", TOPIC)
    yield opened
    opened.close()


def test_a_new_store_is_empty_and_says_to_read_from_the_beginning(store: Store) -> None:
    assert store.position is None
    assert dict(store.items()) == {}
    assert store.get(b"a") is None


def test_the_latest_value_of_each_key_is_kept_with_the_position(store: Store) -> None:
    store.keep([(b"a", b"1"), (b"b", b"1"), (b"a", b"2")], 3)
    store.keep([(b"b", None), (b"c", None), (b"\x00partition-0", b"{}")], 7)

    assert dict(store.items()) == {b"a": b"2", b"\x00partition-0": b"{}"}
    assert store.get(b"a") == b"2"
    assert store.get(b"b") is None
    assert store.position == 7


def test_a_cleared_store_is_as_good_as_new(store: Store) -> None:
    store.keep([(b"a", b"1")], 3)
    store.clear()

    assert store.position is None
    assert dict(store.items()) == {}
    store.keep([(b"a", b"2")], 1)
    assert store.get(b"a") == b"2"


def reopened(folder: Path, topic: UUID = TOPIC) -> tuple[int | None, dict[bytes, bytes]]:
    store = RocksStore(folder, topic)
    found = store.position, dict(store.items())
    store.close()
    return found


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A store on disk that was closed with something in it."""
    store = RocksStore(tmp_path / "store", TOPIC)
    store.keep([(b"a", b"1")], 3)
    store.close()
    return tmp_path / "store"


def test_what_is_on_disk_is_there_after_a_restart(left: Path) -> None:
    assert reopened(left) == (3, {b"a": b"1"})


def test_a_changelog_made_anew_empties_the_store(left: Path) -> None:
    assert reopened(left, UUID(int=2)) == (None, {})


def test_a_store_that_may_have_missed_a_deletion_is_emptied(
    left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = epoch_seconds()
    monkeypatch.setattr(stores, "epoch_seconds", lambda: now + stores.MAX_AGE_SECONDS - 60)
    assert reopened(left) == (3, {b"a": b"1"})

    monkeypatch.setattr(stores, "epoch_seconds", lambda: now + stores.MAX_AGE_SECONDS + 60)
    assert reopened(left) == (None, {})


def test_a_store_from_a_clock_that_was_far_ahead_is_emptied(
    left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = epoch_seconds()
    monkeypatch.setattr(stores, "epoch_seconds", lambda: now - 3600)

    assert reopened(left) == (None, {})


@pytest.mark.parametrize("damage", ["CURRENT", "MANIFEST-*"])
def test_a_damaged_store_is_made_anew(left: Path, damage: str) -> None:
    for file in left.glob(damage):
        file.write_bytes(b"damaged")

    assert reopened(left) == (None, {})


def test_a_mark_nobody_can_read_empties_the_store(left: Path) -> None:
    store = RocksStore(left, TOPIC)
    store._db[b"\x00store"] = b"{"
    store.close()

    assert reopened(left) == (None, {})


def test_a_folder_in_use_is_refused_in_one_line(tmp_path: Path) -> None:
    first = RocksStore(tmp_path / "store", TOPIC)
    try:
        with pytest.raises(Unavailable, match="in use by another process"):
            RocksStore(tmp_path / "store", TOPIC)
    finally:
        first.close()


def test_a_place_where_no_folder_can_be_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(Unavailable, match="no store can be kept"):
        RocksStore(tmp_path / "file" / "store", TOPIC)


def test_the_kind_chooses_the_store(tmp_path: Path) -> None:
    opened: Callable[[StoreKind], Store] = lambda kind: open_store(kind, tmp_path / "s", TOPIC)  # noqa: E731

    assert isinstance(opened(StoreKind.MEMORY), MemoryStore)
    disk = opened(StoreKind.ROCKSDB)
    assert isinstance(disk, RocksStore)
    disk.close()
