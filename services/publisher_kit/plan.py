"""Which checks make a certificate, in their order.  Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from services.contracts import topics as t
from services.contracts.events import FACTS, FROM_OUTSIDE, TOPIC_OF
from services.publisher_kit import edges, poison
from services.publisher_kit.checks import (
    Check,
    Expected,
    Group,
    Sending,
    of_batch,
    of_event,
    taken,
)
from services.publisher_kit.samples import Certification, Sample, erasure, examples

REQUESTS = "requests"
"""What checks are about that no type has for itself."""
KEY = "key"
ENDING = "ending"
_REPEATS = 200, 202
"""A door may say that it knows the event, or take it once more."""
_NOBODYS_KEY = "care_certification_" + "x" * 43


class UnknownTypes(Exception):
    """No type is called so; the message says what to do."""


def types_named(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the types that publishers may send and that are named, in the order of their topics.

    Identities come last: what is merged or erased was told of before.

    Args:
        patterns: Types, or beginnings of them followed by `*`; none: all.

    Raises:
        UnknownTypes: one of them names nothing.
    """
    known = [fact.TYPE for fact in TOPIC_OF if fact.TYPE in FROM_OUTSIDE]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise UnknownTypes(
                f"no type that publishers may send is called {pattern}: see `care validate --types`"
            )
    wanted = [n for n in known if not patterns or any(fnmatchcase(n, p) for p in patterns)]
    return tuple(sorted(wanted, key=lambda n: TOPIC_OF[FACTS[n]] is t.IDENTITIES))


def checks_of(name: str, of: Certification) -> Iterator[Check]:
    """Yield the checks of one type: examples, edges, repeats, batches, poison."""
    topic = TOPIC_OF[FACTS[name]].name
    told = list(examples(name, of))
    samples = [event for _, event in told]
    first = samples[0]

    def check(group: Group, what: str, sending: Sending, expected: Expected) -> Check:
        return Check(name, group, what, sending, expected)

    for stem, event in told:
        yield check(Group.VALID, stem, of_event(event), taken(topic))
    for what, event in edges.edges(samples, of):
        yield check(Group.EDGE, what, of_event(event), taken(topic))
    yield check(Group.EDGE, "binary mode", edges.binary(first), taken(topic))
    yield check(Group.AGAIN, "the same event again", of_event(first, facts=0), Expected(_REPEATS))
    yield from _batches(name, samples, of)
    for wrong in poison.in_events(first, of.now):
        yield check(Group.POISON, wrong.name, wrong.sending, wrong.expected)


def _batches(name: str, samples: list[Sample], of: Certification) -> Iterator[Check]:
    first = samples[0]
    several = [event | {"id": f"{event['id']}:batch-{n}"} for n, event in enumerate(samples)]
    whole = Expected((202,), items=("accepted",) * len(several))
    yield Check(name, Group.BATCH, "all right", of_batch(several, len(several)), whole)
    mixed = [first | {"id": f"{first['id']}:mixed-{n}"} for n in range(3)]
    mixed[1] = poison.broken(mixed[1])
    some = Expected((207,), items=("accepted", "rejected", "accepted"))
    yield Check(name, Group.BATCH, "one of three wrong", of_batch(mixed, 2), some)
    values = edges.every_value(first, of)
    if values:
        every = Expected((202,), items=("accepted",) * len(values))
        yield Check(name, Group.EDGE, "every listed value", of_batch(values, len(values)), every)


def checks_of_requests(name: str, of: Certification) -> Iterator[Check]:
    """Yield the checks that no type has for itself, made with one of them."""
    _, event = next(examples(name, of))
    for wrong in poison.in_requests(event):
        yield Check(REQUESTS, Group.POISON, wrong.name, wrong.sending, wrong.expected)


def checks_of_key(name: str, of: Certification) -> Iterator[Check]:
    """Yield the checks of a door that asks for keys: the same event without one, and with nobody's."""
    _, event = next(examples(name, of))
    for what, key in (("without a key", ""), ("with nobody's key", _NOBODYS_KEY)):
        told = event | {"id": f"{event['id']}:{what}".replace(" ", "-")}
        sending = Sending(of_event(told).body, key=key)
        yield Check(KEY, Group.KEY, what, sending, Expected((401,)))


def ending(of: Certification, key: str | None = None) -> Iterator[Check]:
    """Yield what erases every customer of the samples.

    Args:
        of: Whose samples.
        key: One that may erase customers; None: the publisher's own is sent.
    """
    for customer in of.customers:
        event = erasure(customer, of, edges.latest(of))
        sending = replace(of_event(event, facts=0), key=key)
        yield Check(ENDING, Group.ENDING, customer, sending, Expected(_REPEATS))


def facts_in(checks: Iterable[Check]) -> int:
    """Return how many events become facts when the door does as it must."""
    return sum(check.sending.facts for check in checks)
