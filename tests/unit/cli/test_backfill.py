"""`care backfill` as a person meets it, over an invented deployment."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from services.cli import backfill as command
from services.cli.__main__ import care
from services.cli.deployment import Place
from services.contracts.envelope import Event
from services.contracts.events import TOPIC_OF
from services.contracts.topics import Topic
from services.demo.door import Door
from services.kit.clock import SystemClock
from services.kit.exits import EXIT_USAGE, Unavailable
from services.kit.progress import Tell
from tests.factories import DAY, placed
from tests.unit.cli.test_on_topics import Record

NOW = SystemClock().now()
PLACE = ("--bootstrap", "kafka:9092", "--prefix", "x-", "--ingest", "http://ingest/")


class Deployment:
    """Keeps what the door takes; refuses the ids it is told to."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.refuses: set[str] = set()
        self.there: list[Event[Any]] = []
        self.has_begun = False
        self.is_shut = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.is_shut:
            return httpx.Response(500, text="broken")
        ids = [event["id"] for event in json.loads(request.content)]
        self.requests.append(ids)
        fault = {"pointer": "/data", "code": "x", "detail": "wrong there"}
        refused = {"status": "rejected", "reason": "invalid", "errors": [fault]}
        results = [refused if name in self.refuses else {"status": "accepted"} for name in ids]
        return httpx.Response(207, json={"results": results})

    def records(self, wanted: Sequence[Topic], _: Tell) -> Iterator[tuple[Topic, Record]]:
        for event in self.there:
            yield TOPIC_OF[type(event.data)], Record(event.partitionkey.encode(), event.encode())
        yield wanted[0], Record(b"c-1", b"{")


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    found = Deployment()

    def open_door(address: str, key: str | None) -> Door:
        assert (address, key) == ("http://ingest", "care_k")
        return Door(address, transport=httpx.MockTransport(found.answer))

    monkeypatch.setattr(command, "Door", open_door)
    monkeypatch.setattr(command, "check_open", lambda _: None)

    def has_begun(place: Place) -> bool:
        assert place == Place("kafka:9092", "x-", 12)
        return found.has_begun

    monkeypatch.setattr(Place, "has_begun", has_begun)
    monkeypatch.setattr(Place, "records", found.records)
    return found


def load(lines: Sequence[bytes], *words: str) -> Result:
    return CliRunner().invoke(
        care,
        ["backfill", "-", *PLACE, *words],
        input=b"\n".join(lines),
        prog_name="care",
        env={"CARE_PARTITIONS": "", "CARE_INGEST_API_KEY": "care_k"},
    )


def test_the_key_may_lie_in_a_file(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("care_k\n", encoding="utf-8")
    environment = {"CARE_PARTITIONS": "", "CARE_INGEST_API_KEY": None}

    def loaded() -> Result:
        words = ["backfill", "-", *PLACE, "--api-key-file", str(file)]
        return CliRunner().invoke(care, words, input=orders(1)[0], env=environment)

    assert loaded().exit_code == 0
    file.write_text("two\nlines\n", encoding="utf-8")
    refused = loaded()
    assert (refused.exit_code, len(deployment.requests)) == (EXIT_USAGE, 1)
    assert "does not hold a key" in refused.stderr


def orders(count: int) -> list[bytes]:
    return [placed(f"o-{n}", event_id=f"e-{n}", at=NOW - DAY).encode() for n in range(count)]


def test_every_new_event_is_sent_once_in_the_order_of_the_file(deployment: Deployment) -> None:
    lines = orders(1200)
    done = load([*lines, lines[0]], "--json")

    assert done.exit_code == 0, done.output
    assert [len(ids) for ids in deployment.requests] == [500, 500, 200]
    assert [name for ids in deployment.requests for name in ids] == [f"e-{n}" for n in range(1200)]
    assert json.loads(done.stdout) == {
        "lines": 1201, "accepted": 1200, "duplicate": 1, "rejected": 0, "late": 0, "rejections": [],
    }  # fmt: skip


def test_what_lies_on_the_topics_is_not_sent_again(deployment: Deployment) -> None:
    deployment.there = [placed("o-0", event_id="e-0")]
    done = load(orders(2), "--json")

    assert deployment.requests == [["e-1"]]
    assert json.loads(done.stdout)["duplicate"] == 1


def test_a_wrong_line_is_told_with_its_number_and_nothing_else_is_lost(
    deployment: Deployment,
) -> None:
    one, two, three = orders(3)
    deployment.refuses = {"e-2"}
    done = load([one, b"{", b"", two, three, b"{"])

    assert done.exit_code == 1
    assert deployment.requests == [["e-0", "e-1", "e-2"]]
    assert "accepted           2" in done.stdout
    assert "line 2: not_json: " in done.stdout
    assert "line 5: invalid: /data: wrong there\nline 6: not_json: " in done.stdout


def test_only_so_many_wrong_lines_are_shown(deployment: Deployment) -> None:
    done = load([b"{"] * 5, "--show", "2")

    assert done.exit_code == 1
    assert "line 2: " in done.stdout
    assert "line 3: " not in done.stdout
    assert "… and 3 more" in done.stdout
    assert deployment.requests == []


def test_events_beyond_the_horizon_are_sent_and_said_to_be_late(deployment: Deployment) -> None:
    old = placed("o-9", event_id="e-9", at=NOW - 401 * DAY)
    done = load([*orders(1), old.encode()])

    assert done.exit_code == 0
    assert deployment.requests == [["e-0", "e-9"]]
    assert "1 event is older than 400 days: the predictor will count that as late" in done.stdout


def test_time_that_has_begun_is_refused_before_anything_is_sent(deployment: Deployment) -> None:
    deployment.has_begun = True
    refused = load(orders(1))

    assert refused.exit_code == 2
    assert "time has begun on x-ticks" in refused.stderr
    assert "start ingest, backfill, start the predictor" in refused.stderr
    assert deployment.requests == []

    assert load(orders(1), "--after-first-tick").exit_code == 0
    assert deployment.requests == [["e-0"]]


def test_a_door_that_gives_no_use_is_one_line_that_says_what_to_do(deployment: Deployment) -> None:
    deployment.is_shut = True
    done = load(orders(1))

    assert isinstance(done.exception, Unavailable)
    assert "run the same again, nothing is sent twice" in str(done.exception)


def test_an_empty_file_is_wrong_usage(deployment: Deployment) -> None:
    done = load([b"", b"  "])

    assert done.exit_code == 2
    assert "there is no event in the file" in done.stderr


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    done = CliRunner().invoke(care, ["backfill", str(tmp_path / "none"), *PLACE], prog_name="care")

    assert done.exit_code == 2
    assert "No such file" in done.output


def test_help_shows_examples() -> None:
    shown = CliRunner().invoke(care, ["backfill", "--help"], prog_name="care")

    assert shown.exit_code == 0
    assert "care backfill history.jsonl" in shown.output
