"""Every metric this system exports: name, kind, labels and meaning.  No label holds a customer.

Names follow Prometheus: base units, `_total` for counters.  Business metrics come from the metrics
service alone, folded from the topics; each service adds the few that only it can know.
"""

from services.contracts import (
    customer_metrics,
    feed_metrics,
    process_metrics,
    service_metrics,
    step_metrics,
)
from services.contracts.metric import Kind, Metric

__all__ = ["Kind", "Metric"]

_HOUR = 3600.0
_LATENCY_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LEAD_SECONDS = tuple(
    h * _HOUR for h in (-168, -72, -24, -6, 0, 1, 3, 6, 12, 24, 48, 72, 120, 168, 336)
)
_REACTION_SECONDS = (
    1, 5, 15, 60, 300, _HOUR, 6 * _HOUR, 12 * _HOUR, 24 * _HOUR, 72 * _HOUR,
)  # fmt: skip

INGEST_EVENTS = Metric(
    "care_ingest_events_total",
    Kind.COUNTER,
    "Events given to the door, by topic (none: no topic could be told) and outcome (turned_away: it came at "
    "a bad time, and the same may come again).",
    ("topic", "outcome"),
)
INGEST_REJECTED = Metric(
    "care_ingest_rejected_total",
    Kind.COUNTER,
    "Events refused or turned away, by reason and source (other: none that a key, a publisher or a setting "
    "names).",
    ("reason", "source"),
)
INGEST_REFUSED_REQUESTS = Metric(
    "care_ingest_refused_requests_total",
    Kind.COUNTER,
    "Requests that were not let in, by reason and client (other: it is not known, or has no name here).",
    ("reason", "client"),
)
INGEST_IN_FLIGHT = Metric(
    "care_ingest_in_flight_records", Kind.GAUGE, "Records sent and not yet acknowledged."
)
INGEST_FILE_FAULT = Metric(
    "care_ingest_watched_file_fault",
    Kind.GAUGE,
    "1: this file of keys or secrets cannot be used as it is now, and what it said before is in force; 0: it "
    "can.",
    ("file",),
)
INGEST_SECONDS = Metric(
    "care_ingest_request_seconds",
    Kind.HISTOGRAM,
    "From the request to its answer, by status.",
    ("status",),
    _LATENCY_SECONDS,
)

INGEST_LOOKS = Metric(
    "care_ingest_looks_total",
    Kind.COUNTER,
    "Questions what became of an event, by outcome.",
    ("outcome",),
)
INGEST_WEBHOOKS = Metric(
    "care_ingest_webhooks_total",
    Kind.COUNTER,
    "Webhooks of other systems, by adapter and outcome.",
    ("adapter", "outcome"),
)

PREDICTOR_APPLIED = Metric(
    "care_churn_predictor_records_total",
    Kind.COUNTER,
    "Records this worker handled since it started, by topic and outcome.",
    ("topic", "outcome"),
)
PREDICTOR_MISSED = Metric(
    "care_churn_predictor_records_missed_total",
    Kind.COUNTER,
    "Records that retention deleted before this worker read them.",
    ("topic",),
)
PREDICTOR_FAILURES = Metric(
    "care_churn_predictor_rule_failures_total",
    Kind.COUNTER,
    "Looks at a customer that ended in an error of a rule; nothing was said about that customer.",
)
PREDICTOR_MODEL = Metric(
    "care_churn_predictor_model_info",
    Kind.GAUGE,
    "1 for each model this worker scores with, by kind of risk; the digest's first 12 digits.",
    ("kind", "name", "version", "digest"),
)
PREDICTOR_ASSESSED = Metric(
    "care_churn_predictor_assessments_total",
    Kind.COUNTER,
    "Assessments this worker published since it started, by kind of risk, decision point and band; "
    "the rate of band high over that of all is the flagged share.",
    ("kind", "point", "band"),
)
PREDICTOR_DRIFT = Metric(
    "care_churn_predictor_feature_drift",
    Kind.GAUGE,
    "Population stability index of a feature in what this worker scored last against what the model "
    "was fitted on; absent until enough was scored.",
    ("kind", "point", "feature"),
)
PREDICTOR_TICK = Metric(
    "care_churn_predictor_tick_timestamp_seconds",
    Kind.GAUGE,
    "Time of the last tick that took effect in this worker.",
)
PREDICTOR_HISTORY_KEYS = Metric(
    "care_churn_predictor_history_keys",
    Kind.GAUGE,
    "Sellers, categories and the like for which this worker counts what happened.",
)
PREDICTOR_CROWDED_OUT = Metric(
    "care_churn_predictor_history_keys_crowded_out_total",
    Kind.COUNTER,
    "Those forgotten because a partition counts for no more; the least recently heard of go first.",
)
PREDICTOR_FEEDS_CROWDED_OUT = Metric(
    "care_churn_predictor_feeds_crowded_out_total",
    Kind.COUNTER,
    "Feeds forgotten because a partition remembers no more; publishers go first, the least lately heard.",
)
PREDICTOR_PLANNED = Metric(
    "care_churn_predictor_planned_customers",
    Kind.GAUGE,
    "Customers this worker will look at again at a known instant, if no event comes before.",
)
PREDICTOR_SILENT = Metric(
    "care_churn_predictor_silent_feeds",
    Kind.GAUGE,
    "Feeds that this worker reported as silent and that were not heard since, by feed.",
    ("feed",),
)
PREDICTOR_DECISION_SECONDS = Metric(
    "care_event_to_decision_seconds",
    Kind.HISTOGRAM,
    "From an event's acceptance (the timestamp of its record) to the commit of the tick that looked at its "
    "customer because of it; measured in real time alone.",
    (),
    (0.5, 1, 2.5, 5, 10, 30, 60, 300, _HOUR),
)

OUTREACH_TICK = Metric(
    "care_outreach_decided_timestamp_seconds",
    Kind.GAUGE,
    "Time up to which this replica has decided what was due.",
)
OUTREACH_OUTBOX = Metric(
    "care_outreach_outbox_records", Kind.GAUGE, "Records committed and not yet published."
)
OUTREACH_RECONCILIATIONS = Metric(
    "care_outreach_reconciliations_open",
    Kind.GAUGE,
    "1: the database is older than what was said on `outreach`, so nothing is decided and nothing sent "
    "until `care reconcile`; 0: it is not.",
)
OUTREACH_PAUSES = Metric(
    "care_outreach_pauses_open",
    Kind.GAUGE,
    "Pauses of sending in force, by kind (all, playbook, channel).",
    ("kind",),
)
OUTREACH_UNKNOWN = Metric(
    "care_outreach_unknown_sends",
    Kind.GAUGE,
    "Sends of which nobody can tell whether they were made; each waits for a person to say so.",
)
OUTREACH_HELD = Metric(
    "care_outreach_held_playbooks",
    Kind.GAUGE,
    "Playbooks that the volume breaker holds until a person has looked.",
)
OUTREACH_PROFILE_RECORDS = Metric(
    "care_outreach_profile_records",
    Kind.GAUGE,
    "Records of `customers` and `consents` accounted for in the database, by topic and outcome.",
    ("topic", "outcome"),
)
OUTREACH_CIRCUITS = Metric(
    "care_outreach_provider_circuit_open",
    Kind.GAUGE,
    "1 while this replica leaves a channel's provider alone after failures, or tries it with one message; "
    "0 while messages go out, by channel.",
    ("channel",),
)
OUTREACH_START_WINDOW = Metric(
    "care_outreach_start_window_seconds",
    Kind.HISTOGRAM,
    "From the instant before which everything published on `contacts` and `problems` was known to the commit "
    "of a start: what a customer said in between was not looked at.",
    (),
    (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30, 60, 300),
)
OUTREACH_CONTACT_INTAKE = Metric(
    "care_outreach_contact_intake_seconds",
    Kind.HISTOGRAM,
    "From the timestamp of a record of `contacts` to its commit in the database.",
    (),
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, _HOUR),
)
OUTREACH_STARTED_UNHEARD = Metric(
    "care_outreach_started_unheard_total",
    Kind.COUNTER,
    "Sends started although their partition was behind, because it had been for longer than the patience.",
)
OUTREACH_LAGGING = Metric(
    "care_outreach_lagging_partitions",
    Kind.GAUGE,
    "Partitions of which a second ago something may have been published on `contacts` or `problems` that is "
    "still not in the database; their sends wait.",
)
OUTREACH_FILE_FAULT = Metric(
    "care_outreach_watched_file_fault",
    Kind.GAUGE,
    "1: this file cannot be used as it is now, and what it said before is in force (of allow_list: nobody is "
    "written to); 0: it can.",
    ("file",),
)
OUTREACH_PAGES = Metric(
    "care_outreach_page_requests_total",
    Kind.COUNTER,
    "Requests to the customers' pages, by page (none: no page of ours) and outcome.",
    ("kind", "outcome"),
)
OUTREACH_API = Metric(
    "care_outreach_api_requests_total",
    Kind.COUNTER,
    "Requests to the desk's API, by operation (none: no operation of ours, or not let in) and status.",
    ("kind", "status"),
)
OUTREACH_API_DENIED = Metric(
    "care_outreach_api_denied_total",
    Kind.COUNTER,
    "Requests to the desk's API that were not let in, by reason.",
    ("reason",),
)

EVENTS = Metric(
    "care_events_total",
    Kind.COUNTER,
    "Records on the topics, by topic and type.",
    ("topic", "type"),
)
PROBLEMS_OPENED = Metric(
    "care_problems_opened_total", Kind.COUNTER, "Problems opened, by kind.", ("kind",)
)
PROBLEMS_CLEARED = Metric(
    "care_problems_cleared_total",
    Kind.COUNTER,
    "Problems cleared, by kind and how (solved, retracted, expired).",
    ("kind", "clearing"),
)
PROBLEMS_OPEN = Metric(
    "care_problems_open", Kind.GAUGE, "Problems open now, by kind and tier.", ("kind", "tier")
)
DECISIONS = Metric(
    "care_decisions_total",
    Kind.COUNTER,
    "Decisions, by playbook and outcome.",
    ("playbook", "outcome"),
)
SUPPRESSED = Metric(
    "care_suppressed_total",
    Kind.COUNTER,
    "Contacts suppressed, by playbook and reason.",
    ("playbook", "reason"),
)
CONTACTS = Metric(
    "care_contacts_total",
    Kind.COUNTER,
    "What became of contacts, by playbook, channel and outcome (sent, failed, withdrawn, unknown).",
    ("playbook", "channel", "outcome"),
)
LEAD_TIME = Metric(
    "care_lead_time_seconds",
    Kind.HISTOGRAM,
    "First complaint minus first proactive contact about the same order; negative: too late.",
    (),
    _LEAD_SECONDS,
)
LEAD_TIME_WITHDRAWN = Metric(
    "care_lead_time_withdrawn_seconds",
    Kind.HISTOGRAM,
    "Lead times counted before and no longer true, because something earlier became known late.",
    (),
    _LEAD_SECONDS,
)
COMPLAINTS = Metric(
    "care_complaints_total",
    Kind.COUNTER,
    "Orders whose customer complained, by whether we had written first; less those withdrawn.",
    ("reached_first",),
)
COMPLAINTS_WITHDRAWN = Metric(
    "care_complaints_withdrawn_total",
    Kind.COUNTER,
    "Complaints counted before and no longer true, because something earlier became known late.",
    ("reached_first",),
)
DETECTION_TO_CONTACT = Metric(
    "care_problem_to_contact_seconds",
    Kind.HISTOGRAM,
    "From the opening of a problem to its first contact, by whether something stood in the way (held: it was "
    "deferred, or not about the opening); less those withdrawn.",
    ("held",),
    _REACTION_SECONDS,
)
DETECTION_TO_CONTACT_WITHDRAWN = Metric(
    "care_problem_to_contact_withdrawn_seconds",
    Kind.HISTOGRAM,
    "Times from problem to contact counted before and no longer true.",
    ("held",),
    _REACTION_SECONDS,
)
LAG_SECONDS = Metric(
    "care_lag_seconds",
    Kind.GAUGE,
    "Age of the oldest record not yet processed, by service and topic; 0 when there is none.",
    ("service", "topic"),
)
DEAD_LETTERS = Metric(
    "care_dead_letters_total",
    Kind.COUNTER,
    "Dead letters, by origin topic and reason.",
    ("topic", "reason"),
)
ACCOUNTED = Metric(
    "care_accounted_records",
    Kind.GAUGE,
    "Records of a source topic the predictor accounted for, by outcome.",
    ("topic", "outcome"),
)
UNACCOUNTED = Metric(
    "care_unaccounted_records",
    Kind.GAUGE,
    "Records before the predictor's position that no count explains; 0 or alarm.",
    ("topic",),
)

ABSENT = Metric(
    "care_absent_offsets",
    Kind.GAUGE,
    "Offsets before the predictor's position that hold no record: markers of publishers' transactions, and "
    "what they aborted; 0 where nobody publishes with transactions.",
    ("topic",),
)

# The metrics service itself

METRICS_SNAPSHOT = Metric(
    "care_metrics_snapshot_timestamp_seconds",
    Kind.GAUGE,
    "When the metrics service last kept what it has counted; a restart reads on from there.",
)
METRICS_SETTLED = Metric(
    "care_metrics_settled_timestamp_seconds",
    Kind.GAUGE,
    "The instant up to which complaints, durations and the like are judged.",
)
METRICS_MISSED = Metric(
    "care_metrics_missed_records_total",
    Kind.COUNTER,
    "Offsets that retention passed before the metrics service read them; in no other figure.",
    ("topic",),
)
METRICS_STATE_BYTES = Metric(
    "care_metrics_state_bytes",
    Kind.GAUGE,
    "Size of what the metrics service has counted, as encoded last; on the topic it is compressed.",
)

_MODULES = (
    vars(process_metrics),
    globals(),
    vars(feed_metrics),
    vars(step_metrics),
    vars(service_metrics),
    vars(customer_metrics),
)
METRICS: tuple[Metric, ...] = tuple(
    value for module in _MODULES for value in list(module.values()) if isinstance(value, Metric)
)
