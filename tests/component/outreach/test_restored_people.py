"""A database older than what was said, about who was erased or became another since."""

from collections.abc import Callable
from typing import Any

import pytest

from services.outreach.replaying import Replaying
from services.outreach.suppression import is_opaque
from tests.component.outreach.desk import NOON, Desk, execute
from tests.component.outreach.test_erasing import AFTER, KEYS, erased, names_in, with_keys
from tests.component.outreach.test_merging import merged
from tests.component.outreach.test_restored import (
    ENDINGS,
    LATER,
    Lying,
    begin,
    copies,
    is_needed,
    replayed,
    said_by,
    write_again,
)
from tests.factories import DAY
from tests.support.outreach import opened, profile, query, states

pytestmark = pytest.mark.connected

__all__ = ["copies"]


@pytest.mark.parametrize("kind", [kind for kind in ENDINGS if kind != "corrected"])
def test_who_was_erased_since_the_backup_does_not_come_back(
    desk: Desk, copies: Callable[[Desk], Desk], kind: str
) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    old = with_keys(copies(desk))
    for each in (desk, old):
        write_again(each)
    desk.decide()
    ENDINGS[kind](desk)
    told = said_by(desk)
    # Outreach has read again what lies on the other topics.
    old.learn(erased("c-1"), now=LATER)

    replayed(old, Lying(told), keys=KEYS)

    assert all(is_opaque(name) for name in names_in(old))
    assert query(old.url, "SELECT due_at FROM agenda") == [(None,)]
    assert query(old.url, "SELECT DISTINCT order_id FROM decisions") == [(None,)]
    assert query(old.url, "SELECT DISTINCT order_id, message_id FROM sends") == [(None, None)]
    expected = {"started": "unknown", "decided": "withdrawn"}.get(kind, kind)
    assert states(old.url) == {expected: 1}
    assert not is_needed(old)
    assert (old.decide(AFTER + 3 * DAY), old.send(AFTER)) == ([], 0)


def test_a_trial_says_what_will_be_withdrawn(desk: Desk, copies: Callable[[Desk], Desk]) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    old = with_keys(copies(desk))
    desk.decide()
    topic = Lying(said_by(desk))
    old.learn(erased("c-1"), now=LATER)

    trial = replayed(old, topic, keys=KEYS, is_trial=True)

    assert (trial["sends"], states(old.url)) == ({"withdrawn": 1}, {})
    assert replayed(old, topic, keys=KEYS) == trial


def test_who_became_another_since_the_backup_is_that_one(
    desk: Desk, copies: Callable[[Desk], Desk]
) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    old = copies(desk)
    desk.decide()
    begin(desk)
    old.learn(merged("c-1", "c-2"), now=LATER)

    replayed(old, Lying(said_by(desk)))

    homes = "SELECT customer_id, partition FROM"
    assert len({query(old.url, f"{homes} {t}")[0] for t in ("agenda", "decisions", "sends")}) == 1
    assert names_in(old) == {"c-1", "c-2"}
    assert query(old.url, "SELECT DISTINCT customer_id FROM sends") == [("c-2",)]


def test_of_however_many_it_tells_it_comes_to_an_end(desk: Desk) -> None:
    """PostgreSQL has no room for the locks of all of them at once."""
    many = {f"c-{n}" for n in range(20_000)}
    topic: Any = Lying([])
    catalogue = desk.out.rules.catalogue

    Replaying(desk.engine, topic, catalogue, KEYS, _names=many).run("ada", LATER, {})


def test_a_step_whose_problem_is_not_its_customers_stops_nobody_elses(desk: Desk) -> None:
    """However such a row came about: it fails, and whoever waits behind it is decided and sent."""
    for customer in ("c-1", "c-2", "c-3"):
        desk.learn(profile(customer), opened(customer, NOON))
    execute(desk.url, "UPDATE problems SET customer_id = 'c-9' WHERE customer_id = 'c-1'")
    assert desk.decide() == ["contact", "contact"]
    assert query(desk.url, "SELECT due_at FROM agenda WHERE customer_id = 'c-1'") == [(None,)]
    execute(desk.url, "UPDATE problems SET customer_id = 'c-9' WHERE customer_id = 'c-2'")

    assert desk.send() == 1
    assert query(desk.url, "SELECT customer_id, state, reason FROM sends ORDER BY 1") == [
        ("c-2", "failed", "problem_gone"),
        ("c-3", "sent", None),
    ]
