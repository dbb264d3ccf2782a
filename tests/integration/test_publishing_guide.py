"""The first five minutes of the publishers' guide, typed as they stand there."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.support.topics import Deployment, wait_for

pytestmark = pytest.mark.connected

HOME = Path(__file__).resolve().parents[2]
SET_UP = ("make setup", ". .venv/bin/activate", "care local up")
"""What the tests have done already, each in its own way."""


def typed() -> list[str]:
    """Return the commands of the guide's first block, without those that set up."""
    text = (HOME / "docs/publishing.md").read_text(encoding="utf-8")
    block = text.partition("```\n")[2].partition("```")[0]
    return [line for line in block.splitlines() if line and not line.startswith(SET_UP)]


def shell(folder: Path, deployment: Deployment) -> dict[str, str]:
    """Return the environment of somebody who is there, with `care` at hand."""
    care = folder / "bin" / "care"
    care.parent.mkdir()
    care.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m services.cli "$@"\n')
    care.chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CARE_")}
    path = f"{care.parent}{os.pathsep}{os.environ['PATH']}"
    told = deployment.environment(CARE_CLOCK="system", PYTHONPATH=str(HOME), PATH=path)
    return {**inherited, **told}


@contextmanager
def left_running(command: str, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Yield the address of the door that this starts."""
    address = folder / "address"
    environment = {**environment, "CARE_INGEST_ADDRESS_FILE": str(address)}
    # The shell and what it starts end together.
    door = subprocess.Popen(
        ["sh", "-c", command], cwd=folder, env=environment, start_new_session=True
    )
    try:
        wait_for(lambda: address.exists() or door.poll() is not None, "ingest to listen")
        assert door.poll() is None
        yield address.read_text(encoding="utf-8").strip()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(door.pid, signal.SIGTERM)
        door.wait(30)


def test_the_first_event_comes_in_and_its_fate_is_told(
    deployment: Deployment, tmp_path: Path
) -> None:
    environment = shell(tmp_path, deployment)

    def run(lines: list[str], url: str = "") -> list[str]:
        return [
            subprocess.run(
                ["sh", "-c", line.replace("http://127.0.0.1:8080", url)],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for line in lines
        ]

    lines = typed()
    (at,) = [number for number, line in enumerate(lines) if "care run ingest" in line]
    run(lines[:at])
    # Any free port: the guide's may be taken.
    command = lines[at].replace("CARE_INGEST_PORT=8080", "")
    with left_running(command, tmp_path, environment) as url:
        said = run(lines[at + 1 :], url)
        key = (tmp_path / "key").read_text(encoding="utf-8").strip()
        wrong = (tmp_path / "order.json").read_bytes().replace(b'"EUR"', b'"euro"')
        headers = {"x-api-key": key, "content-type": "application/cloudevents+json"}
        refused = httpx.post(f"{url}/v1/events", content=wrong, headers=headers)

    validated, sent, fate = said[-3:]
    assert validated == "1 event, 0 would be refused\n"
    assert sent.startswith("HTTP/1.1 202 ")
    assert fate.startswith("HTTP/1.1 200 ")
    assert json.loads(fate.splitlines()[-1])["fate"] == "waiting"
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/data/currency"
