"""`care partitions move`: what it refuses before it asks any broker, and what it says."""

import json

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import KafkaException
from kafka.errors import MessageSizeTooLargeError

from services.churn_predictor.relocation import Layout
from services.cli import partitions as command
from services.cli.__main__ import care
from services.cli.moving import Moved
from services.kit.changelog import Truncated
from services.kit.exits import Unavailable

WHERE = ("--bootstrap", "127.0.0.1:9", "--database-url", "postgresql://nobody@127.0.0.1:9/none")


def invoked(*words: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(care, ["partitions", "move", *WHERE, *words], input=answer)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Layout]:
    """What is to be moved, in place of moving it; the first time all is well, then a check fails."""
    found: list[Layout] = []

    def moved(layout: Layout, _: object) -> Moved:
        found.append(layout)
        wrong = ["3 customers and histories lie elsewhere"] if len(found) > 1 else []
        return Moved(
            layout.before, layout.after, customers=7, entries=4, rows={"sends": 2}, wrong=wrong
        )

    monkeypatch.setattr(command, "_moved", moved)
    return found


@pytest.mark.parametrize(("before", "after"), [("12", "18"), ("12", "12"), ("12", "6")])
def test_only_a_multiple_keeps_stories_apart(asked: list[Layout], before: str, after: str) -> None:
    done = invoked("--from", before, "--to", after, "--yes")

    assert done.exit_code == 2
    assert "no multiple" in done.output
    assert asked == []


def test_it_asks_before_there_is_no_way_back(asked: list[Layout]) -> None:
    assert invoked("--from", "12", "--to", "24", answer="n\n").exit_code == 1
    assert asked == []

    done = invoked("--from", "12", "--to", "24", answer="y\n")

    assert (done.exit_code, asked) == (0, [Layout(12, 24)])
    assert "start every service with CARE_PARTITIONS=24" in done.output


def test_a_check_that_failed_is_exit_code_1_and_nobody_is_told_to_start(
    asked: list[Layout],
) -> None:
    told = json.loads(invoked("--from", "2", "--to", "4", "--dry-run", "--json").output)
    done = invoked("--from", "2", "--to", "4", "--yes")

    assert (told["dry_run"], told["entries"], told["rows"]) == (True, 4, {"sends": 2})
    assert done.exit_code == 1
    assert "lie elsewhere" in done.output
    assert "start every service" not in done.output


def test_a_database_that_is_away_is_one_line() -> None:
    done = CliRunner().invoke(
        care, ["partitions", "move", *WHERE, "--from", "2", "--to", "4", "--yes"]
    )

    assert "PostgreSQL does not answer" in str(done.exception)


def test_of_a_database_from_before_the_move_nothing_is_said_to_be_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = Moved(2, 4, rows={"sends": 2}, was_over=True)
    monkeypatch.setattr(command, "_moved", lambda *_: over)

    done = invoked("--from", "2", "--to", "4", "--yes")

    assert done.exit_code == 0
    assert "2  rows moved in sends" in done.output
    assert "start outreach with CARE_PARTITIONS=4, and reconcile" in done.output
    assert "checked" not in done.output
    assert "customer" not in done.output


@pytest.mark.parametrize(
    "trouble", [KafkaException("down"), MessageSizeTooLargeError(), Truncated("x"), TimeoutError()]
)
def test_whatever_kafka_does_in_the_middle_is_a_line_that_says_to_run_it_again(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def __init__(self, *_: object) -> None: ...

        def run(self) -> Moved:
            raise trouble

        def close(self) -> None: ...

    monkeypatch.setattr(command, "Move", Failing)
    monkeypatch.setattr(command, "check", lambda _: None)

    done = invoked("--from", "2", "--to", "4", "--yes")

    assert isinstance(done.exception, Unavailable)
    assert "nothing is lost; run the same command again" in str(done.exception)
