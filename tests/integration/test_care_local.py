"""`care local` as a person uses it: up, look, down, and Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from services.cli.__main__ import care as group
from services.contracts.topics import TOPICS
from services.kit.kafka_admin import find_topics
from tests.support.signals import ctrl_c_works

pytestmark = pytest.mark.connected

SECONDS = 120
ADDRESSES = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL")

Care = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Ours, with a state folder of its own, so that nobody's own parts are met."""
    plain = {name: value for name, value in os.environ.items() if name not in ADDRESSES}
    return plain | {"CARE_STATE": str(tmp_path / "state"), "CARE_PARTITIONS": "2"}


@pytest.fixture
def care(environment: dict[str, str]) -> Iterator[Care]:
    """Runs a command; what it left up is ended."""

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "services.cli", *words]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    yield run
    look(environment, "local", "down")


def look(environment: dict[str, str], *words: str) -> Result:
    """Run a command that starts nothing, here: a process would take a second to import it."""
    hidden: dict[str, str | None] = dict.fromkeys(ADDRESSES)
    return CliRunner().invoke(group, words, env=hidden | environment)


def test_up_returns_when_both_can_be_used_and_down_ends_them(
    care: Care, environment: dict[str, str]
) -> None:
    up = care("local", "up", "--detach")
    assert up.returncode == 0, up.stderr

    status = json.loads(look(environment, "local", "status", "--json").stdout)
    assert status["answers"] == {"kafka": True, "postgres": True}
    assert set(find_topics(status["kafka_bootstrap_servers"])) >= {topic.name for topic in TOPICS}
    with psycopg.connect(status["database_url"]) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert status["kafka_bootstrap_servers"] in look(environment, "local", "env").stdout

    again = care("local", "up")
    assert again.returncode == 75
    assert again.stderr.startswith("already up, or starting: `care local status` shows it")
    assert care("local", "up", "--detach").stdout == up.stdout

    assert care("local", "down").stdout == "Stopped.\n"
    assert look(environment, "local", "status").exit_code == 1
    assert not Path(status["folder"]).exists()


def test_in_the_foreground_it_stays_until_ctrl_c(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "services.cli", "local", "up"]
    with ctrl_c_works():
        up = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    with up:
        assert up.stdout is not None
        shown = [up.stdout.readline().split() for _ in range(4)]
        folder = Path(shown[3][1])
        assert folder.is_dir()

        up.send_signal(signal.SIGINT)
        _, told = up.communicate(timeout=SECONDS)

    assert up.returncode == 0
    assert told.splitlines()[-1] == "stopped"
    assert not folder.exists()


def test_a_failure_in_the_background_is_told_in_the_foreground(care: Care) -> None:
    failed = care("local", "up", "--detach", "--dir", "/proc/nowhere")

    assert failed.returncode == 75
    assert failed.stderr.startswith("/proc/nowhere cannot be made")
    assert len(failed.stderr.splitlines()) == 1
