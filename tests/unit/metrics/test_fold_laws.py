"""Whatever the order and the repeats, the same records give the same figures."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts import topics as t
from services.contracts.contacts import ContactReason, OpenedBy, ReplyBy
from services.contracts.outreach import SOURCE, Mode, Outcome, Suppression
from services.contracts.problems import Clearing, ProblemKind, Tier
from services.contracts.stream import Account
from services.metrics.figures.complaints import judge
from services.metrics.figures.measures import Distributions
from services.metrics.figures.outreach_steps import DECIDED, ENDED, STAGES
from services.metrics.figures.pipeline import DeadLetter
from tests.unit.metrics.stories import (
    Read,
    answered,
    asked,
    barrier,
    began,
    changed,
    cleared,
    complained,
    decided,
    failed,
    fold_all,
    mark,
    net,
    opened,
    placed,
    reopened,
    replied,
    resolved,
    resumed,
    sent,
    series,
    silent,
    started,
    tick,
    trouble,
    unknown,
    withdrawn,
)

ORDERS = st.sampled_from(["o-1", "o-2", "o-3"])
HOURS = st.integers(0, 48).map(float)
FEEDS = st.sampled_from(["publisher:/shop", "publisher:/desk", "carrier:dhl", "scans:dhl"])


def account(applied: int) -> Read:
    """Return an account as the predictor writes them: cumulative."""
    told = Account(topic="contacts", partition=0, next_offset=applied, applied=applied)
    return Read(t.ACCOUNTS, told)


def dead_letter(offset: int) -> Read:
    """Return a dead letter."""
    return Read(
        t.dead_letter(t.CONTACTS), DeadLetter("contacts", "invalid", "outreach", f"0/{offset}")
    )


def marked(feed: str, number: int, partition: int) -> Read:
    """Return a feed's mark: ten events more with each tick."""
    return mark(feed, number, 10 * number, partition)


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
    st.builds(decided, ORDERS, HOURS, mode=st.sampled_from(list(Mode))),
    st.builds(decided, ORDERS, HOURS, name=st.sampled_from(["write", "again"])),
    st.builds(started, ORDERS, HOURS, st.integers(1, 2)),
    st.builds(sent, ORDERS, HOURS, attempt=st.integers(1, 2)),
    st.builds(unknown, ORDERS, HOURS, st.integers(1, 2)),
    st.builds(marked, FEEDS, st.integers(0, 9), st.integers(0, 1)),
    st.builds(silent, FEEDS, st.integers(0, 4).map(lambda n: 2 * n)),
    st.builds(resumed, FEEDS, st.integers(0, 4).map(lambda n: 2 * n + 1)),
    st.builds(barrier, HOURS),
    st.builds(tick, HOURS),
    st.builds(account, st.integers(0, 20)),
    st.builds(dead_letter, st.integers(0, 5)),
)
STORIES = st.lists(RECORDS, max_size=25, unique_by=repr)

CONTACTS = {
    "t-1": (ContactReason.WHERE_IS_MY_ORDER, "o-1", OpenedBy.CUSTOMER),
    "t-2": (ContactReason.WHERE_IS_MY_ORDER, None, OpenedBy.CUSTOMER),
    "t-3": (ContactReason.REFUND, "o-1", OpenedBy.CUSTOMER),
    "t-4": (ContactReason.REFUND, "o-2", OpenedBy.AGENT),
}
"""What each contact is about: whoever tells its opening twice says the same of it, but for when it was."""
NAMES = st.sampled_from(list(CONTACTS))
FORTNIGHT = st.integers(0, 14 * 24).map(float)
SERVICE = st.one_of(
    st.builds(lambda name, hours: began(name, hours, *CONTACTS[name]), NAMES, FORTNIGHT),
    st.builds(replied, NAMES, FORTNIGHT, st.sampled_from(ReplyBy)),
    st.builds(resolved, NAMES, FORTNIGHT, st.just(60)),
    st.builds(reopened, NAMES, FORTNIGHT),
    st.builds(opened, ORDERS, FORTNIGHT),
    st.builds(cleared, ORDERS, FORTNIGHT, st.sampled_from(list(Clearing))),
    st.builds(placed, ORDERS, FORTNIGHT),
    st.builds(lambda hours: asked("s-1", hours, source=SOURCE), FORTNIGHT),
    st.builds(asked, st.just("s-2"), FORTNIGHT),
    st.builds(answered, ORDERS, FORTNIGHT, st.integers(1, 5), st.sampled_from(["s-1", "s-2"])),
    st.builds(barrier, FORTNIGHT),
)
DESKS = st.lists(SERVICE, max_size=30, unique_by=repr)
"""Two weeks of a desk: long enough for windows to close, too short for anything to be forgotten."""


def figures(records: list[Read]) -> dict[str, float]:
    """Return every series but the count of records, less what was withdrawn."""
    found = net(series(fold_all(records)))
    return {name: value for name, value in found.items() if not name.startswith("care_events")}


@settings(max_examples=150)
@given(story=STORIES | DESKS, data=st.data())
def test_repeated_and_shuffled_records_give_the_same_figures(
    story: list[Read], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(story), max_size=10)) if story else []
    shuffled = data.draw(st.permutations(story + repeats))

    assert figures(shuffled) == figures(story)


@settings(max_examples=150)
@given(story=STORIES)
def test_figures_kept_record_by_record_equal_a_recount_of_the_facts(story: list[Read]) -> None:
    complaints = fold_all(story).complaints
    judged = [judge(order, complaints.settled_until) for order in complaints.orders.values()]

    for first in (True, False):
        label = (str(first).lower(),)
        kept = complaints.counted.of(*label) - complaints.withdrawn.of(*label)
        assert kept == len([j for j in judged if j is not None and j.reached_first is first])
    leads = sum((j.lead for j in judged if j is not None and j.lead is not None), timedelta(0))
    assert total(complaints.lead) - total(complaints.lead_withdrawn) == leads


def total(distributions: Distributions) -> timedelta:
    """Return the sum of all durations."""
    return sum((d.total for d in distributions.by_labels.values()), timedelta(0))


@settings(max_examples=150)
@given(story=STORIES | DESKS)
def test_no_counter_ever_falls(story: list[Read]) -> None:
    """Else Prometheus takes it for a restart and adds the whole count once more."""
    before: dict[str, float] = {}
    for length in range(1, len(story) + 1):
        now = {n: v for n, v in series(fold_all(story[:length])).items() if is_counter(n)}
        assert {n for n, v in before.items() if now.get(n, 0) < v} == set()
        before = now


def is_counter(name: str) -> bool:
    """Return whether this sample may only grow."""
    return name.split("{", maxsplit=1)[0].endswith(("_total", "_bucket", "_count"))


@given(story=STORIES, data=st.data())
def test_every_record_of_an_event_is_counted_once(story: list[Read], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(story), max_size=10)) if story else []
    events = [read for read in story + repeats if hasattr(read.record, "specversion")]

    assert sum(fold_all(story + repeats).pipeline.events.counts.values()) == len(events)


@settings(max_examples=150)
@given(story=STORIES)
def test_steps_decided_are_waiting_or_under_way_or_ended(story: list[Read]) -> None:
    """Once every step that was started or ended has been decided, as outreach tells it."""
    decisions = [decided(order, 0) for order in ("o-1", "o-2", "o-3")]
    steps = fold_all(
        decisions + [read for read in story if not is_of_another_step(read)]
    ).outreach_steps

    by_stage = {stage: steps.counted.of(stage) for stage in STAGES}
    assert by_stage[DECIDED] == len(steps.waiting) + len(steps.unfinished) + by_stage[ENDED]


def is_of_another_step(read: Read) -> bool:
    """Return whether this is about the steps of which no decision was put first."""
    told = getattr(read.record, "data", None)
    return getattr(told, "step", "write") != "write"
