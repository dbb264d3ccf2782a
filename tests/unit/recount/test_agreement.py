"""Two ways to the same figures: folded record by record, and counted at the end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from services.contracts.contacts import ContactReason, OpenedBy, SurveyKind
from services.contracts.envelope import Event
from services.contracts.outreach import SOURCE, Outcome, Suppression
from services.contracts.people import Channel
from services.contracts.problems import Clearing, ProblemKind, Tier
from services.metrics.exporter import StateCollector, render
from services.recount.count import Told
from services.recount.series import Difference, differences, exported
from services.recount.verdict import COMPARED, compare
from tests.unit.metrics.stories import (
    PLAYBOOK,
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
    opened,
    placed,
    sent,
    trouble,
    unknown,
    withdrawn,
)

ORDERS = st.sampled_from(["o-1", "o-2", "o-3"])
HOURS = st.integers(0, 48).map(float)
SURVEYS = st.sampled_from(["s-1", "s-2"])
SOURCES = st.sampled_from(["/test", SOURCE])
STORIES = st.lists(
    st.one_of(
        st.builds(placed, ORDERS, HOURS),
        st.builds(complained, ORDERS, HOURS, st.sampled_from(list(ContactReason))),
        st.builds(
            began,
            st.sampled_from(["t-1", "t-2"]),
            HOURS,
            st.sampled_from(list(ContactReason)),
            ORDERS,
            st.sampled_from(list(OpenedBy)),
        ),
        st.builds(answered, ORDERS, HOURS, st.integers(1, 5), st.sampled_from(["s-1", "s-2"])),
        st.builds(asked, SURVEYS, HOURS, st.sampled_from(list(SurveyKind)), SOURCES),
        st.builds(
            answered,
            ORDERS,
            HOURS,
            st.integers(1, 5),
            SURVEYS,
            st.sampled_from(list(SurveyKind)),
            SOURCES,
        ),
        st.builds(opened, ORDERS, HOURS, st.sampled_from(list(Tier))),
        st.builds(trouble, st.sampled_from(list(ProblemKind)), HOURS),
        st.builds(changed, ORDERS, HOURS, st.sampled_from(list(Tier))),
        st.builds(cleared, ORDERS, HOURS, st.sampled_from(list(Clearing))),
        st.builds(decided, ORDERS, HOURS, st.sampled_from(list(Outcome))),
        st.builds(
            decided, ORDERS, HOURS, st.just(Outcome.SUPPRESSED), st.sampled_from(list(Suppression))
        ),
        st.builds(sent, ORDERS, HOURS),
        st.builds(sent, ORDERS, HOURS, attempt=st.integers(1, 2)),
        st.builds(sent, ORDERS, HOURS, name=st.just("hand over"), channel=st.just(Channel.HUMAN)),
        st.builds(failed, ORDERS, HOURS),
        st.builds(unknown, ORDERS, HOURS),
        st.builds(withdrawn, ORDERS, HOURS),
        st.builds(barrier, HOURS),
    ),
    max_size=40,
)


def told(story: list[Read]) -> Told:
    """Return what lies on the topics after this story."""
    everything = Told()
    for read in story:
        if isinstance(read.record, Event):
            everything.take(read.topic.name, read.record)
    return everything


def text(story: list[Read]) -> str:
    """Return what the metrics service answers after this story."""
    state, registry = fold_all(story), CollectorRegistry()
    registry.register(StateCollector(lambda: render(state, {}, (PLAYBOOK,))))
    return generate_latest(registry).decode()


def found(story: list[Read]) -> list[Difference]:
    """Return where the two differ."""
    return compare(text(story), told(story))[1]


@settings(max_examples=200)
@given(story=STORIES)
def test_the_service_and_the_recount_agree_about_any_story(story: list[Read]) -> None:
    assert found([*story, barrier(1_000)]) == []


@pytest.mark.parametrize("missing", range(5))
def test_a_record_the_service_did_not_count_is_found(missing: int) -> None:
    story = [
        opened("o-1", 6),
        decided("o-1", 7),
        sent("o-1", 7),
        complained("o-1", 9),
        placed("o-1"),
    ]
    counted = [read for number, read in enumerate(story) if number != missing]

    assert compare(text([*counted, barrier(24)]), told(story))[1]


def test_every_compared_figure_differs_where_the_service_counted_nothing() -> None:
    story = [
        opened("o-1", 6),
        opened("o-2", 6),
        cleared("o-2", 7),
        decided("o-1", 7, Outcome.SUPPRESSED, Suppression.CONSENT),
        sent("o-1", 8),
        sent("o-1", 9, attempt=2),
        complained("o-1", 10),
        placed("o-1"),
        asked("s-1", 11),
        answered("o-1", 12, 5),
    ]

    differing = {each.series.metric for each in compare(text([barrier(24)]), told(story))[1]}

    assert differing == {metric.name for metric in COMPARED}


def test_what_is_withdrawn_does_not_count() -> None:
    moved = [sent("o-1", 7), complained("o-1", 9), barrier(24), complained("o-1", 6)]
    figures = {str(series): value for series, value in exported(text(moved)).items()}

    assert figures['care_complaints_total{reached_first="true"}'] == 0
    assert figures['care_complaints_total{reached_first="false"}'] == 1
    assert figures['care_lead_time_seconds{le="0.0"}'] == 1
    assert figures['care_lead_time_seconds{le="+Inf"}'] == 1


def test_a_series_that_is_only_on_one_side_differs_from_0() -> None:
    said = exported(text([opened("o-1", 6)]))

    assert differences(said, said, COMPARED) == []
    alone = differences(said, {}, COMPARED)
    assert {str(d.series) for d in alone} == {
        'care_events_total{topic="problems",type="care.problem.opened.v1"}',
        'care_problems_opened_total{kind="delivery_delay"}',
        'care_problems_open{kind="delivery_delay",tier="overdue"}',
    }
    assert all(d.counted == 0 and d.exported == 1 for d in alone)
