"""The parts' folders: fresh ones go, kept ones stay as they were."""

import os
import stat
from pathlib import Path

import pytest

from services.kit.exits import Unavailable
from services.local import folders
from services.local.account import Account, everyone_reaches
from services.local.folders import fresh, kept

NOBODY = Account(65534, 65534)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_fresh_folder_is_our_own_and_goes_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "temporary_bases", lambda: (tmp_path,))
    with fresh(None) as ledger:
        assert ledger.folder.parent == tmp_path
        assert mode(ledger.folder) == 0o700

    assert list(tmp_path.iterdir()) == []


def test_root_takes_a_folder_that_nobody_reaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, opened = tmp_path / "closed", Path("/var/tmp")
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(folders, "temporary_bases", lambda: (closed, opened))

    with fresh(NOBODY) as ledger:
        assert ledger.folder.parent == opened
        assert mode(ledger.folder) == 0o711


def test_where_nobody_reaches_nothing_the_message_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.delenv("CARE_LOCAL_TMPDIR", raising=False)
    monkeypatch.setattr(folders, "temporary_bases", lambda: (tmp_path,))

    with pytest.raises(Unavailable, match="set TMPDIR"), fresh(NOBODY):
        pass


def test_a_folder_under_a_closed_one_is_not_reached(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "open"
    inner.mkdir(parents=True)
    inner.chmod(0o777)
    inner.parent.chmod(0o700)

    assert not everyone_reaches(inner)
    assert not everyone_reaches(tmp_path / "absent")
    assert everyone_reaches(Path("/"))


def test_a_kept_folder_stays_with_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with kept(tmp_path, None):
        pass

    assert mode(tmp_path) == 0o750


def test_a_kept_folder_has_one_user_at_a_time(tmp_path: Path) -> None:
    with (
        kept(tmp_path, None),
        pytest.raises(Unavailable, match="in use by process"),
        kept(tmp_path, None),
    ):
        pass


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Unavailable, match=r"cannot be made .*--dir"), kept(tmp_path / "file", None):
        pass


def test_the_cache_can_be_put_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARE_CACHE", str(tmp_path / "cache"))

    assert folders.cache_folder() == tmp_path / "cache"
    assert (tmp_path / "cache").is_dir()


def test_what_is_thrown_away_can_be_put_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARE_LOCAL_TMPDIR", str(tmp_path))
    with fresh(None) as ledger:
        assert ledger.folder.parent == tmp_path

    monkeypatch.delenv("CARE_LOCAL_TMPDIR")
    assert tmp_path not in folders.temporary_bases()


@pytest.mark.parametrize("account", [None, NOBODY])
@pytest.mark.parametrize("name", ["absent", "closed"])
def test_a_chosen_folder_is_used_or_refused(
    name: str, account: Account | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("CARE_LOCAL_TMPDIR", str(tmp_path / name))

    with pytest.raises(Unavailable, match=f"CARE_LOCAL_TMPDIR=.*{name} is no"), fresh(account):
        pass


def test_a_folder_behind_a_closed_one_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setenv("CARE_LOCAL_TMPDIR", str(tmp_path))
    monkeypatch.setattr(os, "stat", closed)

    assert folders.temporary_bases() == ()


def test_what_was_left_in_memory_is_looked_for_by_who_does_not_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MEMORY", tmp_path)
    monkeypatch.delenv("CARE_LOCAL_TMPDIR", raising=False)

    assert tmp_path not in folders.temporary_bases()
    assert set(folders.former_bases()) == {*folders.temporary_bases(), tmp_path}


def test_a_checkout_notes_what_it_started_in_its_own_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CARE_STATE", raising=False)

    assert folders.state_folder() == Path(__file__).parents[3] / ".care"
