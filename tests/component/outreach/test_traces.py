"""Each step and send stays in the trace of what made it due, whatever becomes of it."""

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from services.contracts.trace_context import TraceContext, of_headers, of_problem
from services.outreach.playbook import catalogue_of, parse
from services.outreach.tables import OUTBOX
from tests.component.outreach.desk import NIGHT, NOON, Desk, execute
from tests.component.outreach.test_following_steps import PLAYBOOK
from tests.factories import HOUR
from tests.support.outreach import changed, cleared, opened, profile, query

pytestmark = pytest.mark.connected

ONE = TraceContext(f"00-{'1' * 32}-{'a' * 16}-01", "a=1")
OTHER = TraceContext(f"00-{'2' * 32}-{'b' * 16}-00")


def within(trace: TraceContext, event: Any) -> Any:
    named = {"traceparent": trace.traceparent, "tracestate": trace.tracestate}
    return event.model_copy(update=named)


def told(desk: Desk) -> Iterator[tuple[str, TraceContext | None]]:
    """Yield what waits to be published, with its trace."""
    with desk.engine.connect() as connection:
        rows = connection.execute(select(OUTBOX).order_by(OUTBOX.c.seq)).all()
    for row in rows:
        kind = json.loads(row.value)["type"].split(".")[2]
        yield kind, of_headers([(name, b64decode(value)) for name, value in row.headers])


def test_whatever_is_told_of_a_step_is_in_the_trace_that_made_it_due(desk: Desk) -> None:
    catalogue = catalogue_of([parse(PLAYBOOK, "x")])
    desk.out = replace(desk.out, rules=replace(desk.out.rules, catalogue=catalogue))
    desk.sender._out = desk.out
    at_risk = opened("c-1", NOON - HOUR, tier="at_risk")  # type: ignore[arg-type]
    desk.learn(profile("c-1", NOON), within(OTHER, at_risk), within(ONE, changed("c-1", NOON)))

    with capture_logs() as lines:
        desk.decide(NOON)
        desk.send(NOON)
        desk.decide(NOON + 48 * HOUR)
        desk.send(NOON + 48 * HOUR)

    assert list(told(desk)) == [
        (kind, ONE) for kind in ("decided", "started", "sent", "decided", "started", "sent")
    ]
    attempted = [line for line in lines if line["event"] == "outreach_attempted"]
    assert [line["trace_id"] for line in attempted] == [ONE.trace_id] * 2


def test_what_is_taken_back_is_in_it_too(desk: Desk) -> None:
    desk.learn(profile("c-1", NOON), within(ONE, opened("c-1", NOON)))
    desk.decide(NOON)

    with capture_logs() as lines:
        desk.learn(within(OTHER, cleared("c-1", NOON + HOUR)), now=NOON + HOUR)

    assert ("withdrawn", ONE) in list(told(desk))
    (line,) = [line for line in lines if line["event"] == "outreach_withdrawn"]
    assert (line["trace_id"], line["reason"]) == (ONE.trace_id, "problem_cleared")


def test_what_waits_for_the_morning_stays_in_it(desk: Desk) -> None:
    desk.learn(profile("c-1", NIGHT), within(ONE, opened("c-1", NIGHT)), now=NIGHT)

    assert desk.decide(NIGHT) == ["deferred"]
    desk.decide(NIGHT + 12 * HOUR)

    assert list(told(desk)) == [("decided", ONE)] * 2


def test_what_an_older_version_wrote_is_in_the_trace_of_its_problem(desk: Desk) -> None:
    desk.learn(profile("c-1", NOON), within(ONE, opened("c-1", NOON)))
    desk.decide(NOON)
    for table in ("agenda", "sends"):
        execute(desk.url, f"UPDATE {table} SET traceparent = NULL, tracestate = NULL")

    desk.send(NOON)

    ((problem_id,),) = query(desk.url, "SELECT problem_id FROM sends")
    assert list(told(desk))[1:] == [(kind, of_problem(problem_id)) for kind in ("started", "sent")]
