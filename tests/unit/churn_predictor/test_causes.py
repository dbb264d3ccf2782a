"""Problems and assessments are in the trace of what brought them about, in whatever order that came."""

from collections.abc import Iterable
from itertools import permutations
from typing import Any

import pytest

from services.churn_predictor.merging import merge_into
from services.churn_predictor.outputs import Output
from services.churn_predictor.state import CustomerState
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.events import read
from services.contracts.problems import DecisionPoint
from services.contracts.trace_context import (
    TraceContext,
    derived,
    of_event,
    of_headers,
    of_problem,
)
from tests.factories import CUSTOMER, DAY, HOUR, START, delivered, handed_over, placed, promised
from tests.unit.churn_predictor.happenings import approved, payment_failed
from tests.unit.churn_predictor.stream import Stream, commit, new_partition

NOW = START + DAY
PROMISE = START + 5 * DAY


def traced(event: Event[Any], digit: str) -> Event[Any]:
    """Return the event as one whose publisher traces."""
    named = {"traceparent": f"00-{digit * 32}-{digit * 16}-01", "tracestate": f"at={digit}"}
    return event.model_copy(update=named)


def failures() -> list[Event[Any]]:
    """Three attempts to pay; the second makes it a problem."""
    return [
        traced(payment_failed(at=NOW - (3 - n) * HOUR, event_id=f"f-{n}"), str(n + 1))
        for n in range(3)
    ]


def problems_in(outputs: Iterable[Output]) -> list[tuple[str, bytes, TraceContext | None]]:
    """Return type, bytes and trace of each problem told of."""
    told = [each for each in outputs if each.topic is t.PROBLEMS and each.said is not None]
    return [(read(each.value).type, each.value, of_headers(each.headers)) for each in told]


def test_a_problem_is_in_the_trace_of_the_event_that_brought_it_about() -> None:
    stream = Stream()
    stream.tick(START)
    first, second, third = failures()
    stream.give(first, second, third)

    ((_, _, trace),) = problems_in(stream.tick(NOW))

    assert trace == of_event(second)


def test_it_does_not_matter_in_which_order_they_came() -> None:
    told = []
    for order in permutations(failures()):
        stream = Stream()
        stream.tick(START)
        stream.give(*order)
        told.append([(each.value, each.headers) for each in stream.tick(NOW)])

    assert len(told) == 6
    assert all(each == told[0] for each in told)


def test_nor_whether_somebody_else_goes_on_from_what_was_committed() -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(*failures())
    left = Stream(new_partition({k: v for k, v in commit(stream.partition).items() if v}))
    left.ends, left.number = dict(stream.ends), stream.number

    assert problems_in(left.tick(NOW)) == problems_in(stream.tick(NOW)) != []


def test_what_time_alone_brings_is_in_a_trace_of_its_own_problem() -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(traced(placed(), "1"), traced(promised(by=PROMISE), "2"))
    stream.give(traced(handed_over(at=START + HOUR), "3"))
    stream.tick(START + 2 * HOUR)

    told = problems_in(stream.tick(PROMISE + DAY))

    assert told
    for _, value, trace in told:
        assert trace == of_problem(read(value).data.problem_id)


def test_its_end_is_in_the_trace_of_what_ended_it() -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(placed(), promised(by=PROMISE), handed_over(at=START + HOUR))
    stream.tick(PROMISE + DAY)
    end = traced(delivered(at=PROMISE + DAY + HOUR), "5")
    stream.give(end)

    ended = {
        trace
        for kind, _, trace in problems_in(stream.tick(PROMISE + DAY + 2 * HOUR))
        if kind == "care.problem.cleared.v1"
    }

    assert ended == {of_event(end)}


def test_an_assessment_is_in_the_trace_of_its_instants_event_or_in_its_own() -> None:
    stream = Stream()
    stream.tick(START)
    approval = traced(approved(at=START + 2 * HOUR), "7")
    stream.give(placed(at=START), promised(by=PROMISE, at=START + HOUR), approval)
    outputs = stream.tick(START + 3 * HOUR) + stream.tick(PROMISE + HOUR)

    by_point = {
        each.said.data.decision_point: (each.said, of_headers(each.headers))
        for each in outputs
        if each.said is not None and each.topic is t.ASSESSMENTS
    }

    assert by_point[DecisionPoint.APPROVAL][1] == of_event(approval)
    said, trace = by_point[DecisionPoint.PROMISE]
    assert trace == derived("event", said.source, said.id)
    risks = [each for each in outputs if each.topic is t.CUSTOMER_RISKS and each.value]
    assert of_headers(risks[0].headers) == of_event(approval)


def test_what_was_looked_at_is_news_no_longer() -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(failures()[0])
    known = stream.partition.customers
    before = known.get(CUSTOMER)
    assert before is not None
    assert list(before.fresh.values()) == [of_event(failures()[0]).in_one_line]

    stream.tick(NOW)

    after = known.get(CUSTOMER)
    assert after is not None
    assert after.fresh == {}


def test_where_a_rule_failed_it_is_still_news(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(*failures())
    with monkeypatch.context() as broken:
        broken.setattr("services.churn_predictor.partition.decide", lambda *_: 1 / 0)
        assert problems_in(stream.tick(NOW)) == []

    ((_, _, trace),) = problems_in(stream.tick(NOW + 2 * HOUR))

    assert trace == of_event(failures()[1])


def test_who_becomes_another_brings_the_news_along() -> None:
    stays = CustomerState(fresh={"a": of_event(failures()[0]).in_one_line})
    goes = CustomerState(fresh={"b": of_event(failures()[1]).in_one_line})

    merge_into(stays, goes)

    assert stays.fresh.keys() == {"a", "b"}
