"""What `care local up` notes, others find; what is gone is not found."""

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from services.kit.exits import Unavailable
from services.local import instance
from services.local.instance import Instance
from services.local.processes import Seen


def mine() -> Instance:
    return Instance(
        Seen.of(os.getpid()), "127.0.0.1:1", "postgresql://care:pw@127.0.0.1:2/care", None
    )


def test_a_noted_instance_is_found_until_it_ends(tmp_path: Path) -> None:
    with instance.noted(tmp_path, mine()):
        assert instance.find(tmp_path) == mine()

    assert instance.find(tmp_path) is None


def test_the_note_holds_a_password_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    with instance.noted(tmp_path, mine()):
        assert stat.S_IMODE((tmp_path / "local.json").stat().st_mode) == 0o600


def test_a_note_of_a_process_that_is_gone_counts_as_none(tmp_path: Path) -> None:
    gone = replace(mine(), owner=Seen(os.getpid(), created=1.0))
    with instance.noted(tmp_path, gone):
        assert instance.find(tmp_path) is None


def test_an_unreadable_note_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "local.json").write_text("{")

    assert instance.find(tmp_path) is None


def test_only_one_keeps_parts_for_a_checkout(tmp_path: Path) -> None:
    with (
        instance.claim(tmp_path),
        pytest.raises(Unavailable, match="care local down"),
        instance.claim(tmp_path),
    ):
        pass


def test_the_owner_is_asked_to_end() -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print(flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        instance.end(replace(mine(), owner=Seen.of(owner.pid)))

        assert owner.wait(1) == 7
