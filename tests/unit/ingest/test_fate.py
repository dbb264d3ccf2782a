"""What is told of a record is what the predictor did with it, or that it cannot be told."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.events import TOPIC_OF
from services.contracts.stream import Account
from services.ingest.fate import CLOCK_SKEW, Counted, Evidence, Fate, Found, Letter, fates, of_all
from tests.factories import DAY, HOUR, START, placed, promised
from tests.unit.churn_predictor.stream import Stream

FOUND = Found(t.PURCHASES, 0, 5, START, "c-1", START)


def counted(next_offset: int, topic: str = "purchases", **more: Any) -> Counted:
    account = Account(topic=topic, partition=0, next_offset=next_offset, at=START + HOUR, **more)
    return Counted(account, START + HOUR)


def fate_of(evidence: Evidence) -> Fate:
    return fates(evidence, simulated=False)[-1].fate


class TestOneRecord:
    def test_until_it_is_passed_it_waits(self) -> None:
        accounts = [counted(5), counted(9, "deliveries")]

        assert fate_of(Evidence([FOUND])) is Fate.WAITING
        assert fate_of(Evidence([FOUND], accounts=accounts)) is Fate.WAITING
        assert fate_of(Evidence([FOUND], accounts=[*accounts, counted(6)])) is Fate.APPLIED

    def test_what_lies_before_the_first_count_is_never_read(self) -> None:
        assert fate_of(Evidence([FOUND], accounts=[counted(9, first_offset=6)])) is Fate.ACCEPTED

    def test_a_reading_that_was_cut_short_says_no_more_than_accepted(self) -> None:
        evidence = Evidence([FOUND], accounts=[counted(6)], is_whole=False)

        assert fate_of(evidence) is Fate.ACCEPTED

    def test_nobody_counts_profiles(self) -> None:
        (told,) = fates(Evidence([replace(FOUND, topic=t.CUSTOMERS)]), simulated=False)

        assert told.fate is Fate.ACCEPTED
        assert told.because is not None

    def test_only_what_the_predictor_could_not_read_is_dead_for_it(self) -> None:
        theirs = Letter("purchases", 0, 5, "outreach", "invalid")
        ours = replace(theirs, service="churn-predictor")
        elsewhere = replace(ours, partition=1)
        accounts = [counted(6)]

        assert fate_of(Evidence([FOUND], [theirs, elsewhere], accounts)) is Fate.APPLIED
        (told,) = fates(Evidence([FOUND], [theirs, ours], accounts), simulated=False)
        assert (told.fate, told.reason) == (Fate.DEAD_LETTERED, "invalid")

    @pytest.mark.parametrize(
        ("age", "fate"),
        [
            (t.HORIZON + CLOCK_SKEW + timedelta(seconds=1), Fate.LATE),
            (t.HORIZON, Fate.UNCLEAR),
            (t.HORIZON - HOUR - CLOCK_SKEW, Fate.APPLIED),
        ],
    )
    def test_at_the_edge_of_the_horizon_nothing_is_claimed(
        self, age: timedelta, fate: Fate
    ) -> None:
        old = replace(FOUND, time=START - age)

        assert fate_of(Evidence([old], accounts=[counted(6)])) is fate


def test_a_repeat_in_the_partition_to_which_its_customer_was_moved_is_one() -> None:
    moved = replace(FOUND, partition=4, offset=0, written_at=START + DAY)
    account = Account(topic="purchases", partition=4, next_offset=1, at=START + DAY)
    evidence = Evidence([FOUND, moved], accounts=[counted(6), Counted(account, START + DAY)])

    told = {record.partition: record.fate for record in fates(evidence, simulated=False)}

    assert told == {0: Fate.APPLIED, 4: Fate.DUPLICATE}


def test_the_best_of_its_records_is_what_became_of_an_event() -> None:
    again = replace(FOUND, offset=7)
    records = fates(Evidence([again, FOUND], accounts=[counted(8)]), simulated=False)

    assert [(record.offset, record.fate) for record in records] == [
        (5, Fate.APPLIED),
        (7, Fate.DUPLICATE),
    ]
    assert of_all(records) is Fate.APPLIED
    assert of_all(records[1:]) is Fate.DUPLICATE
    assert of_all([]) is None


def test_the_same_under_another_customer_is_another_story() -> None:
    other = replace(FOUND, offset=7, customer="c-2")
    records = fates(Evidence([FOUND, other], accounts=[counted(8)]), simulated=False)

    assert [record.fate for record in records] == [Fate.APPLIED, Fate.APPLIED]


@dataclass
class Town:
    """A real partition of the predictor, and all that its topics show."""

    simulated: bool
    now: datetime = START
    stream: Stream = field(default_factory=Stream)
    found: list[Found] = field(default_factory=list)
    truth: list[Fate] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    accounts: list[Counted] = field(default_factory=list)

    def give(self, event: Event[Any], *, is_broken: bool) -> None:
        topic = TOPIC_OF[type(event.data)]
        source = self.stream.partition.state.sources[topic.name]
        before = (source.applied, source.duplicate, source.late, source.dead_lettered)
        offset = self.stream.ends.get(topic.name, 0)
        now = self.stream.partition.state.at if self.simulated else self.now
        raw = event.encode().replace(b"order_id", b"order_no") if is_broken else event.encode()
        for letter in self.stream.give_raw(topic, raw, b"c-1", now):
            self.letters.append(Letter(topic.name, 0, offset, "churn-predictor", letter.reason))
        after = (source.applied, source.duplicate, source.late, source.dead_lettered)
        outcomes = (Fate.APPLIED, Fate.DUPLICATE, Fate.LATE, Fate.DEAD_LETTERED)
        self.truth += [o for o, a, b in zip(outcomes, before, after, strict=True) if b > a]
        self.found.append(Found(topic, 0, offset, self.now, "c-1", event.time))

    def tick(self) -> None:
        for output in self.stream.tick(self.now):
            if output.topic is t.ACCOUNTS:
                account = Account.model_validate_json(output.record_value or b"")
                self.accounts.append(Counted(account, self.now))

    def told(self) -> dict[tuple[str, int], Fate]:
        evidence = Evidence(self.found, self.letters, self.accounts)
        records = fates(evidence, simulated=self.simulated)
        return {(record.topic, record.offset): record.fate for record in records}


AGES = st.sampled_from([0 * DAY, DAY, t.HORIZON - DAY, t.HORIZON, t.HORIZON + 5 * DAY])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["placed", "promised"]), AGES, st.booleans()),
        st.tuples(st.just("tick"), st.sampled_from([HOUR, 2 * DAY])),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.booleans())
def test_no_fate_is_told_that_the_predictor_did_not_bring_about(
    steps: Sequence[tuple[Any, ...]], simulated: bool
) -> None:
    town = Town(simulated)
    town.tick()
    for step in steps:
        if step[0] == "tick":
            town.now += step[1]
            town.tick()
            continue
        kind, age, is_broken = step
        make = placed if kind == "placed" else promised
        town.give(make(event_id="e-1", customer="c-1", at=town.now - age), is_broken=is_broken)
    told = town.told()

    for found, truth in zip(town.found, town.truth, strict=True):
        fate = told[found.topic.name, found.offset]
        assert fate in {truth, Fate.UNCLEAR, Fate.WAITING}
        assert (fate is Fate.WAITING) <= (not is_passed(town, found))
        if is_plain(town, found) and is_passed(town, found):
            assert fate is truth


def is_passed(town: Town, found: Found) -> bool:
    """Whether an account has passed it."""
    ends = [c.account.next_offset for c in town.accounts if c.account.topic == found.topic.name]
    return bool(ends) and ends[-1] > found.offset


def is_plain(town: Town, found: Found) -> bool:
    """Whether nothing about it is at an edge: all on one topic, and nothing near the horizon."""
    ages = [each.written_at - each.time for each in town.found]
    near = [age for age in ages if t.HORIZON - 3 * DAY < age < t.HORIZON + 3 * DAY]
    return not near and len({each.topic for each in town.found}) == 1
