"""Which metrics and labels a panel may ask for: the contract's, and those of the process itself."""

from collections.abc import Mapping

from services.contracts.metric_names import METRICS, Kind

BY_PROMETHEUS = frozenset({"job", "instance"})
"""Labels that the scrape adds to every series."""

_PARTS = ("_bucket", "_count", "_sum")

OF_PROCESSES: Mapping[str, frozenset[str]] = {
    name: frozenset()
    for name in (
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    )
}
"""What Prometheus' client tells of the process it runs in."""

NOT_THERE_YET: Mapping[str, frozenset[str]] = {
    name: frozenset(labels.split())
    for name, labels in {
        "care_contacts_matured_total": "outcome",
        "care_contacts_matured_withdrawn_total": "outcome",
        "care_contacts_told_twice_total": "",
        "care_customers_active": "window",
        "care_customers_lapsed_total": "window",
        "care_customers_lapsed_withdrawn_total": "window",
        "care_customers_new_total": "",
        "care_customers_new_withdrawn_total": "",
        "care_customers_returned_total": "window",
        "care_customers_returned_withdrawn_total": "window",
        "care_detection_lag_seconds": "kind",
        "care_event_to_decision_seconds": "",
        "care_feed_silent": "feed",
        "care_first_response_seconds": "hours",
        "care_first_response_withdrawn_seconds": "hours",
        "care_metrics_missed_records_total": "topic",
        "care_metrics_settled_timestamp_seconds": "",
        "care_metrics_snapshot_timestamp_seconds": "",
        "care_orders_total": "",
        "care_outreach_held_playbooks": "",
        "care_outreach_unexplained_outcomes_total": "",
        "care_outreach_unexplained_outcomes_withdrawn_total": "",
        "care_outreach_unfinished_steps": "",
        "care_outreach_unknown_sends": "",
        "care_proactive_contacts_total": "worth",
        "care_proactive_contacts_withdrawn_total": "worth",
        "care_problems_retracted_total": "kind feed_silent",
        "care_publisher_events_total": "publisher",
        "care_publisher_last_event_timestamp_seconds": "publisher",
        "care_save_attempts_total": "arm outcome",
        "care_save_attempts_withdrawn_total": "arm outcome",
        "care_survey_answers_total": "kind score origin",
        "care_survey_answers_withdrawn_total": "kind score origin",
        "care_surveys_sent_total": "kind origin",
        "care_trial_customers_total": "playbook arm outcome",
        "care_trial_customers_withdrawn_total": "playbook arm outcome",
        "care_wismo_contacts_total": "cause",
        "care_wismo_contacts_withdrawn_total": "cause",
        **dict.fromkeys(OF_PROCESSES, ""),
    }.items()
}
"""Metrics agreed on that no service exports yet → their labels.  A test fails for one that it does."""

LABELS_NOT_THERE_YET: Mapping[str, frozenset[str]] = {
    "care_ingest_rejected_total": frozenset({"source"}),
    "care_problem_to_contact_seconds": frozenset({"held"}),
    "care_problem_to_contact_withdrawn_seconds": frozenset({"held"}),
}
"""Labels agreed on that a metric of the contract does not have yet."""


def family(series: str) -> str:
    """Return the metric that a series' name belongs to: a histogram's has three more names."""
    if series in _in_contract() or series in NOT_THERE_YET:
        return series
    for part in _PARTS:
        stem = series.removesuffix(part)
        if stem != series and (stem in _in_contract() or stem in NOT_THERE_YET):
            return stem
    return series


def labels_of(name: str) -> frozenset[str] | None:
    """Return the labels that a metric has or is to have; None: there is no such metric."""
    known = _in_contract().get(name)
    if known is None:
        known = NOT_THERE_YET.get(name, OF_PROCESSES.get(name))
    return None if known is None else known | LABELS_NOT_THERE_YET.get(name, frozenset())


def is_there(name: str, labels: frozenset[str]) -> bool:
    """Return whether a metric is exported with these labels, or only agreed on."""
    contract = _in_contract().get(name)
    if contract is None:
        return name not in NOT_THERE_YET
    return not labels & (LABELS_NOT_THERE_YET.get(name, frozenset()) - contract)


def _in_contract() -> dict[str, frozenset[str]]:
    return {
        metric.name: frozenset(metric.labels)
        | ({"le"} if metric.kind is Kind.HISTOGRAM else frozenset())
        for metric in METRICS
    }
