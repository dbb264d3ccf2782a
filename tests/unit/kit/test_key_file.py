"""The file of keys: what it takes, how it is changed, and what a change does to who reads it."""

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.kit import key_file
from services.kit.api_keys import Denial
from services.kit.exits import Unavailable
from services.kit.watched_file import WatchedFile
from tests.unit.kit.test_api_keys import NOW, made

KEY, TEXT = made(not_after=datetime(2030, 1, 1, tzinfo=UTC))
OTHER, OTHER_TEXT = made(seed=2)
THIRD, _ = made(seed=3)


def entry(**changes: Any) -> dict[str, Any]:
    known = {"id": KEY.key_id, "client": "desk", "sha256": KEY.sha256, "scopes": ["outreach:read"]}
    return {**known, **changes}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_what_is_written_is_read_and_is_its_owners_alone(path: Path) -> None:
    key_file.write(path, [KEY, OTHER])

    assert key_file.read(path) == (KEY, OTHER)
    assert path.stat().st_mode & 0o777 == 0o600
    assert TEXT.split("_", 2)[2] not in path.read_text()
    assert list(path.parent.iterdir()) == [path]


def test_who_could_read_it_still_can(path: Path) -> None:
    """A service that may no longer read the file goes on with the keys it knew: none would be revoked."""
    key_file.write(path, [KEY])
    path.chmod(0o640)
    group = path.stat().st_gid if os.geteuid() else 4242
    os.chown(path, -1, group)

    key_file.write(path, [KEY, OTHER])

    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_gid == group


def test_a_link_stays_a_link(path: Path) -> None:
    real = path.with_name("real.json")
    real.write_text('{"keys": []}')
    path.symlink_to(real)

    key_file.write(path, [KEY])

    assert path.is_symlink()
    assert key_file.read(real) == (KEY,)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\xff", "is no text"),
        (b"", "no file of keys"),
        (b"[]", "no file of keys"),
        (b'{"keys": [], "more": 1}', "more: Extra inputs"),
        *(
            (json.dumps({"keys": [entry(**{name: wrong})]}).encode(), f"keys.0.{name}")
            for name, wrong in {
                "id": "UPPER",
                "client": "Big Name",
                "sha256": "canary",
                "scopes": [],
                "not_after": "2026-01-01T00:00:00",
                "secret": "canary",
            }.items()
        ),
        (json.dumps({"keys": [entry(), entry()]}).encode(), "two keys have the same id"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(
    path: Path, content: bytes, fault: str
) -> None:
    path.write_bytes(content)

    with pytest.raises(Unavailable, match=fault) as caught:
        key_file.usable(path, NOW)

    assert "care keys create" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_file_that_is_not_there_says_how_to_make_it(path: Path) -> None:
    with pytest.raises(Unavailable, match=r"keys.json cannot be read .*care keys create"):
        key_file.usable(path, NOW)


def test_a_third_key_of_a_client_is_refused_to_a_service_and_can_still_be_revoked(
    path: Path,
) -> None:
    key_file.write(path, [KEY, OTHER, THIRD])

    with pytest.raises(Unavailable, match=r"desk has more than 2 .*care keys revoke"):
        key_file.usable(path, NOW)
    assert len(key_file.read(path)) == 3


def test_a_changed_file_counts_at_once_and_a_broken_one_changes_nothing(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key_file.write(path, [KEY])
    watched = key_file.watched(path, lambda: NOW)
    assert watched.current().find(OTHER_TEXT, NOW) is Denial.UNKNOWN

    key_file.write(path, [OTHER])
    assert watched.current().find(OTHER_TEXT, NOW) == OTHER
    assert watched.current().find(TEXT, NOW) is Denial.UNKNOWN

    path.write_text("{")
    for _ in range(3):
        assert watched.current().find(OTHER_TEXT, NOW) == OTHER
    path.unlink()
    assert watched.current().find(OTHER_TEXT, NOW) == OTHER
    assert capsys.readouterr().out.count("api_keys_unreadable") == 2

    assert watched.is_at_fault()

    key_file.write(path, [KEY, OTHER])
    assert watched.current().find(TEXT, NOW) == KEY
    assert not watched.is_at_fault()


def test_a_file_is_read_again_when_who_may_read_it_has_changed(path: Path) -> None:
    path.write_text("one")
    reads: list[str] = []
    watched = WatchedFile(path, lambda path: reads.append(path.read_text()), "test")
    watched.current()

    path.chmod(0o640)
    watched.current()

    assert reads == ["one", "one"]


def test_who_waited_for_a_lock_that_is_removed_takes_the_one_that_is_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever comes next would lock another file, and both would change the keys."""
    beside = path.with_name(".keys.json.lock")
    lock, locked = fcntl.flock, list[int]()

    def removed_at_first(descriptor: int, how: int) -> None:
        if not locked:
            beside.unlink()
        locked.append(descriptor)
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", removed_at_first)

    with key_file.changing(path):
        assert len(locked) == 2
        assert beside.exists()
    assert not beside.exists()


def test_nobody_writes_where_nobody_may(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="name another --file"):
        key_file.write(tmp_path / "absent" / "keys.json", [KEY])
    with pytest.raises(Unavailable, match="name another --file"):
        key_file.changing(tmp_path / "absent" / "keys.json").__enter__()
