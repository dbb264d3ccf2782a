"""What a large state costs: memory, writing a snapshot, starting from one.  No broker.

    python -m bench.metrics_state --customers 1000000

A realistic mix: three orders a customer, a tenth of the orders with a problem that is written about
and cleared, every twentieth with a contact.
"""

import gc
import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import psutil

from services.contracts import ids
from services.contracts import topics as t
from services.contracts.contacts import ContactChannel, ContactOpened, ContactReason
from services.contracts.envelope import Event, Fact
from services.contracts.events import TOPIC_OF
from services.contracts.outreach import OutreachSent
from services.contracts.people import Channel
from services.contracts.problems import (
    Actor,
    Clearing,
    ProblemCleared,
    ProblemKind,
    ProblemOpened,
    Tier,
)
from services.contracts.purchases import OrderLine, OrderPlaced
from services.contracts.stream import Barrier
from services.kit.clock import monotonic
from services.metrics import snapshot
from services.metrics.fold import fold
from services.metrics.snapshot import Header, Section, Standing, digest_of
from services.metrics.state import State

START = datetime(2026, 1, 1, tzinfo=UTC)
ORDERS_EACH = 3
PROBLEM_IN = 10
CONTACT_IN = 20
_PACE = timedelta(seconds=10)
_MARK_EACH = 10_000
_LINE = OrderLine(product_id="p-1", price_minor=4990)


def story(customers: int) -> Iterator[Event[Any]]:
    """Yield the events of so many customers, in the order of time."""
    for number in range(customers * ORDERS_EACH):
        order, customer = f"ord-{number:09}", f"c-{number // ORDERS_EACH:08}"
        at = START + number * _PACE
        yield _event(OrderPlaced(order_id=order, currency="EUR", lines=(_LINE,)), customer, at)
        if number % PROBLEM_IN == 0:
            yield from problem(order, customer, at + timedelta(days=4))
        if number % CONTACT_IN == 0:
            contact = ContactOpened(
                contact_id=f"con-{number}",
                channel=ContactChannel.CHAT,
                reason=ContactReason.WHERE_IS_MY_ORDER,
                order_id=order,
            )
            yield _event(contact, customer, at + timedelta(days=5))


def problem(order: str, customer: str, at: datetime) -> Iterator[Event[Any]]:
    """Yield what is said of an order that is late since `at`: noticed, written about, solved."""
    subject = f"shipment-{order}"
    problem_id = ids.problem_id(customer, subject, "delivery_delay", 1)
    about: dict[str, Any] = {
        "problem_id": problem_id,
        "kind": ProblemKind.DELIVERY_DELAY,
        "subject": subject,
        "order_id": order,
        "episode": 1,
        "deadline": at,
        "promised_by": at,
        "actor": Actor.US,
        "tier": Tier.OVERDUE,
    }
    yield _event(ProblemOpened(**about), customer, at)
    sent = OutreachSent(
        step_id=ids.step_id(problem_id, "delivery_late", "write"),
        problem_id=problem_id,
        playbook="delivery_late",
        playbook_version=1,
        step="write",
        channel=Channel.EMAIL,
        order_id=order,
        problem_opened_at=at,
    )
    yield _event(sent, customer, at + timedelta(hours=1))
    cleared = ProblemCleared(**about, clearing=Clearing.SOLVED)
    yield _event(cleared, customer, at + timedelta(days=1))


def _event(fact: Fact, customer: str, at: datetime) -> Event[Any]:
    return Event(
        id=f"{fact.TYPE}-{customer}-{at.timestamp():.0f}",
        source="/bench",
        type=fact.TYPE,
        time=at,
        partitionkey=customer,
        data=fact,
    )


def folded(customers: int) -> State:
    """Return the state of so many customers, judged up to the end."""
    state = State()
    for number, event in enumerate(story(customers)):
        fold(state, TOPIC_OF[type(event.data)], 0, event)
        if number % _MARK_EACH == 0:
            at = event.time - timedelta(days=6)
            fold(state, t.OUTREACH, 0, Barrier(barrier="b", number=1, at=at, partition=0, ends={}))
            state.settle(at)
    return state


def _mebibytes() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


@click.command()
@click.option("--customers", default=1_000_000, show_default=True)
def main(customers: int) -> None:
    """Print memory and times as JSON."""
    before = _mebibytes()
    state = folded(customers)
    gc.collect()
    found: dict[str, Any] = {"customers": customers, "state_mebibytes": _mebibytes() - before}
    began = monotonic()
    sections: dict[str, Section] = {}
    chunks: dict[tuple[str, int], bytes] = {}
    size, longest = 0, 0.0
    for name, raw_bytes, pieces in snapshot.encode(state):
        content = list(pieces)
        chunks |= {(name, number): piece for number, piece in enumerate(content)}
        sections[name] = Section(len(content), digest_of(content))
        size += raw_bytes
    found["write_seconds"] = monotonic() - began
    for field in fields(State):
        began = monotonic()
        snapshot.encode_section(getattr(state, field.name))
        longest = max(longest, monotonic() - began)
    found["longest_pause_seconds"] = longest
    found["encoded_mebibytes"] = size / 2**20
    found["on_the_topic_mebibytes"] = sum(len(content) for content in chunks.values()) / 2**20
    header = Header(snapshot.FORMAT, START, Standing({}, {}, 0), sections, size)
    del state
    began = monotonic()
    restored = snapshot.decode(header, chunks)
    found["read_seconds"] = monotonic() - began
    assert restored.complaints.orders
    click.echo(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
