"""Every series exists from the start, is in the contract, and labels stay bounded."""

import re
from dataclasses import replace

import pytest
from prometheus_client.core import Metric as Family

from services.contracts import metric_names
from services.contracts import topics as t
from services.contracts.problems import TIERS_OF, Clearing, ProblemKind, Tier
from services.kit.process_metrics import process_registry
from services.metrics import snapshot
from services.metrics.decode import READ_TOPICS
from services.metrics.exporter import MOST_PLAYBOOKS, render
from services.metrics.fold import fold
from services.metrics.lag import READERS
from services.metrics.state import State
from tests.support.series import MOST_SERIES, shown
from tests.unit.metrics.stories import (
    Read,
    at,
    barrier,
    cleared,
    complained,
    counted,
    decided,
    event,
    fold_all,
    folded,
    mark,
    no_longer,
    opened,
    sent,
    series,
    silent,
    trouble,
)  # fmt: skip
from tests.unit.metrics.test_snapshot import kept

BUSINESS = metric_names.METRICS[metric_names.METRICS.index(metric_names.EVENTS) :]


def contract_name(family: Family) -> str:
    """Return the family's name as the contract spells it."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def test_every_business_metric_of_the_contract_is_exported_with_its_kind_labels_and_help() -> None:
    # Before they were ever heard there is no instant to show.
    state = folded(mark("publisher:/shop", 1), mark("carrier:dhl", 1))
    families = render(state, {("metrics", "purchases"): 0.0}, ("delivery_late",))

    assert {contract_name(f): (f.type, f.documentation) for f in families} == {
        metric.name: (metric.kind.value, metric.help) for metric in BUSINESS
    }
    assert {contract_name(family): label_names(family) for family in families} == {
        metric.name: set(metric.labels) for metric in BUSINESS
    }


def label_names(family: Family) -> set[str]:
    """Return the labels of a family's samples, without the histogram's own."""
    return {name for sample in family.samples for name in sample.labels} - {"le"}


def test_series_exist_at_zero_before_anything_happened() -> None:
    """So that rate() and alerts see the first event as an increase."""
    figures = series(State())

    assert set(figures.values()) == {0}
    for name in (
        "care_events_total{topic=deliveries,type=care.shipment.promised.v1}",
        "care_events_total{topic=identities,type=unreadable}",
        "care_problems_cleared_total{kind=handover_overdue,clearing=expired}",
        "care_decisions_total{playbook=delivery_late,outcome=held_out}",
        "care_suppressed_total{playbook=delivery_late,reason=use_by}",
        "care_contacts_total{playbook=delivery_late,channel=email,outcome=unknown}",
        "care_complaints_total{reached_first=true}",
        "care_dead_letters_total{topic=customers,reason=invalid}",
        "care_accounted_records{topic=identities,outcome=late}",
        "care_unaccounted_records{topic=purchases}",
        "care_orders_total{}",
        "care_inbound_contacts_total{channel=store,reason=return,opened_by=agent}",
        "care_wismo_contacts_withdrawn_total{cause=information}",
        "care_first_response_seconds_count{hours=business}",
        "care_contacts_awaiting_first_response{}",
        "care_contacts_matured_withdrawn_total{outcome=unresolved}",
        "care_handle_seconds_count{channel=phone}",
        "care_surveys_sent_total{kind=nps,origin=proactive}",
        "care_survey_answers_total{kind=nps,score=0,origin=reactive}",
        "care_survey_answers_withdrawn_total{kind=ces,score=7,origin=proactive}",
        "care_problem_to_contact_seconds_count{held=true}",
        "care_publisher_events_total{publisher=other}",
        "care_carrier_events_total{carrier=other}",
        "care_feed_silent{feed=other}",
        "care_contacts_told_twice_total{}",
        "care_outreach_unexplained_outcomes_total{}",
        "care_outreach_unfinished_steps{}",
        "care_outreach_steps_total{stage=ended}",
    ):
        assert name in figures


def test_every_kind_of_problem_has_its_series_and_only_the_tiers_it_can_reach() -> None:
    figures = series(State())

    tiers = {name for name in figures if name.startswith("care_problems_open{")}
    assert tiers == {
        f"care_problems_open{{kind={kind},tier={tier}}}"
        for kind in TIERS_OF
        for tier in TIERS_OF[kind]
    }
    for kind in ProblemKind:
        assert f"care_problems_opened_total{{kind={kind}}}" in figures
        for clearing in Clearing:
            assert f"care_problems_cleared_total{{kind={kind},clearing={clearing}}}" in figures


@pytest.mark.parametrize("kind", list(ProblemKind))
def test_a_problem_about_no_order_is_counted_until_it_ends(kind: ProblemKind) -> None:
    opening = trouble(kind, 1)
    tier = TIERS_OF[kind][0]
    open_now = f"care_problems_open{{kind={kind},tier={tier}}}"

    figures = counted(folded(opening, opening))
    assert figures[open_now] == figures[f"care_problems_opened_total{{kind={kind}}}"] == 1
    over = folded(opening, no_longer(opening, 2, Clearing.EXPIRED))
    assert f"care_problems_cleared_total{{kind={kind},clearing=expired}}" in counted(over)
    assert series(over)[open_now] == 0
    assert over.complaints.orders == {}


def test_a_problem_of_a_merged_customer_ends_in_another_partition_and_is_counted_once() -> None:
    opening, ending = opened("o-1", 1), cleared("o-1", 3)
    elsewhere = replace(ending, partition=5)
    open_now = "care_problems_open{kind=delivery_delay,tier=overdue}"

    assert series(folded(opening))[open_now] == 1
    for order in ((opening, elsewhere), (elsewhere, opening)):
        figures = series(folded(*order))
        assert figures[open_now] == 0
        assert figures["care_problems_opened_total{kind=delivery_delay}"] == 1
        assert figures["care_problems_cleared_total{kind=delivery_delay,clearing=solved}"] == 1


def test_a_message_about_no_order_is_a_contact_and_judges_no_complaint() -> None:
    opening = trouble(ProblemKind.CART_ABANDONED, 1)
    told = sent("o-1", 2).record.data.model_copy(  # type: ignore[union-attr]
        update={"order_id": None, "problem_id": opening.record.data.problem_id}  # type: ignore[union-attr]
    )

    state = folded(opening, complained("o-1", 3), event(told, 2), barrier(9))
    figures = counted(state)
    assert figures["care_contacts_total{playbook=delivery_late,channel=email,outcome=sent}"] == 1
    assert figures["care_complaints_total{reached_first=false}"] == 1
    assert figures["care_problem_to_contact_seconds_sum{held=false}"] == 3600


def test_a_tier_its_kind_never_reaches_is_shown_while_somebody_claims_it() -> None:
    claimed = trouble(ProblemKind.CART_ABANDONED, 1, Tier.LATE)
    name = "care_problems_open{kind=cart_abandoned,tier=late}"

    assert series(folded(claimed))[name] == 1
    assert name not in series(folded(claimed, no_longer(claimed, 2)))


def test_everything_at_once_stays_within_what_one_pod_may_expose() -> None:
    """Every kind in every tier, claimed or not, and more playbooks than have series of their own."""
    told = [trouble(kind, 1, tier) for kind in ProblemKind for tier in Tier]
    told += [playbook_decision(f"p{number:03}") for number in range(MOST_PLAYBOOKS + 20)]
    told += [mark(f"{sort}:{n:03}", 1) for sort in ("publisher", "carrier") for n in range(99)]
    told += [silent(f"carrier:{n:03}", 1) for n in range(99)]

    of_the_process = shown(process_registry("metrics"))
    lags = len(READERS) + 1
    assert len(series(fold_all(told))) + len(of_the_process) + lags * len(READ_TOPICS) < MOST_SERIES


def test_nothing_is_said_of_topics_with_personal_data_but_their_dead_letters() -> None:
    about = {name for name in series(State()) if "customers" in name or "consents" in name}
    of_letters = {
        name for name in about if "topic=customers-dlq" in name or "topic=consents-dlq" in name
    }
    personal = {f"topic={topic.name}" for topic in t.PERSONAL}
    about = {n for n in series(State()) if personal & set(re.split("[{},]", n))}

    assert {name.split("{")[0] for name in of_letters} == {"care_metrics_missed_records_total"}
    assert {name.split("{")[0] for name in about - of_letters} == {"care_dead_letters_total"}


def test_no_label_holds_a_customer_or_an_id() -> None:
    figures = series(fold_all([opened("o-77", 1), decided("o-77", 1), sent("o-77", 1)]))

    assert not [name for name in figures if "c-1" in name or "o-77" in name]


def playbook_decision(name: str) -> Read:
    """Return a decision of this playbook."""
    told = decided("o-1", 1).record
    fact = told.data.model_copy(update={"playbook": name})  # type: ignore[union-attr]
    return event(fact, 1, id=name)


def test_playbooks_beyond_the_bound_share_one_label_and_lose_no_count() -> None:
    names = [f"p{number:03}" for number in range(MOST_PLAYBOOKS + 20)]

    figures = series(fold_all(playbook_decision(name) for name in names))
    decisions = {n: v for n, v in figures.items() if n.startswith("care_decisions_total")}

    assert sum(decisions.values()) == len(names)
    assert decisions["care_decisions_total{playbook=other,outcome=contact}"] == 21
    assert len(figures) < MOST_SERIES


def test_a_new_playbook_takes_no_other_ones_series() -> None:
    """Else the counts of the other would jump to `other`, which rate() shows as decisions of this moment."""
    room = MOST_PLAYBOOKS - 1
    before = [playbook_decision(f"p{number:03}") for number in range(room)]

    state = fold_all([*before, playbook_decision("a-new-one")])
    figures = series(state)

    for number in range(room):
        assert figures[f"care_decisions_total{{playbook=p{number:03},outcome=contact}}"] == 1
    assert figures["care_decisions_total{playbook=other,outcome=contact}"] == 1
    assert series(snapshot.decode(*kept(state))) == figures


def test_durations_kept_under_buckets_of_an_older_contract_are_counted_anew() -> None:
    """Buckets may change with a version: what the old ones hold fits none, and hinders no scrape."""
    state = folded(sent("o-1", 7), complained("o-1", 9), barrier(10))
    (lead,) = state.complaints.lead.by_labels.values()
    older = replace(lead, bounds=lead.bounds[1:], counts=lead.counts[1:])
    state.complaints.lead.by_labels[()] = older

    assert series(state)["care_lead_time_seconds_bucket{le=+Inf}"] == 0
    for read in (sent("o-2", 11), complained("o-2", 12)):
        fold(state, read.topic, read.partition, read.record)
    state.settle(at(13))
    assert series(state)["care_lead_time_seconds_bucket{le=+Inf}"] == 1


def test_each_metric_has_the_series_that_the_contract_says() -> None:
    """Rules and panels ask for them by these names."""
    found = {
        sample.name
        for family in render(State(), {}, ("delivery_late",))
        for sample in family.samples
    }
    there = {name for metric in BUSINESS for name in metric.series}

    assert found <= there
    assert {name for name in found if name.startswith("care_lead_time_seconds")} == {
        "care_lead_time_seconds_bucket"
    }
