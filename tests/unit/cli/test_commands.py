"""The command line as a person meets it: help, usage errors, and what it says when nothing is up."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from services.cli import topics
from services.cli.__main__ import COMMANDS, care
from services.contracts.topics import TOPICS
from services.kit.kafka_admin import FoundTopic
from services.local import instance
from services.local.instance import Instance
from services.local.processes import Seen

VARIABLES = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "CARE_PARTITIONS", "CARE_TOPIC_PREFIX")


@pytest.fixture(autouse=True)
def plain_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CARE_STATE", str(tmp_path / "state"))


def run(*words: str) -> Result:
    return CliRunner().invoke(care, words, prog_name="care")


def process(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "services.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_help_lists_every_command_with_examples_and_exit_codes() -> None:
    shown = run("--help")

    assert shown.exit_code == 0
    assert all(name in shown.output for name in COMMANDS)
    assert "Examples:" in shown.output
    assert "75" in shown.output


@pytest.mark.parametrize(
    "words",
    ["local", "local up", "local down", "local status", "local env", "topics", "topics apply",
     "topics list", "db", "db upgrade", "run", "run ingest", "run metrics", "simulate-shop", "verify",
     "breaker", "breaker list", "breaker approve", "breaker reject",
     "pause", "pause all", "pause playbook", "pause channel", "pause list",
     "resume", "resume all", "resume playbook", "resume channel",
     "validate", "publisher", "publisher verify", "publisher check",
     "why", "playbook", "playbook check", "playbook list", "playbook show", "playbook schema"],
)  # fmt: skip
def test_every_command_shows_an_example(words: str) -> None:
    shown = run(*words.split(), "--help")

    assert shown.exit_code == 0
    assert "Example" in shown.output


@pytest.mark.parametrize(
    "words",
    [
        "nope",
        "local up --kafka-port 0",
        "topics apply",
        "db upgrade",
        "pause",
        "pause all",
        "pause all --because=",
        "pause playbook --because x",
        "pause channel pigeon --because x",
        "resume playbook",
        "resume channel pigeon",
        "run nope",
        "playbook show",
        "playbook show nope",
        "playbook check /no/such/folder",
        "playbook list --playbooks /no/such",
    ],
)
def test_wrong_usage_ends_with_two_and_a_hint(words: str) -> None:
    shown = run(*words.split())

    assert shown.exit_code == 2
    assert "Usage: care" in shown.output


def test_env_says_what_to_do_where_nothing_is_up() -> None:
    done = process("local", "env")

    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr == "nothing is up: start it with `care local up --detach`\n"


def test_status_and_down_where_nothing_is_up() -> None:
    assert json.loads(run("local", "status", "--json").output) == {"up": False}
    assert run("local", "status").exit_code == 1
    assert run("local", "down").output == "Nothing is up.\n"


def test_an_address_left_in_the_shell_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://care:secret@127.0.0.1:1/care")
    done = process("local", "up")

    assert done.returncode == 75
    assert done.stderr.startswith("DATABASE_URL is set and nothing answers there: unset it")
    assert "secret" not in done.stderr


def test_env_prints_what_a_shell_can_evaluate(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    me = Instance(Seen.of(os.getpid()), "127.0.0.1:2", "postgresql://care:a'b@h:1/care", None)
    with instance.noted(state, me):
        exported = run("local", "env").output
        script = f'{exported} printf \'%s %s\' "$KAFKA_BOOTSTRAP_SERVERS" "$DATABASE_URL"'
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == f"{me.kafka_bootstrap} {me.database_url}"


def test_topics_are_listed_with_what_the_broker_has(monkeypatch: pytest.MonkeyPatch) -> None:
    first = TOPICS[0].physical("x-")
    found = {first: FoundTopic(first, 12, UUID(int=1))}
    monkeypatch.setattr(topics, "find_topics", lambda _: found)

    rows = json.loads(
        run("topics", "list", "--bootstrap", "b:1", "--prefix", "x-", "--json").output
    )

    assert len(rows) == len(TOPICS)
    assert [row["partitions"] for row in rows[:2]] == [12, None]
    assert "missing" in run("topics", "list", "--bootstrap", "b:1", "--prefix", "x-").output


def test_topics_are_applied_with_the_deployments_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def apply(bootstrap: str, **wishes: Any) -> list[str]:
        asked.update(wishes, bootstrap=bootstrap)
        return ["purchases"]

    monkeypatch.setattr(topics, "apply_topics", apply)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "b:1")
    monkeypatch.setenv("CARE_PARTITIONS", "4")

    shown = run("topics", "apply")

    assert asked == {"bootstrap": "b:1", "partitions": 4, "prefix": "", "replication": 1}
    assert shown.output == f"1 topics made, {len(TOPICS) - 1} were there\n"
