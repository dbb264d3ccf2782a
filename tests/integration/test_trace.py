"""One id joins what a publisher tells, what is concluded from it, and what the customer hears of it."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.contracts import topics as t
from services.contracts.envelope import STRUCTURED
from services.contracts.purchases import PaymentFailed, PaymentFailure
from services.contracts.trace_context import TraceContext, of_headers
from services.kit.clock import SystemClock
from tests.factories import event
from tests.integration.test_outreach_webhook import hooked
from tests.support import receiver
from tests.support.collector import Collector, Seen, collecting
from tests.support.door import open_door
from tests.support.mail import Sink
from tests.support.outreach import Company, here, live, log_lines, states
from tests.support.service import running
from tests.support.topics import wait_for

pytestmark = pytest.mark.connected

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PUBLISHER = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "shop=checkout"}
PLAYBOOK = """
name: payment_failed
version: 1
mode: live
message_class: service
trigger: {kind: payment_failed, tiers: [overdue]}
steps: [{name: notice, action: send, channels: [webhook], template: payment_failed, use_by_hours: 24}]
"""


@dataclass
class Scene:
    """Three services at work, whoever hears of their sends, and whoever collects their spans."""

    company: Company
    database: str
    folder: Path
    door: str
    hook: receiver.Receiver
    collector: Collector

    def tell(self, number: int, **headers: str) -> None:
        """Tell by the door that a payment failed; it is the same order each time."""
        failed = PaymentFailed(
            payment_id=f"p-{number}", reason=PaymentFailure.DECLINED, order_id="o-1"
        )
        now = SystemClock().now()
        told = event(failed, at=now, customer="c-1", event_id=f"failed-{number}")
        answer = httpx.post(
            f"{self.door}/v1/events",
            content=told.encode(),
            headers={"content-type": STRUCTURED, **headers},
        )
        assert answer.status_code == 202, answer.text

    def records(self, topic: t.Topic, kind: str) -> list[Any]:
        """Return the records of this topic that tell of this."""
        found = self.company.deployment.records(topic)
        return [r for r in found if f"care.{kind}.v1".encode() in (r.value or b"")]

    def lines(self, service: str, name: str) -> list[dict[str, Any]]:
        """Return a service's log lines of this name."""
        return [line for line in log_lines(self.folder / f"{service}.log") if line["event"] == name]

    def span(self, service: str, name: str) -> list[Seen]:
        """Return a service's spans of this name that belong to the trace, or are linked to it."""
        return [
            span
            for span in self.collector.spans(service)
            if span.name == name and TRACE in {span.trace_id, *span.links}
        ]


@pytest.fixture
def scene(company: Company, sink: Sink, database: str, tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        collector = stack.enter_context(collecting())
        hook = stack.enter_context(receiver.receiving())
        hooks = hooked(tmp_path, f"http://127.0.0.1:{hook.port}/hook")
        (tmp_path / "playbooks" / "delivery_late.yaml").write_text(PLAYBOOK)
        common = company.deployment.environment(CARE_CLOCK="system", **collector.environment)
        own = {
            "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "6",
            "CARE_CHURN_PREDICTOR_FOLDER": str(tmp_path / "folder"),
        }
        settings = live(company.deployment, database, sink.port, **hooks, **collector.environment)
        for service, told in (("churn_predictor", {**common, **own}), ("outreach", settings)):
            stack.enter_context(running(service, told, tmp_path / f"{service}.log"))
        _, door = stack.enter_context(open_door(common, tmp_path))
        yield Scene(company, database, tmp_path, door, hook, collector)


def test_one_id_joins_an_event_the_problem_it_brings_and_the_contact_about_it(
    scene: Scene,
) -> None:
    company = scene.company
    company.deployment.publish(here("c-1"))
    # Nothing is said of what went wrong before the first tick.
    wait_for(lambda: company.deployment.values(t.ACCOUNTS), "the first tick")
    scene.tell(1)
    scene.tell(2, **PUBLISHER)

    wait_for(lambda: states(scene.database) == {"sent": 1}, "the webhook")

    (first, second) = scene.records(t.PURCHASES, "payment.failed")
    assert of_headers(second.headers) == TraceContext(*PUBLISHER.values())
    assert of_headers(first.headers) not in (None, of_headers(second.headers))
    (opened,) = scene.records(t.PROBLEMS, "problem.opened")
    assert of_headers(opened.headers) == TraceContext(*PUBLISHER.values())
    for kind in ("decided", "started", "sent"):
        told = wait_for(partial(scene.records, t.OUTREACH, f"outreach.{kind}"), kind)
        assert [of_headers(r.headers) for r in told] == [TraceContext(*PUBLISHER.values())]
    (heard,) = scene.hook.requests
    assert heard.headers["traceparent"] == PUBLISHER["traceparent"]
    # What tracing systems wrote for each other goes to nobody outside.
    assert "tracestate" not in heard.headers
    check_lines(scene)
    check_spans(scene)


def check_lines(scene: Scene) -> None:
    received = scene.lines("ingest", "events_received")
    assert [line["event_id"] for line in received] == ["failed-1", "failed-2"]
    assert received[1]["trace_id"] == TRACE != received[0]["trace_id"]
    (told,) = scene.lines("churn_predictor", "problem_told")
    assert (told["trace_id"], told["outcome"]) == (TRACE, "opened")
    assert [ref["id"] for ref in told["evidence"]] == ["failed-2"]
    applied = [
        line
        for line in scene.lines("churn_predictor", "slice_applied")
        if line["topic"] == "purchases"
    ]
    assert sum(line["applied"] for line in applied) == 2
    (decided,) = scene.lines("outreach", "outreach_decided")
    (attempted,) = scene.lines("outreach", "outreach_attempted")
    assert (decided["trace_id"], decided["outcome"]) == (TRACE, "contact")
    assert (attempted["trace_id"], attempted["outcome"]) == (TRACE, "taken")
    assert decided["problem_id"] == attempted["problem_id"] == told["problem_id"]
    assert decided["step_id"] == attempted["step_id"]


def check_spans(scene: Scene) -> None:
    topic = t.PURCHASES.physical(scene.company.deployment.prefix)
    wait_for(lambda: scene.span("outreach", "send webhook"), "the last span")
    (received,) = wait_for(lambda: scene.span("ingest", "POST /v1/events"), "ingest's span")
    (applied,) = wait_for(
        lambda: scene.span("churn_predictor", f"process {topic}"), "the predictor's span"
    )
    (decided,) = wait_for(lambda: scene.span("outreach", "decide problems"), "the decision's span")
    (sent,) = scene.span("outreach", "send webhook")
    assert (received.trace_id, received.parent_id) == (TRACE, SPAN)
    assert received.attributes["http.response.status_code"] == 202
    # Whoever reads many at once is in none of their traces, and linked to each.
    assert applied.trace_id != TRACE
    assert decided.trace_id != TRACE
    assert (sent.trace_id, sent.parent_id) == (TRACE, SPAN)
    assert sent.attributes["care.outcome"] == "taken"
