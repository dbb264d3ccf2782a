"""One Dockerfile for every image: what it says, held against the locks, the commands and the project."""

import re
import tomllib
from pathlib import Path

import pytest

from deploy.kubernetes.inspection.programs import PROGRAMS
from services.cli.run import SERVICES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IMAGES = (*(name.replace("_", "-") for name in SERVICES), "cli")


def stage(name: str) -> str:
    """Return what is between `FROM … AS name` and the next stage."""
    found = re.search(rf"^FROM \S+ AS {name}$(.*?)(?=^FROM |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"no stage {name}"
    return found[1]


@pytest.mark.parametrize("image", IMAGES)
def test_every_service_has_an_image_with_its_own_lock(image: str) -> None:
    lock = ROOT / "requirements" / f"{image}.txt"

    assert "--hash=sha256:" in lock.read_text(encoding="utf-8")
    assert image in PROJECT["optional-dependencies"]
    assert "CMD [" in stage(image)


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_runs_its_service_by_itself(service: str) -> None:
    words = re.findall(r'"([^"]+)"', stage(service.replace("_", "-")))

    assert words == ["run", service]
    assert tuple(words) in PROGRAMS


def test_the_chosen_image_is_the_last_stage() -> None:
    assert TEXT.rstrip().endswith("FROM ${SERVICE}")


def test_everything_that_is_installed_has_a_hash_or_is_this_project() -> None:
    joined = re.sub(r"\\\n\s+", "", TEXT)
    commands = [command.strip() for line in joined.splitlines() for command in line.split("&&")]
    installs = [command.partition(" install ")[2] for command in commands if " install " in command]

    assert len(installs) == 3
    for words in installs:
        assert words.startswith(("--require-hashes -r requirements/", "--no-deps dist/"))


def test_what_runs_is_nobody_and_needs_no_shell() -> None:
    runtime = stage("runtime")

    assert re.search(r"^USER 1\d{4}:1\d{4}$", runtime, re.MULTILINE)
    assert 'ENTRYPOINT ["care"]' in runtime
    assert "HEALTHCHECK NONE" in runtime
    assert not re.search(r"^(CMD|ENTRYPOINT) [^\[]", TEXT, re.MULTILINE)


def test_no_base_leaves_its_pip_in_what_runs() -> None:
    """The one command there is comes before what is copied in and before the user who may not run it."""
    commands = [line for line in stage("runtime").splitlines() if re.match("RUN|COPY|USER", line)]

    assert [line.split()[0] for line in commands] == ["USER", "RUN", "COPY", "USER"]
    assert commands[0] == "USER 0:0"
    for path in ("*/bin/pip*", "*/*-packages/pip*", "ensurepip"):
        assert path in commands[1]
    assert commands[1].endswith("-exec rm -rf {} +")


def test_versions_are_the_projects() -> None:
    assert f"ARG VERSION={PROJECT['version']}\n" in TEXT


def test_the_builder_gets_what_is_copied_and_no_more() -> None:
    copied = {
        word.partition("/")[0]
        for line in re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.MULTILINE)
        for word in line.split()[:-1]
    }

    assert IGNORED[1] == "*"
    assert {line.removeprefix("!") for line in IGNORED if line.startswith("!")} == copied
