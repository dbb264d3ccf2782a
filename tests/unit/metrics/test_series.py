"""Every series exists from the start, is in the contract, and labels stay bounded."""

from prometheus_client.core import Metric as Family

from services.contracts import metric_names
from services.metrics.exporter import MOST_PLAYBOOKS, render
from services.metrics.facts import State
from tests.unit.metrics.stories import Read, decided, event, fold_all, opened, sent, series

MOST_SERIES = 2_000
BUSINESS = metric_names.METRICS[metric_names.METRICS.index(metric_names.EVENTS) :]


def contract_name(family: Family) -> str:
    """Return the family's name as the contract spells it."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def test_every_business_metric_of_the_contract_is_exported_with_its_kind_labels_and_help() -> None:
    families = render(State(), {("metrics", "purchases"): 0.0}, ("delivery_late",))

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
    ):
        assert name in figures


def test_nothing_is_said_of_topics_with_personal_data_but_their_dead_letters() -> None:
    about = {name for name in series(State()) if "customers" in name or "consents" in name}

    assert {name.split("{")[0] for name in about} == {"care_dead_letters_total"}


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
