"""A webhook between its bytes and its answer: is it signed, what does it tell, what became of it.

The answer decides whether the other system sends it again: 2xx ends it, 503 brings it back.  What
can never become an event is answered with 2xx too, and says why: a repeat would help nobody.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus

from pydantic_core import to_json

from services.contracts.envelope import Event
from services.contracts.events import FROM_OUTSIDE, TOPIC_OF, Unreadable
from services.contracts.topics import MAX_FUTURE_SKEW
from services.contracts.trace_context import of_event
from services.ingest import answers
from services.ingest.adapters.adapter import Adapter
from services.ingest.adapters.findings import Finding, Headers, Ignored, Reason, Refused, events_in
from services.ingest.adapters.signatures import Seal
from services.ingest.answers import Answer, Tally
from services.ingest.documents import SAME_ID, ProblemKind, Status, WebhookOutcome
from services.ingest.reading import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from services.ingest.records import Acknowledged, Outcome, Publisher, Record, record_of
from services.ingest.strict_json import parse

MAX_WEBHOOK_BYTES = MAX_BATCH_BYTES
"""A tracking repeats all its scans, an order all its lines."""

_WRONG = (
    "The signature is missing, or made with another secret: compare it with the other system's."
)
_STALE = "The signed time is more than 5 minutes from this machine's clock: set the clocks."


class AdapterOff(Exception):
    """No secret is set for this adapter, so nobody can be believed."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """One as it came."""

    adapter: Adapter
    headers: Headers
    raw: bytes
    at: datetime
    """When it came, by the machine's clock: the world signs by its own, whatever the deployment's is."""


def read_webhook(webhook: Webhook, now: datetime) -> list[Finding] | Answer:
    """Return what a webhook tells, or the answer where it is not signed or no JSON.

    Nothing of a body is parsed before its signature is found good.

    Args:
        webhook: As it came.
        now: By the deployment's clock, for the times of what it tells.
    """
    adapter, headers, raw = webhook.adapter, webhook.headers, webhook.raw
    seal = adapter.verify(raw, headers, adapter.secrets.current(), webhook.at)
    if seal is not Seal.GOOD:
        return _unsigned(adapter, seal)
    try:
        body = parse(raw).value
    except Unreadable as error:
        answer = answers.problem(ProblemKind.NOT_JSON, "Nothing was taken.", faults=error.faults)
        return replace(answer, webhook=(adapter.name, WebhookOutcome.REFUSED))
    return [_checked(finding, now) for finding in adapter.read(body, headers)]


def _unsigned(adapter: Adapter, seal: Seal) -> Answer:
    is_stale = seal is Seal.STALE
    answer = answers.problem(ProblemKind.NOT_SIGNED, _STALE if is_stale else _WRONG)
    outcome = WebhookOutcome.STALE if is_stale else WebhookOutcome.FORGED
    return replace(answer, webhook=(adapter.name, outcome))


def _checked(finding: Finding, now: datetime) -> Finding:
    if not isinstance(finding, Event):
        return finding
    if finding.type not in FROM_OUTSIDE:
        return Refused(Reason.INVALID, f"{finding.type} is written by this system itself")
    if finding.time > now + MAX_FUTURE_SKEW:
        return Refused(Reason.TOO_FAR_AHEAD, f"{finding.type} lies too far ahead of our clock")
    return finding


async def publish(found: Sequence[Finding], publisher: Publisher) -> list[Outcome]:
    """Return the outcome of each event found, in their order.

    Raises:
        Overloaded: no room; what went before is published, and a repeat does it no harm.
    """
    records = [record_of(event, TOPIC_OF[type(event.data)]) for event in events_in(list(found))]
    outcomes: list[Outcome] = []
    for part in _parts(records):
        outcomes += await publisher.publish(part)
    return outcomes


def _parts(records: Sequence[Record]) -> Iterable[Sequence[Record]]:
    # As many as a batch may have: room for more than that need not exist.
    for first in range(0, len(records), MAX_BATCH_EVENTS):
        yield records[first : first + MAX_BATCH_EVENTS]


def answer_of(
    adapter: Adapter,
    found: Sequence[Finding],
    outcomes: Sequence[Outcome],
    retry_after_seconds: int,
) -> Answer:
    """Return 200 where the broker has every event, 503 where it may not.

    Args:
        outcomes: One for each event found, in their order.
    """
    statuses = [_status_of(outcome) for outcome in outcomes]
    topics = (TOPIC_OF[type(event.data)].name for event in events_in(list(found)))
    tally: Tally = Counter(zip(topics, statuses, strict=True))
    outcome = _outcome(found, statuses)
    if outcome is WebhookOutcome.UNKNOWN:
        kind = ProblemKind.OUTCOME_UNKNOWN
        answer = answers.problem(kind, SAME_ID, retry_after_seconds=retry_after_seconds)
    else:
        answer = Answer(HTTPStatus.OK, to_json(_body(found)))
    events = list(events_in(list(found)))[: answers.MOST_NAMED]
    names = {
        "reasons": dict(Counter(f.reason.value for f in found if not isinstance(f, Event))),
        "event_ids": [event.id for event in events],
    }
    traces = tuple(dict.fromkeys(of_event(event) for event in events))
    webhook = (adapter.name, outcome)
    return replace(answer, tally=tally, names=names, traces=traces, webhook=webhook)


def _status_of(outcome: Outcome) -> Status:
    return Status.ACCEPTED if isinstance(outcome, Acknowledged) else Status.UNKNOWN


def _outcome(found: Sequence[Finding], statuses: Sequence[Status]) -> WebhookOutcome:
    if Status.UNKNOWN in statuses:
        return WebhookOutcome.UNKNOWN
    if statuses:
        return WebhookOutcome.ACCEPTED
    if any(isinstance(finding, Refused) for finding in found):
        return WebhookOutcome.REFUSED
    return WebhookOutcome.IGNORED


def _body(found: Sequence[Finding]) -> dict[str, object]:
    refused = [(f.reason.value, f.detail) for f in found if isinstance(f, Refused)]
    ignored = [(f.reason.value, f.detail) for f in found if isinstance(f, Ignored)]
    because = dict.fromkeys(refused + ignored)
    return {
        "accepted": len(found) - len(refused) - len(ignored),
        "refused": len(refused),
        "ignored": len(ignored),
        "because": [{"reason": reason, "detail": detail} for reason, detail in because],
    }
