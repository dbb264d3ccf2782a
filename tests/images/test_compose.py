"""The Compose file at work: the four services come up from nothing, take an event, and are forgotten.

CARE_KAFKA_IMAGE and CARE_POSTGRES_IMAGE name other images than Docker Hub's, CARE_IMAGES_BASE the base.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.contracts.envelope import STRUCTURED
from tests import factories
from tests.images.engine import BUILD_SECONDS, COMMAND_SECONDS, MARKS, docker

pytestmark = MARKS

FILE = Path(__file__).parents[2] / "deploy" / "compose" / "compose.yml"
PROJECT = "care-images-check"
SERVICES = ("ingest", "churn-predictor", "outreach", "metrics")
READY_SECONDS = 300


def compose(*words: str, seconds: float = COMMAND_SECONDS) -> str:
    """Return what Compose prints on this file, as a project of its own; fails with its reason."""
    told = ("compose", f"--file={FILE}", f"--project-name={PROJECT}", "--profile=shop")
    done = docker(*told, *words, seconds=seconds)
    assert done.code == 0, done.error[-3_000:]
    return done.out


@pytest.fixture
def stack(images: dict[str, str]) -> Iterator[str]:
    """The four services, healthy, with all they wait for; yields ingest's address."""
    assert set(SERVICES) <= images.keys()
    try:
        compose("build", *SERVICES, "topics", seconds=BUILD_SECONDS)
        wait = ("--wait", f"--wait-timeout={READY_SECONDS}")
        compose("up", "--no-build", "--detach", *wait, *SERVICES, seconds=READY_SECONDS * 2)
        yield "http://127.0.0.1:8080"
    finally:
        compose("down", "--volumes", "--timeout=60")


def test_the_file_is_what_compose_understands() -> None:
    told = json.loads(compose("config", "--format=json"))

    assert told["services"].keys() >= {*SERVICES, "kafka", "postgres", "shop", "grafana"}
    for name in SERVICES:
        assert told["services"][name]["read_only"] is True
        assert told["services"][name]["build"]["args"]["SERVICE"] == name


def test_a_mistake_in_the_file_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yml"
    wrong.write_text(FILE.read_text(encoding="utf-8").replace("read_only:", "readonly:"))
    done = subprocess.run(
        ("docker", "compose", f"--file={wrong}", "config", "--quiet"),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )

    assert done.returncode != 0
    assert "readonly" in done.stderr


def test_four_services_get_healthy_and_take_an_event_and_are_forgotten(stack: str) -> None:
    lines = compose("ps", "--format=json", *SERVICES).splitlines()
    found = {each["Service"]: each["Health"] for each in map(json.loads, lines)}
    event = factories.placed(order="o-1")
    headers = {"content-type": STRUCTURED}
    told = httpx.post(f"{stack}/v1/events", content=event.encode(), headers=headers, timeout=30)

    assert found == dict.fromkeys(SERVICES, "healthy")
    assert told.status_code == 202, told.text

    compose("stop", "--timeout=60", *SERVICES)
    ended = [json.loads(line) for line in compose("ps", "--all", "--format=json").splitlines()]
    codes = {each["Service"]: each["ExitCode"] for each in ended if each["Service"] in SERVICES}
    assert codes == dict.fromkeys(SERVICES, 0)

    compose("down", "--volumes", "--timeout=60")
    volumes = docker("volume", "ls", "--quiet", f"--filter=name={PROJECT}_")
    assert (compose("ps", "--all", "--quiet"), volumes.out) == ("", "")
