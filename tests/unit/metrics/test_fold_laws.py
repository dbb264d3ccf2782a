"""Whatever the order and the repeats, the same records give the same figures."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts import topics as t
from services.contracts.contacts import ContactReason
from services.contracts.outreach import Outcome, Suppression
from services.contracts.problems import Clearing, ProblemKind, Tier
from services.contracts.stream import Account
from services.metrics import kpis
from services.metrics.facts import State
from services.metrics.fold import DeadLetter
from tests.unit.metrics.stories import (
    Read,
    answered,
    barrier,
    changed,
    cleared,
    complained,
    decided,
    failed,
    fold_all,
    opened,
    sent,
    series,
    tick,
    trouble,
    unknown,
    withdrawn,
)

ORDERS = st.sampled_from(["o-1", "o-2", "o-3"])
HOURS = st.integers(0, 48).map(float)


def account(applied: int) -> Read:
    """Return an account as the predictor writes them: cumulative."""
    told = Account(topic="contacts", partition=0, next_offset=applied, applied=applied)
    return Read(t.ACCOUNTS, told)


def dead_letter(offset: int) -> Read:
    """Return a dead letter."""
    return Read(
        t.dead_letter(t.CONTACTS), DeadLetter("contacts", "invalid", "outreach", f"0/{offset}")
    )


RECORDS = st.one_of(
    st.builds(complained, ORDERS, HOURS, st.sampled_from(list(ContactReason))),
    st.builds(answered, ORDERS, HOURS, st.integers(1, 5), st.sampled_from(["s-1", "s-2"])),
    st.builds(opened, ORDERS, HOURS, st.sampled_from(list(Tier))),
    st.builds(trouble, st.sampled_from(list(ProblemKind)), HOURS, st.sampled_from(list(Tier))),
    st.builds(changed, ORDERS, HOURS, st.sampled_from(list(Tier))),
    st.builds(cleared, ORDERS, HOURS, st.sampled_from(list(Clearing))),
    st.builds(decided, ORDERS, HOURS, st.sampled_from(list(Outcome))),
    st.builds(
        decided, ORDERS, HOURS, st.just(Outcome.SUPPRESSED), st.sampled_from(list(Suppression))
    ),
    st.builds(sent, ORDERS, HOURS),
    st.builds(failed, ORDERS, HOURS),
    st.builds(unknown, ORDERS, HOURS),
    st.builds(withdrawn, ORDERS, HOURS),
    st.builds(barrier, HOURS),
    st.builds(tick, HOURS),
    st.builds(account, st.integers(0, 20)),
    st.builds(dead_letter, st.integers(0, 5)),
)
STORIES = st.lists(RECORDS, max_size=25, unique_by=repr)


def figures(records: list[Read]) -> dict[str, float]:
    """Return every series but the count of records."""
    found = series(fold_all(records))
    return {name: value for name, value in found.items() if not name.startswith("care_events")}


@settings(max_examples=150)
@given(story=STORIES, data=st.data())
def test_repeated_and_shuffled_records_give_the_same_figures(
    story: list[Read], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(story), max_size=10)) if story else []
    shuffled = data.draw(st.permutations(story + repeats))

    assert figures(shuffled) == figures(story)


@settings(max_examples=150)
@given(story=STORIES)
def test_figures_kept_record_by_record_equal_a_recount_of_the_facts(story: list[Read]) -> None:
    state = fold_all(story)

    assert (dict(+state.complaints), state.lead_time.counts, state.lead_time.total) == recount(
        state
    )


@given(story=STORIES, data=st.data())
def test_every_record_of_an_event_is_counted_once(story: list[Read], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(story), max_size=10)) if story else []
    events = [read for read in story + repeats if hasattr(read.record, "specversion")]

    assert fold_all(story + repeats).events.total() == len(events)


def recount(state: State) -> tuple[object, ...]:
    """Return complaints and lead times counted afresh from the facts."""
    fresh = State()
    for order in state.orders.values():
        judged = kpis.judge(order, state.settled_until.get(order.partition))
        if judged is not None:
            fresh.complaints[judged.reached_first] += 1
            fresh.lead_time.add(judged.lead)
    return dict(fresh.complaints), fresh.lead_time.counts, fresh.lead_time.total
