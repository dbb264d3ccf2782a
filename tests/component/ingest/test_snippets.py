"""The publishers' snippets, run as they are shown: whatever happens on the way, one id is on the topic.

`make test` runs the Python one; `make contract-check` sets CARE_SNIPPETS to run them all.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import httpx
import pytest

from services.contracts.topics import PURCHASES
from tests.component.ingest.relay import relayed, tell
from tests.factories import placed
from tests.support.receiver import hang

FOLDER = Path(__file__).parents[3] / "docs" / "snippets"
COMMANDS = {
    "python": (sys.executable, "publish.py"),
    "curl": ("sh", "publish.sh"),
    "node": ("node", "publish.mjs"),
    "java": ("java", "Publish.java"),
}
CHOSEN = os.environ.get("CARE_SNIPPETS", "python").split(",")

Ask = Callable[[], httpx.Response]
Behaviour = Callable[[BaseHTTPRequestHandler, Event, Ask], None]


def answers(status: int, **headers: str) -> Behaviour:
    """Answer so; the app is not asked."""

    def behave(handler: BaseHTTPRequestHandler, _: Event, __: Ask) -> None:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        tell(handler, httpx.Response(status, json={}, headers=told))

    return behave


def takes(handler: BaseHTTPRequestHandler, _: Event, ask: Ask) -> None:
    """Pass on what the app says."""
    tell(handler, ask())


def takes_and_breaks_off(handler: BaseHTTPRequestHandler, _: Event, ask: Ask) -> None:
    """Let the app take it, and close the connection without a word."""
    ask()
    handler.close_connection = True


def takes_and_is_silent(handler: BaseHTTPRequestHandler, over: Event, ask: Ask) -> None:
    """Let the app take it, and say nothing."""
    ask()
    hang(handler, over)


@dataclass
class Ended:
    """How a snippet ended, and what there is of it."""

    code: int
    shown: str
    requests: int
    ids: list[str] = field(default_factory=list)
    """Of the records on the topic, in their order."""
    keys: set[str | None] = field(default_factory=set)


@pytest.fixture(params=CHOSEN)
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    program, file = COMMANDS[request.param]
    assert shutil.which(program), f"{program} is not installed"
    return program, str(FOLDER / file)


def run(command: tuple[str, ...], folder: Path, *behaviours: Behaviour, **settings: str) -> Ended:
    """Publish one event at a door that behaves so, the last time and all times after."""
    told = list(behaviours)

    def behave(handler: BaseHTTPRequestHandler, over: Event, ask: Ask) -> None:
        (told.pop(0) if len(told) > 1 else told[0])(handler, over, ask)

    event = folder / "event.json"
    event.write_bytes(placed("o-1", event_id="the-id").encode())
    with relayed(behave) as (up, heard, url):
        quick = {"CARE_URL": url, "CARE_BACKOFF_SECONDS": "0.01", "CARE_ATTEMPTS": "4"}
        done = subprocess.run(
            [*command, str(event)],
            env={**os.environ, **quick, **settings},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        written = up.publisher.written(PURCHASES)
    return Ended(
        done.returncode,
        done.stdout + done.stderr,
        len(heard.requests),
        [json.loads(record.value)["id"] for record in written],
        {request.headers.get("authorization") for request in heard.requests},
    )


def test_one_id_is_on_the_topic_whatever_happens_on_the_way(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    ended = run(
        command, tmp_path, answers(503, retry_after="0"), takes_and_breaks_off, answers(429), takes
    )

    assert ended.code == 0, ended.shown
    assert ended.requests == 4
    # How often it lies there is the door's affair: readers know one id for one event.
    assert set(ended.ids) == {"the-id"}
    assert '"id":"the-id"' in ended.shown


def test_silence_is_no_answer_and_the_same_is_sent_again(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    ended = run(command, tmp_path, takes_and_is_silent, takes, CARE_TIMEOUT_SECONDS="1")

    assert (ended.code, ended.requests) == (0, 2), ended.shown
    assert set(ended.ids) == {"the-id"}


def test_what_is_refused_is_not_sent_again(command: tuple[str, ...], tmp_path: Path) -> None:
    ended = run(command, tmp_path, answers(422), takes)

    assert (ended.code, ended.requests, ended.ids) == (1, 1, []), ended.shown
    assert "refused (422)" in ended.shown


def test_what_is_never_settled_ends_and_says_so(command: tuple[str, ...], tmp_path: Path) -> None:
    ended = run(command, tmp_path, answers(503), CARE_ATTEMPTS="2")

    assert (ended.code, ended.requests) == (75, 2), ended.shown
    assert "not settled after 2 attempts (503)" in ended.shown


def test_as_long_as_it_asks_for_it_is_left_alone(command: tuple[str, ...], tmp_path: Path) -> None:
    """Told by a patience that is too short for it: it still waits when it is ended."""
    event = tmp_path / "event.json"
    event.write_bytes(placed().encode())
    busy = answers(503, retry_after="50")
    with relayed(busy) as (_, heard, url), pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(
            [*command, str(event)],
            env={**os.environ, "CARE_URL": url, "CARE_BACKOFF_SECONDS": "0.01"},
            timeout=2, capture_output=True, check=False,
        )  # fmt: skip

    assert len(heard.requests) <= 1


def test_the_key_is_sent_where_there_is_one(command: tuple[str, ...], tmp_path: Path) -> None:
    assert run(command, tmp_path, takes).keys == {None}
    assert run(command, tmp_path, takes, CARE_KEY="care_a_b").keys == {"Bearer care_a_b"}
