"""Whatever the contracts can say can be told to a person."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.churn_predictor.features import FEATURES
from services.churn_predictor.scoring import Link
from services.contracts import events
from services.contracts.contacts import OpenedBy
from services.contracts.events import TOPIC_OF
from services.contracts.outreach import (
    Mode,
    Outcome,
    OutreachFailed,
    OutreachWithdrawn,
    Suppression,
    Withdrawal,
)
from services.contracts.problems import (
    TIERS_OF,
    Clearing,
    DecisionPoint,
    EventRef,
    FeedEvidence,
    ProblemChanged,
    ProblemCleared,
    RiskAssessed,
    RiskKind,
    Tier,
)
from services.why.happened import SENTENCES, happened
from services.why.kinds import KINDS, POINTS, RISKS, feed_in_words
from services.why.page import page
from services.why.said import Teller, Told, legend
from services.why.story import TOPICS, Entry, Found, Story, tell
from services.why.times import Times
from tests.contract.examples import OF_EVENTS, Example, name
from tests.factories import CUSTOMER, DAY, HOUR, SHOP, START, event, placed, promised, wrote
from tests.unit.churn_predictor.test_rerun import MODELS, assessed, change
from tests.unit.why.events import ALSO_NO, NO, YES, decided, step
from tests.unit.why.test_story import PROBLEM, found, opened

NONE: Mapping[str, str] = {}
TOLD = {topic.name for topic in TOPICS}
EXAMPLES = [e for e in OF_EVENTS if TOPIC_OF[type(events.read(e.raw).data)].name in TOLD]


def told(*given: Any, models: Any = MODELS, refused: Mapping[str, str] = NONE) -> Told:
    """The last of these events in words, told with all of them."""
    story = tell(CUSTOMER, found(*given), models)
    return Teller(story, Times(), refused).told(story.entries[-1])


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_every_published_example_is_told_in_words(example: Example) -> None:
    said = told(example.raw)

    assert not said.headline.startswith("an event of type")
    assert all(text and "{}" not in text for text in (said.headline, *said.details))


def test_who_began_a_contact_is_told() -> None:
    assert told(wrote()).headline.startswith("the customer turned to us")
    assert told(wrote(by=OpenedBy.AGENT)).headline.startswith("an agent turned to the customer")


def test_every_type_on_the_topics_has_an_example_here() -> None:
    # Else the test before this one would pass over a new type.
    types = {fact.TYPE for fact, topic in TOPIC_OF.items() if topic.name in TOLD}

    assert {example.contract for example in EXAMPLES} == types


def test_a_type_without_words_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.why.happened.SENTENCES", {})

    assert happened(placed(), Times()) == "an event of type care.order.placed.v1"
    assert SENTENCES


def test_every_kind_has_words_at_each_of_its_tiers() -> None:
    assert {kind: set(words.tiers) for kind, words in KINDS.items()} == {
        kind: set(tiers) for kind, tiers in TIERS_OF.items()
    }
    assert set(POINTS) == set(DecisionPoint)
    assert set(RISKS) == set(RiskKind)


def test_a_problem_tells_what_was_expected_and_on_what_evidence() -> None:
    by = START + 5 * DAY
    said = told(promised(by=by, at=START, event_id="the-promise"), opened(at=by))

    assert said.headline == "Problem opened: parcel sh-1 is past its promise"
    assert "deadline was 6 January 2026, 00:00." in said.details[0]
    assert "an event told it" in said.details[1]
    assert said.details[2] == (
        "Evidence: parcel sh-1 of order o-1 was promised for 6 January 2026, 00:00, "
        "told by /shop/orders."
    )


def test_evidence_that_is_gone_is_named() -> None:
    said = told(opened(at=START))

    assert "Evidence: event the-promise of /shop/orders, which is on its topic no more." in (
        said.details
    )


@pytest.mark.parametrize(
    ("silent", "heard_at", "words"),
    [
        (False, START, "because word came from the carrier dhl on 1 January 2026, 00:00"),
        (True, START, "although no word came from the carrier dhl since 1 January 2026, 00:00"),
        (True, None, "although no word ever came from the carrier dhl"),
    ],
)
def test_an_absence_tells_why_it_was_believed(
    silent: bool, heard_at: datetime | None, words: str
) -> None:
    feed = FeedEvidence(feed="carrier:dhl", silent=silent, heard_at=heard_at)
    problem = opened(at=START)
    with_feed = problem.model_copy(update={"data": problem.data.model_copy(update={"feed": feed})})

    assert words in told(with_feed).details[1]


@pytest.mark.parametrize(
    ("feed", "words"),
    [
        ("carrier:dhl", "the carrier dhl"),
        ("scans:dhl", "the scans of dhl"),
        ("publisher:/shop:1", "/shop:1"),
        ("moon:full", "moon:full"),
    ],
)
def test_feeds_in_words(feed: str, words: str) -> None:
    assert feed_in_words(feed) == words


def test_a_problem_that_worsens_or_ends_says_so() -> None:
    fields = opened(at=START).data.model_dump()
    worse = event(ProblemChanged(**{**fields, "tier": Tier.LATE}, previous_tier=Tier.OVERDUE))
    endings = [event(ProblemCleared(**fields, clearing=clearing)) for clearing in Clearing]

    assert told(worse).headline == (
        "Problem worsened, overdue before: parcel sh-1 is long past its promise"
    )
    assert [told(ending).headline.rpartition(": ")[2] for ending in endings] == [
        "solved",
        "taken back, for a late event showed that it never was",
        "expired, no news any more",
    ]


def test_a_risk_tells_why_an_absence_was_believed_and_how_many_purchases_to_expect() -> None:
    recorded = assessed()
    for path, value in {
        "feed": {"feed": "carrier:dhl", "silent": True, "heard_at": None},
        "horizon_days": 90,
        "expected_purchases": 0.75,
        "expected_intercept": math.log(1.5),
        "expected_contributions": [
            {"feature": "days_past_promise", "value": 2.0, "log_odds": math.log(0.5)}
        ],
    }.items():
        recorded = change(recorded, f"data.{path}", value)

    assert told(recorded).details[5:9] == (
        "Believed although no word ever came from the carrier dhl: too long to wait on.",
        "Purchases to expect within 90 days: 0.75",
        "that number starts at 1.50",
        "the parcel is 2 days past its promise: times 0.50",
    )


def test_a_risk_tells_its_reasons_the_largest_first() -> None:
    said = told(assessed())

    assert said.headline == "Risk of a complaint about parcel sh-1, at its promise: 85.2 %, high"
    assert said.details == (
        "starts at -2.00",
        "the parcel is 2 days past its promise: +2.50",
        "the customer made 1 contact about this order: +0.75",
        "the newest date is 1 day later than the promise: +0.50",
        "With what was known as of 1 January 2026, 00:00.",
        "Re-run with complaint-risk 2: same, byte for byte.",
    )


def test_what_is_small_is_told_as_one_sum() -> None:
    values: dict[str, float | None] = {**dict.fromkeys(FEATURES, 9.0), "is_with_carrier": 0.0}

    said = told(assessed(values))

    assert "and 2 more: +1.50" in said.details


def test_a_difference_tells_both_sides() -> None:
    said = told(change(assessed(), "data.band", "low"))

    assert "Re-run with complaint-risk 2: DIFFERS from the record." in said.details
    assert 'differs: data.band is "low" in the record, "high" when made again' in said.details


def test_a_difference_in_form_and_a_sum_that_is_wrong_are_told() -> None:
    form = told(assessed().replace(b'"source"', b' "source"'))
    total = told(change(assessed(), "data.probability", 0.5))

    assert "differs: the same values, written in another way" in form.details
    assert any("do NOT add up" in detail for detail in total.details)
    assert not any("do NOT add up" in detail for detail in form.details)


def test_a_missing_model_says_what_to_do() -> None:
    digest = events.read(assessed()).data.model_digest
    unnamed = change(assessed(), "data.model_digest", None)

    (gone,) = [d for d in told(assessed(), models={}).details if d.startswith("Re-run")]
    (old,) = [d for d in told(unnamed).details if d.startswith("Re-run")]
    (bad,) = [
        d
        for d in told(assessed(), models={}, refused={digest: "x.json: format"}).details
        if d.startswith("Re-run")
    ]

    assert "without the model complaint-risk 2" in gone
    assert f"SHA-256 {digest}" in gone
    assert "--models FOLDER" in gone
    assert "names no model file" in old
    assert "cannot use it: x.json: format" in bad


def test_a_no_names_the_gate_that_said_it_first() -> None:
    no = decided(PROBLEM, Outcome.SUPPRESSED, Suppression.CONSENT, (YES, NO, ALSO_NO))

    said = told(opened(at=START), no)

    assert said.headline.startswith(
        "Decided not to write (consent). About the delivery of parcel sh-1: delivery_late version 1"
    )
    assert said.details == (
        "The gate that said no: consent, because denied for service by email (rule consent/1).",
        "Also no: budget, because 1 of 1 in 24 h (rule budget/1).",
        "Said yes: problem open.",
    )


def test_each_outcome_of_a_decision_is_told() -> None:
    until = START + HOUR
    wait = decided(PROBLEM, Outcome.DEFERRED, gates=(NO,))
    wait = wait.model_copy(update={"data": wait.data.model_copy(update={"deferred_until": until})})
    shadow = decided(PROBLEM)
    shadow = shadow.model_copy(
        update={"data": shadow.data.model_copy(update={"mode": Mode.SHADOW})}
    )
    limited = shadow.model_copy(
        update={"data": shadow.data.model_copy(update={"mode": Mode.LIMITED})}
    )

    assert told(wait).headline.endswith("decided again on 1 January 2026, 01:00")
    assert told(shadow).headline.endswith("in shadow, so that nothing is sent")
    assert told(limited).headline.endswith("limited, and this customer is on the list")
    assert "held out" in told(decided(PROBLEM, Outcome.HELD_OUT)).headline
    assert f"About problem {PROBLEM}" in told(decided(PROBLEM)).headline


def test_a_contact_that_did_not_happen_says_why() -> None:
    failed = event(OutreachFailed(**step(PROBLEM), reason="mailbox full"))
    withdrawn = event(OutreachWithdrawn(**step(PROBLEM), reason=Withdrawal.CUSTOMER_WROTE))

    assert "mailbox full" in told(failed).headline
    assert "the customer wrote first" in told(withdrawn).headline


def test_what_a_service_set_aside_says_so() -> None:
    record = replace(found(placed())[0], set_aside=("churn-predictor: future",))
    story = tell(CUSTOMER, [record], {})

    (entry,) = story.entries
    said = Teller(story, Times(), {}).told(entry)

    assert said.headline.endswith("told by /shop/orders (set aside by churn-predictor: future)")


def test_instants_are_written_for_the_readers_zone() -> None:
    berlin, at = Times(ZoneInfo("Europe/Berlin")), datetime(2026, 10, 25, 0, 30, 5, tzinfo=UTC)

    assert Times().column(at) == "2026-10-25 00:30:05"
    assert Times().words(at) == "25 October 2026, 00:30:05"
    # The hour that comes twice: the offset tells them apart.
    assert berlin.column(at) == "2026-10-25 02:30:05+02:00"
    assert berlin.column(at + HOUR) == "2026-10-25 02:30:05+01:00"


def test_a_legend_speaks_of_what_the_models_add_up_to() -> None:
    assert legend(set()) is None
    assert "doubles the odds." in (legend({Link.LOGIT}) or "")
    assert "doubles the odds or the probability." in (legend(set(Link)) or "")


def lines(story: Story) -> Iterator[str]:
    return page(Teller(story, Times(), {}))


def test_the_page_ends_with_the_verdict() -> None:
    bad = change(assessed(), "data.band", "low")
    stories = [
        tell(CUSTOMER, found(placed()), MODELS),
        tell(CUSTOMER, found(assessed()), MODELS),
        tell(CUSTOMER, found(assessed(), bad), MODELS),
        tell(CUSTOMER, found(assessed()), {}),
    ]
    verdicts = [[*lines(story)][-1] for story in stories]

    assert verdicts == [
        "No assessment to make again.",
        "1 assessment made again: same, byte for byte.",
        "2 assessments made again: 1 same, 1 differing; see above.",
        "1 assessment made again: 1 without their model; see above.",
    ]


def test_a_record_nobody_can_read_is_listed() -> None:
    torn = Found("purchases", 3, b"{", None, "not_json", ("churn-predictor: not_json",))

    shown = [*lines(tell(CUSTOMER, [torn], {}))]

    assert (
        "A record on purchases, offset 3, cannot be read: not_json "
        "(set aside by churn-predictor: not_json)."
    ) in shown


def test_nothing_on_the_page_can_command_a_terminal() -> None:
    evil = placed("o-\x9b2J")

    assert all(line.isprintable() for line in lines(tell(CUSTOMER, found(evil), {})))


def test_evidence_is_looked_up_by_source_and_id() -> None:
    story = tell(CUSTOMER, found(placed(event_id="x", source="/other"), opened(at=START)), {})
    teller = Teller(story, Times(), {})

    assert "no more" in teller.evidence(EventRef(source=SHOP, id="x"))
    assert "order o-1 was placed" in teller.evidence(EventRef(source="/other", id="x"))


def test_an_entry_without_a_rerun_tells_no_verdict() -> None:
    read = events.read(assessed())
    assert isinstance(read.data, RiskAssessed)
    said = Teller(Story(CUSTOMER, (), ()), Times(), {}).told(Entry("assessments", read))

    assert not any("Re-run" in detail for detail in said.details)
