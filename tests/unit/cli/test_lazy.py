"""Listing commands imports none of them; an absent package is told with the extra that brings it."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from services.cli.lazy import Entry, LazyGroup, with_packages
from services.kit.exits import Unavailable

WITHOUT_HEAVY_PACKAGES = """
import sys
for name in ("sqlalchemy", "alembic", "psycopg", "jgo", "faust", "fastapi", "psutil", "rich", "httpx",
             "jinja2", "yaml"):
    sys.modules[name] = None
from services.cli.__main__ import main
sys.argv = ["care", *sys.argv[1:]]
main()
"""


def thin(*words: str) -> "subprocess.CompletedProcess[str]":
    """`care` in an image that has the base packages only."""
    command = [sys.executable, "-c", WITHOUT_HEAVY_PACKAGES, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "words", ["--help", "run --help", "topics apply --help", "run metrics --help", "why --help"]
)
def test_help_needs_no_extra(words: str) -> None:
    done = thin(*words.split())

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        ("db upgrade", "outreach"),
        ("local up", "demo"),
        ("demo", "demo"),
        ("playbook list", "outreach"),
        ("run outreach", "outreach"),
    ],
)
def test_an_absent_extra_is_named(words: str, extra: str) -> None:
    done = thin(*words.split())

    assert done.returncode == 75
    assert f"pip install 'proactive-care[{extra}]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_fault_of_our_own_is_not_mistaken_for_an_absent_extra() -> None:
    with pytest.raises(ModuleNotFoundError):
        with_packages("services.no_such_room", "care x", ["demo"])


def test_an_unknown_command_is_a_usage_error() -> None:
    group = LazyGroup(name="care", entries={"x": Entry("nowhere:x", "never imported")})

    shown = CliRunner().invoke(group, ["y"])

    assert shown.exit_code == 2
    assert "never imported" in CliRunner().invoke(group, ["--help"]).output


def test_a_package_that_is_missing_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    with pytest.raises(Unavailable, match="`care x` needs sqlite3"):
        with_packages("sqlite3", "care x", [])


def test_a_command_is_imported_when_it_is_asked_for() -> None:
    group = LazyGroup(name="care", entries={"topics": Entry("services.cli.topics:topics", "…")})
    found = group.get_command(click.Context(group), "topics")

    assert found is not None
    assert found.name == "topics"
