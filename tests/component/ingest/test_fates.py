"""The question over HTTP: what is asked of the topics, and what is answered."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest
from jsonschema import Draft202012Validator

from services.contracts.people import CustomerUpdated
from services.contracts.topics import PREDICTOR_SOURCES
from services.ingest.asking import Asked, Scope
from services.ingest.documents import ProblemKind
from services.ingest.fate import Fate, RecordFate
from services.ingest.fates import LookTerms
from services.ingest.looking import Report
from services.ingest.looks import LookFailed, NoLooks, ProcessLooks, TooManyLooks
from services.ingest.settings import Settings
from services.kit.clock import SystemClock
from tests import factories
from tests.component.ingest.fakes import PARTITIONS, Door, door
from tests.component.ingest.test_api import CANARY, as_problem, post

RECORD = RecordFate(
    topic="purchases", partition=1, offset=7, accepted_at=factories.START, fate=Fate.WAITING
)


@dataclass
class FakeLooks:
    """Finds what a test lays there, and keeps what it was asked."""

    report: Report | Exception = field(
        default_factory=lambda: Report(records=[], read=5, is_complete=True)
    )
    asked: list[tuple[Asked, Scope]] = field(default_factory=list)

    async def look(self, asked: Asked, scope: Scope) -> Report:
        self.asked.append((asked, scope))
        if isinstance(self.report, Exception):
            raise self.report
        return self.report


@pytest.fixture
def looks() -> FakeLooks:
    return FakeLooks()


@pytest.fixture
def up(looks: FakeLooks) -> Iterator[Door]:
    terms = LookTerms(looks, SystemClock(), PARTITIONS, timedelta(hours=6))
    with door(looks=terms) as opened:
        yield opened


def ask(up: Door, path: str = "%2Fshop%2Forders/e%2F1", **query: str) -> httpx.Response:
    response: httpx.Response = up.client.get(f"/v1/events/{path}", params=query)
    return response


def test_what_is_found_is_told_with_where_it_was_looked_for(up: Door, looks: FakeLooks) -> None:
    looks.report = Report(records=[RECORD], read=5, is_complete=True)

    response = ask(up, customer="c-1")

    assert response.status_code == 200
    told = response.json()
    assert (told["source"], told["id"], told["fate"]) == ("/shop/orders", "e/1", "waiting")
    assert told["records"][0]["offset"] == 7
    assert told["looked"]["records"] == 5
    ((asked, scope),) = looks.asked
    assert (asked.source, asked.id, scope.partition) == (
        "/shop/orders",
        "e/1",
        told["looked"]["partition"],
    )
    assert up.metric("care_ingest_looks_total", outcome="found") == 1


def test_what_was_accepted_here_is_looked_for_where_it_lies(up: Door, looks: FakeLooks) -> None:
    event = factories.placed(event_id="e/1")
    place = post(up, event.encode()).json()

    response = ask(up)

    ((_, scope),) = looks.asked
    assert (scope.topics, scope.partition) == (PREDICTOR_SOURCES, place["partition"])
    remembered = as_problem(response, ProblemKind.NOT_FOUND_WITHIN)["remembered"]
    assert (remembered["status"], remembered["offset"]) == ("accepted", place["offset"])


def test_of_personal_topics_only_what_is_remembered_is_told(up: Door, looks: FakeLooks) -> None:
    event = factories.event(CustomerUpdated(), event_id="e/1")
    before = ask(up, topic="customers")
    place = post(up, event.encode()).json()

    (record,) = ask(up).json()["records"]

    assert as_problem(before, ProblemKind.NOT_FOUND_WITHIN)["looked"]["topics"] == []
    assert (record["fate"], record["offset"]) == ("accepted", place["offset"])
    assert "only outreach" in record["because"]
    assert looks.asked == []


def test_an_unknown_outcome_is_told_as_such(up: Door) -> None:
    up.publisher.refuses = {0}
    post(up, factories.placed(event_id="e/1").encode())

    assert ask(up).json()["remembered"]["status"] == "unknown"


@pytest.mark.parametrize(
    ("report", "kind", "outcome"),
    [
        (Report(records=[], read=5, is_complete=True), ProblemKind.NOT_FOUND_WITHIN, "not_found"),
        (Report(records=[], read=5, is_complete=False), ProblemKind.LOOK_CUT_SHORT, "cut_short"),
        (TooManyLooks(), ProblemKind.TOO_MANY_LOOKS, "turned_away"),
        (LookFailed(), ProblemKind.LOOK_FAILED, "failed"),
    ],
)
def test_what_is_not_found_is_told_in_its_own_way(
    up: Door, looks: FakeLooks, report: Report | Exception, kind: ProblemKind, outcome: str
) -> None:
    looks.report = report

    response = ask(up)

    document = as_problem(response, kind)
    assert ("looked" in document) is isinstance(report, Report)
    assert ("retry-after" in response.headers) is isinstance(report, Exception)
    assert up.metric("care_ingest_looks_total", outcome=outcome) == 1


def test_a_question_that_cannot_be_read_asks_nobody(
    up: Door, looks: FakeLooks, capsys: pytest.CaptureFixture[str]
) -> None:
    for response in (ask(up, "/shop/orders/e-1"), ask(up, since=CANARY), ask(up, **{CANARY: "1"})):
        assert as_problem(response, ProblemKind.BAD_QUESTION)["errors"]
        assert CANARY not in response.text
    assert looks.asked == []
    told = capsys.readouterr().out
    assert told.count("event_looked_for") == 3
    assert CANARY not in told


def test_every_answer_is_documented_with_an_example_that_follows_its_schema(up: Door) -> None:
    document = up.client.get("/openapi.json").json()
    described = document["paths"]["/v1/events/{source}/{id}"]["get"]

    refused = {"400", "401", "403", "404", "429", "431"}
    assert set(described["responses"]) == {"200", *refused, "500", "503"}
    names = [each["name"] for each in described["parameters"]]
    assert names == ["source", "id", "customer", "type", "topic", "since"]
    for answer in described["responses"].values():
        for content in answer["content"].values():
            schema = content["schema"] | {"components": document["components"]}
            for example in content["examples"].values():
                Draft202012Validator(schema).validate(example["value"])


SCOPE = Scope(PREDICTOR_SOURCES, None, factories.START)


class TestProcesses:
    """The real thing, where nobody answers."""

    def settings(self, at_once: int = 1) -> Settings:
        # Port 9 of loopback: discard, where no broker is.
        return Settings(
            kafka_bootstrap_servers="127.0.0.1:9", look_seconds=2, looks_at_once=at_once
        )

    def test_without_a_broker_nothing_is_said(self) -> None:
        async def check() -> None:
            with pytest.raises(LookFailed):
                await ProcessLooks(self.settings()).look(Asked("shop", "e-1"), SCOPE)

        asyncio.run(check())

    def test_more_than_agreed_are_turned_away_and_who_goes_leaves_no_process(self) -> None:
        async def check() -> None:
            looks = ProcessLooks(self.settings())
            first = asyncio.create_task(looks.look(Asked("shop", "e-1"), SCOPE))
            await asyncio.sleep(0)
            with pytest.raises(TooManyLooks):
                await looks.look(Asked("shop", "e-1"), SCOPE)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            assert looks.busy == 0

        asyncio.run(check())

    def test_without_room_for_a_process_nothing_is_said(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.executable", "/nowhere/python")

        async def check() -> None:
            looks = ProcessLooks(self.settings())
            with pytest.raises(LookFailed):
                await looks.look(Asked("shop", "e-1"), SCOPE)
            assert looks.busy == 0

        asyncio.run(check())

    def test_none_at_all_may_be_agreed(self) -> None:
        async def check() -> None:
            for looks in (ProcessLooks(self.settings(at_once=0)), NoLooks()):
                with pytest.raises(TooManyLooks):
                    await looks.look(Asked("shop", "e-1"), SCOPE)

        asyncio.run(check())
