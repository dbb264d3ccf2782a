"""The metrics by which each process says how it is, beside Python's own `process_*` and `python_*`."""

from services.contracts.metric import Kind, Metric

_HELD_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

BUILD_INFO = Metric(
    "care_build_info",
    Kind.GAUGE,
    "1, by service and version of the code that runs.",
    ("service", "version"),
)
INGEST_LOOP_LAG = Metric(
    "care_ingest_loop_lag_seconds",
    Kind.HISTOGRAM,
    "How much later than due the event loop came to a task that is due twice a second.",
    (),
    _HELD_SECONDS,
)
PREDICTOR_SLICE_SECONDS = Metric(
    "care_churn_predictor_slice_seconds",
    Kind.HISTOGRAM,
    "How long one slice of records held the loop, with the ticks and commits that it let take effect.",
    (),
    _HELD_SECONDS,
)
OUTREACH_TURN_SECONDS = Metric(
    "care_outreach_turn_seconds",
    Kind.HISTOGRAM,
    "How long one turn of the loop that reads took, with its wait of up to 0.2 s for records.",
    (),
    _HELD_SECONDS,
)
OUTREACH_CONNECTIONS = Metric(
    "care_outreach_database_connections",
    Kind.GAUGE,
    "Connections to the database, by pool (who uses them) and state (in_use; most: as many there may be).",
    ("pool", "state"),
)
OUTREACH_LEDGER = Metric(
    "care_outreach_ledger_steps",
    Kind.GAUGE,
    "Steps in the ledger that are not over, by state (waiting: never started; unfinished: started, or to be "
    "tried again); as the topic has it: care_outreach_waiting_steps and care_outreach_unfinished_steps.",
    ("state",),
)
METRICS_TURN_SECONDS = Metric(
    "care_metrics_turn_seconds",
    Kind.HISTOGRAM,
    "How long it took to fold what one look at the topics brought, and to judge what was over.",
    (),
    _HELD_SECONDS,
)
