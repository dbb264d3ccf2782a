"""Metrics that are agreed and that no service tells yet; empty once all do."""

from services.contracts.metric_names import Kind, Metric

_SECONDS = (60.0, 3600.0)
_PROMPT_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0)


def _counter(name: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, "Agreed.", labels)


def _gauge(name: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, "Agreed.", labels)


def _histogram(name: str, *labels: str, buckets: tuple[float, ...] = _SECONDS) -> Metric:
    return Metric(name, Kind.HISTOGRAM, "Agreed.", labels, buckets)


AWAITED: tuple[Metric, ...] = (
    # Labels that are new on a metric that is there.
    _counter("care_ingest_rejected_total", "reason", "source"),
    _histogram("care_problem_to_contact_seconds", "held", buckets=_PROMPT_SECONDS),
    _histogram("care_problem_to_contact_withdrawn_seconds", "held", buckets=_PROMPT_SECONDS),
    # Service.
    _counter("care_orders_total"),
    _counter("care_orders_contacted_total"),
    _counter("care_inbound_contacts_total", "channel", "reason", "opened_by"),
    _counter("care_wismo_contacts_total", "cause"),
    _counter("care_wismo_contacts_withdrawn_total", "cause"),
    _histogram("care_first_response_seconds", "hours"),
    _histogram("care_first_response_withdrawn_seconds", "hours"),
    _counter("care_contacts_matured_total", "outcome"),
    _counter("care_contacts_matured_withdrawn_total", "outcome"),
    _histogram("care_handle_seconds", "channel"),
    _counter("care_surveys_sent_total", "kind", "origin"),
    _counter("care_survey_answers_total", "kind", "score", "origin"),
    _counter("care_survey_answers_withdrawn_total", "kind", "score", "origin"),
    # Customers.
    _gauge("care_customers_active", "window"),
    _counter("care_customers_new_total"),
    _counter("care_customers_new_withdrawn_total"),
    _counter("care_customers_lapsed_total", "window"),
    _counter("care_customers_lapsed_withdrawn_total", "window"),
    _counter("care_customers_returned_total", "window"),
    _counter("care_customers_returned_withdrawn_total", "window"),
    _counter("care_proactive_contacts_total", "worth"),
    _counter("care_proactive_contacts_withdrawn_total", "worth"),
    _counter("care_problems_retracted_total", "kind", "feed_silent"),
    _histogram("care_detection_lag_seconds", "kind"),
    # Objectives, feeds and identities.
    _histogram("care_event_to_decision_seconds", buckets=(1.0, 2.5, 5.0, 10.0)),
    _gauge("care_publisher_last_event_timestamp_seconds", "publisher"),
    _gauge("care_feed_silent", "feed"),
    _counter("care_contacts_told_twice_total"),
    _gauge("care_outreach_waiting_steps"),
    _gauge("care_outreach_unfinished_steps"),
    _gauge("care_outreach_unfinished_since_timestamp_seconds"),
    _gauge("care_outreach_ledger_steps", "state"),
    _counter("care_outreach_unexplained_outcomes_total"),
    _counter("care_outreach_unexplained_outcomes_withdrawn_total"),
    # The metrics service itself.
    _gauge("care_metrics_snapshot_timestamp_seconds"),
    _gauge("care_metrics_settled_timestamp_seconds"),
    _counter("care_metrics_missed_records_total", "topic"),
)
