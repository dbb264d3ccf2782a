"""Answers what became of an event: from this replica's memory where to look, from the topics the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from fastapi import Request
from pydantic import BaseModel, Field

from services.contracts.envelope import CustomerId
from services.ingest import answers
from services.ingest.access import refusals
from services.ingest.access.callers import Denied
from services.ingest.access.gate import Visit
from services.ingest.answers import Answer
from services.ingest.asking import Asked, Scope, Unanswerable, read_question, scope_of
from services.ingest.documents import SAME_ID, LookOutcome, ProblemKind
from services.ingest.fate import Fate, RecordFate, of_all, unread
from services.ingest.looking import Report
from services.ingest.looks import LookFailed, Looks, TooManyLooks
from services.ingest.memory import Remembered
from services.ingest.repeats import Repeats
from services.kit.clock import Clock
from services.kit.kafka_clients import partition_of

_FURTHER_BACK = "It may lie further back: give an earlier since.  If nobody was told 202, send it."
_NOT_READ = (
    "Topics with personal data are not read here: of them is known what this replica took lately."
)
_NARROW = "Narrow it by customer, by type or topic, or by a later since, and ask again."


class Looked(BaseModel):
    """Where an event was looked for."""

    since: datetime = Field(description="Records written before this were passed over.")
    until: datetime
    topics: list[str]
    partition: int | None = Field(description="The only one looked at; none: all were.")
    records: int = Field(description="Records looked at.")
    is_complete: bool = Field(description="Whether all of that was looked through.")


class EventFate(BaseModel):
    """What became of an event."""

    id: str
    source: str
    fate: Fate = Field(description="The best of what became of its records.")
    records: list[RecordFate]
    looked: Looked


@dataclass(frozen=True, slots=True)
class LookTerms:
    """How events are looked for."""

    looks: Looks
    clock: Clock
    """The machine's: records are found by when they were written."""
    partitions: int
    lookback: timedelta

    def partition_of(self, customer: CustomerId) -> int:
        """Return the partition a customer's records are on."""
        return partition_of(customer.encode(), self.partitions)


async def fate_of(
    request: Request,
    visit: Visit,
    terms: LookTerms,
    repeats: Repeats,
    retry_after_seconds: int,
) -> tuple[Answer, LookOutcome]:
    """Return what became of the event that a request asks for, and how the question ended."""
    try:
        await visit.enter()
        asked = read_question(request.scope["raw_path"], request.query_params.multi_items())
        visit.ask(asked.source)
    except Denied as denied:
        return refusals.answer_of(denied), LookOutcome.DENIED
    except Unanswerable as error:
        problem = answers.problem(ProblemKind.BAD_QUESTION, str(error), faults=error.faults)
        return problem, LookOutcome.BAD
    remembered = repeats.known(asked.source, asked.id)
    now = terms.clock.now()
    scope = scope_of(
        asked, remembered, partition_of=terms.partition_of, earliest=now - terms.lookback
    )
    try:
        report = await terms.looks.look(asked, scope) if scope.topics else _unread(remembered)
    except TooManyLooks:
        kind, outcome = ProblemKind.TOO_MANY_LOOKS, LookOutcome.TURNED_AWAY
    except LookFailed:
        kind, outcome = ProblemKind.LOOK_FAILED, LookOutcome.FAILED
    else:
        return _answer(asked, scope, report, remembered, now)
    problem = answers.problem(
        kind, "Ask again later.", retry_after_seconds=retry_after_seconds, more=_known(remembered)
    )
    return problem, outcome


def _unread(remembered: Remembered | None) -> Report:
    """Return all there is to say of an event on a topic that is not read here."""
    place = None if remembered is None else remembered.place
    if remembered is None or place is None:
        return Report(records=[], read=0, is_complete=True)
    record = unread(remembered.topic, place.partition, place.offset)
    return Report(records=[record], read=0, is_complete=True)


def _answer(
    asked: Asked, scope: Scope, report: Report, remembered: Remembered | None, now: datetime
) -> tuple[Answer, LookOutcome]:
    looked = Looked(
        since=scope.since,
        until=now.astimezone(UTC),
        topics=[topic.name for topic in scope.topics],
        partition=scope.partition,
        records=report.read,
        is_complete=report.is_complete,
    )
    fate = of_all(report.records)
    if fate is not None:
        named = {"id": asked.id, "source": asked.source}
        found = EventFate(**named, fate=fate, records=report.records, looked=looked)
        return Answer(HTTPStatus.OK, found.model_dump_json(exclude_none=True).encode()), (
            LookOutcome.FOUND
        )
    more = {"looked": looked.model_dump(mode="json", exclude_none=True), **_known(remembered)}
    if report.is_complete:
        detail = _FURTHER_BACK if scope.topics else _NOT_READ
        problem = answers.problem(ProblemKind.NOT_FOUND_WITHIN, detail, more=more)
        return problem, LookOutcome.NOT_FOUND
    return answers.problem(ProblemKind.LOOK_CUT_SHORT, _NARROW, more=more), LookOutcome.CUT_SHORT


def _known(remembered: Remembered | None) -> Mapping[str, Any]:
    """Return what this replica knows by itself of an event that it cannot show on its topic."""
    if remembered is None:
        return {}
    topic = remembered.topic.name
    if remembered.place is None:
        return {"remembered": {"status": "unknown", "topic": topic, "detail": SAME_ID}}
    place = {"partition": remembered.place.partition, "offset": remembered.place.offset}
    return {"remembered": {"status": "accepted", "topic": topic, **place}}


def log_line(answer: Answer, outcome: LookOutcome, duration_seconds: float) -> Mapping[str, object]:
    """Return what to log of one question."""
    return {
        "status": int(answer.status),
        "outcome": outcome.value,
        "bytes": len(answer.body),
        **answer.names,
        "duration_seconds": round(duration_seconds, 6),
    }
