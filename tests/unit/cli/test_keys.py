"""`care keys`: made once, listed without a secret, revoked for good."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.cli.__main__ import care
from services.kit import key_file
from services.kit.api_keys import Denial, Keys
from services.kit.clock import SystemClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def run(*words: str) -> Result:
    return CliRunner().invoke(care, ["keys", *words])


def create(path: Path, *words: str) -> Result:
    known = ["--client", "desk", "--scope", "outreach:read", "--scope", "outreach:act"]
    return run("create", "--file", str(path), *known, *words)


def test_a_key_is_shown_once_and_opens(path: Path) -> None:
    done = create(path)

    text = done.stdout.strip()
    assert done.exit_code == 0, done.output
    now = SystemClock().now()
    key = Keys(key_file.read(path), now).find(text, now)
    assert not isinstance(key, Denial)
    assert key.may("outreach:act")
    assert text.split("_", 2)[2] not in path.read_text() + run("list", "--file", str(path)).output
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_client_has_two_keys_until_one_is_revoked(path: Path) -> None:
    first, second = (
        json.loads(create(path, "--json").stdout),
        json.loads(create(path, "--json").stdout),
    )
    assert first["key"] != second["key"]
    refused = create(path)
    assert refused.exit_code == 2
    assert "client desk has more than 2 keys in force" in refused.output

    assert run("revoke", "--file", str(path), first["id"]).exit_code == 0

    assert create(path).exit_code == 0
    listed = json.loads(run("list", "--file", str(path), "--json").stdout)
    assert [row["state"] for row in listed] == ["revoked", "active", "active"]
    assert listed[0].keys() == {
        *("id", "client", "scopes", "not_after", "events_per_second", "burst", "state")
    }


def test_a_key_may_be_for_some_events_and_has_its_own_rate(path: Path) -> None:
    scope, rate = "publish:care.order.*@/shop/*", ("--events-per-second", "5", "--burst", "20")

    made = json.loads(create(path, "--json", "--scope", scope, *rate).stdout)

    assert made["scopes"][-1] == scope
    (key,) = key_file.read(path)
    assert (key.events_per_second, key.burst) == (5, 20)


def test_a_day_counts_to_its_end(path: Path) -> None:
    made = json.loads(create(path, "--json", "--not-after", "2099-01-31").stdout)

    assert made["not_after"] == "2099-02-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--not-after", "2020-01-01"], "has passed already"),
        (["--not-after", "soon"], "is no instant"),
        (["--not-after", "2099-01-31T12:00"], "has no zone"),
        (["--client", "Care Desk"], "lower-case letters"),
        (["--scope", "with space"], "a scope such as"),
        (["--scope", "publish:care.*.v1@/shop"], "a scope such as"),
        (["--scope", "publish:care.order.*@"], "a scope such as"),
        (["--scope", "publish:care.order.*@/a*b"], "a scope such as"),
        (["--events-per-second", "0"], "is not in the range"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_written(
    path: Path, words: list[str], said: str
) -> None:
    done = create(path, *words)

    assert done.exit_code == 2
    assert said in done.output
    assert not path.exists()


def test_an_unknown_key_is_not_revoked(path: Path) -> None:
    create(path)

    done = run("revoke", "--file", str(path), "0000000000000000")

    assert done.exit_code == 2
    assert "there is no key" in done.output


def test_an_empty_file_has_no_key(path: Path) -> None:
    key_file.write(path, [])

    assert run("list", "--file", str(path)).output == "no key\n"


STEPPED = """
import fcntl, sys
from services.cli.__main__ import care
from services.kit import key_file

read, lock = key_file.read, fcntl.flock

def read_and_wait(path):
    known = read(path)
    print("has read", flush=True)
    sys.stdin.readline()
    return known

def lock_and_tell(descriptor, how):
    try:
        lock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waits", flush=True)
        lock(descriptor, how)

key_file.read, fcntl.flock = read_and_wait, lock_and_tell
care(["keys", *sys.argv[1:]])
"""
"""`care keys` that tells when it has read the file and goes on at a line; or that it waits for another."""


@pytest.mark.parametrize("second", ["create", "revoke"])
def test_of_two_at_once_neither_is_lost(path: Path, second: str) -> None:
    old = json.loads(create(path, "--json").stdout)["id"]
    make = ["create", "--file", str(path), "--scope", "outreach:read", "--client"]
    later = [*make, "later"] if second == "create" else ["revoke", "--file", str(path), old]

    with ExitStack() as stack:

        def start(*words: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", STEPPED, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        one = start(*make, "first")
        assert one.stdout is not None
        assert one.stdout.readline() == "has read\n"
        other = start(*later)
        assert other.stdout is not None
        # By now it waits, or has read what is about to change.
        other.stdout.readline()
        one.communicate("\n")
        other.communicate("\n")

    assert (one.returncode, other.returncode) == (0, 0)
    known = {key.client: key for key in key_file.read(path)}
    assert known.keys() >= {"desk", "first"}
    assert "later" in known if second == "create" else known["desk"].revoked
    assert list(path.parent.iterdir()) == [path]
