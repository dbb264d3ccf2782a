"""For whoever is on call: does every event get through, in time, and exactly once?"""

from deploy.grafana.promql import RANGE, RATE, WINDOW, burn, grown, quantile, rate, share
from deploy.grafana.spec import (
    Board,
    Limits,
    Look,
    Panel,
    Query,
    RealTimeOnly,
    Window,
    charts,
    figures,
)

ONE_IN_EACH_SERVICE = (
    "care_ingest_in_flight_records|care_churn_predictor_planned_customers"
    "|care_outreach_outbox_records|care_unaccounted_records"
)

_DECISION = "care_event_to_decision_seconds"
_CONTACT = "care_problem_to_contact_seconds"
_UNEXPLAINED = (
    "(sum(care_outreach_unexplained_outcomes_total)"
    " - sum(care_outreach_unexplained_outcomes_withdrawn_total))"
)
_ERRORS = 'status=~"5..|429"'
_OF_CARE = 'job=~"$job"'
_REAL_TIME = RealTimeOnly(
    "in simulated time hours pass between two looks: the delay is not the services'"
)

_FIGURES = figures(
    "Is everything getting through?",
    Panel(
        title="Identities broken",
        description="Records that no count explains, contacts told twice, outcomes of nothing that was "
        "started. Each must be 0; anything else is a lost or doubled event.",
        look=Look.STAT,
        unit="short",
        decimals=0,
        limits=Limits(worrying=1, bad=1),
        queries=(
            Query(
                "sum(abs(care_unaccounted_records)) + sum(care_contacts_told_twice_total)"
                " + " + _UNEXPLAINED,
                "broken",
            ),
        ),
        alerts=("RecordsUnaccounted", "CustomerToldTwice", "OutcomesUnexplained"),
        desk="/v1/problems",
    ),
    Panel(
        title="Oldest unread record",
        description="Age of the oldest record that a service has not processed yet, of all topics.",
        look=Look.STAT,
        unit="s",
        limits=Limits(worrying=60, bad=300),
        queries=(Query("max(care_lag_seconds)", "age"),),
        alerts=("LagTooOld",),
    ),
    Panel(
        title="Slowest decisions",
        description="From an event's acceptance to the decision about its customer: 99 of 100 were faster. "
        "The promise is five seconds.",
        look=Look.STAT,
        unit="s",
        limits=Limits(worrying=5, bad=10),
        queries=(Query(quantile(0.99, _DECISION, RANGE), "99 of 100"),),
        alerts=("DecisionBudgetBurnsFast",),
        silence=_REAL_TIME,
    ),
    Panel(
        title="Turned away at the door",
        description="Requests that got a server's error or were told to come back later, as a share of all.",
        look=Look.STAT,
        unit="percentunit",
        limits=Limits(worrying=0.001, bad=0.01),
        queries=(
            Query(
                share(
                    grown("care_ingest_request_seconds_count", where=_ERRORS),
                    grown("care_ingest_request_seconds_count"),
                ),
                "turned away",
            ),
        ),
        alerts=("IngestRefusing",),
    ),
    Panel(
        title="New dead letters",
        description="Records that could not be read and were set aside in the time range, of all topics.",
        look=Look.STAT,
        unit="short",
        decimals=0,
        limits=Limits(worrying=1, bad=50),
        queries=(Query(grown("care_dead_letters_total"), "dead letters"),),
        alerts=("DeadLetters",),
    ),
    Panel(
        title="Processes that started anew",
        description="How often a process of these services started in the time range beyond its first start.",
        look=Look.STAT,
        unit="short",
        decimals=0,
        limits=Limits(worrying=1, bad=5),
        queries=(
            Query(f"sum(changes(process_start_time_seconds{{{_OF_CARE}}}[{RANGE}]))", "starts"),
        ),
        alerts=("ServiceDown", "ReplicaDown"),
    ),
)

_INGEST = charts(
    "The door: rate, errors, duration",
    Panel(
        title="Requests by answer",
        description="Requests at ingest each second, by the status they were answered with.",
        unit="reqps",
        stacked=True,
        queries=(Query(rate("care_ingest_request_seconds_count", by="status"), "{{status}}"),),
        alerts=("IngestRefusing",),
    ),
    Panel(
        title="Events taken and refused",
        description="Events at ingest each second, by what became of them.",
        unit="eps",
        stacked=True,
        queries=(Query(rate("care_ingest_events_total", by="outcome"), "{{outcome}}"),),
        alerts=("RejectsRising",),
    ),
    Panel(
        title="Time to the answer",
        description="From a request at ingest to its answer; an event is accepted once the broker has it.",
        unit="s",
        queries=tuple(
            Query(quantile(q, "care_ingest_request_seconds", RATE), legend)
            for q, legend in ((0.5, "median"), (0.99, "99 of 100"))
        ),
        alerts=("IngestRefusing",),
    ),
)

_STREAM = charts(
    "The stream: work, delay, what was set aside",
    Panel(
        title="Records handled",
        description="Records that the workers of the churn predictor handled each second, by outcome. "
        "Duplicates and late ones are no fault: they are known as such and change nothing.",
        unit="ops",
        stacked=True,
        queries=(Query(rate("care_churn_predictor_records_total", by="outcome"), "{{outcome}}"),),
    ),
    Panel(
        title="Age of the oldest unread record",
        description="By service and topic; 0 where everything was processed.",
        unit="s",
        limits=Limits(worrying=60, bad=300),
        queries=(Query("max by (service, topic) (care_lag_seconds)", "{{service}} {{topic}}"),),
        alerts=("LagTooOld",),
    ),
    Panel(
        title="Dead letters by reason",
        description="Records that could not be read, by the topic they came on and why.",
        unit="short",
        stacked=True,
        queries=(
            Query(
                grown("care_dead_letters_total", WINDOW, by="topic, reason") + " > 0",
                "{{topic}}: {{reason}}",
            ),
        ),
        alerts=("DeadLetters", "DeadLettersFlood"),
    ),
    Panel(
        title="What must be zero",
        description="Records without an account, contacts told twice, outcomes nobody started, records that "
        "were deleted before they were read, and rules that failed.",
        unit="short",
        limits=Limits(worrying=1, bad=1),
        queries=(
            Query("sum(abs(care_unaccounted_records))", "without account"),
            Query("sum(care_contacts_told_twice_total)", "told twice"),
            Query(_UNEXPLAINED, "outcome of nothing"),
            Query("sum(care_churn_predictor_records_missed_total)", "missed by the predictor"),
            Query("sum(care_metrics_missed_records_total)", "missed by metrics"),
            Query("sum(care_churn_predictor_rule_failures_total)", "failed rules"),
        ),
        alerts=(
            "RecordsUnaccounted",
            "CustomerToldTwice",
            "OutcomesUnexplained",
            "PredictorMissedRecords",
            "MetricsMissedRecords",
            "RulesFailing",
        ),
    ),
    Panel(
        title="Time known to each service",
        description="How long ago the instant is up to which each service has looked at everything. It grows "
        "when ticks stop. In the demo time is simulated and the numbers mean nothing.",
        unit="s",
        lowest=None,
        queries=(
            Query("time() - min(care_churn_predictor_tick_timestamp_seconds)", "predictor"),
            Query("time() - min(care_outreach_decided_timestamp_seconds)", "outreach"),
            Query("time() - min(care_metrics_settled_timestamp_seconds)", "metrics"),
        ),
        alerts=("PredictorTimeStopped", "OutreachTimeStopped", "FiguresNotSettled"),
    ),
    Panel(
        title="Age of the last snapshot",
        description="How old the state is from which the metrics service would start again.",
        unit="s",
        lowest=None,
        limits=Limits(worrying=600, bad=3_600),
        queries=(Query("time() - max(care_metrics_snapshot_timestamp_seconds)", "age"),),
        alerts=("SnapshotTooOld",),
    ),
)

_OBJECTIVES = charts(
    "Promises: how fast the budget is spent over the chosen window; 1 is just allowed",
    Panel(
        title="Decided within five seconds",
        description="99 of 100 events shall be decided within five seconds of their acceptance. At 14 the "
        "month's budget is gone in two days.",
        unit="none",
        decimals=1,
        limits=Limits(worrying=1, bad=14.4),
        queries=(Query(burn(_DECISION, "5.0", 0.99, WINDOW), "spent"),),
        alerts=("DecisionBudgetBurnsFast", "DecisionBudgetBurnsSlowly"),
        silence=_REAL_TIME,
    ),
    Panel(
        title="Written within a minute",
        description="95 of 100 problems that nothing stood in the way of shall be written about within 60 "
        "seconds. What quiet hours or an approval held up does not count.",
        unit="none",
        decimals=1,
        limits=Limits(worrying=1, bad=14.4),
        queries=(
            Query(
                burn(_CONTACT, "60.0", 0.95, WINDOW, where='held="false"', is_judged=True), "spent"
            ),
        ),
        alerts=("ContactBudgetBurnsFast", "ContactBudgetBurnsSlowly"),
        desk="/v1/problems",
    ),
    per_line=2,
)

_PROCESSES = charts(
    "Processes: what they use, and how full they are",
    Panel(
        title="Processor time",
        description="Cores that each process keeps busy.",
        unit="none",
        decimals=2,
        queries=(
            Query(
                f"sum by (job, instance) (rate(process_cpu_seconds_total{{{_OF_CARE}}}[{RATE}]))",
                "{{job}} {{instance}}",
            ),
        ),
    ),
    Panel(
        title="Memory",
        description="Resident memory of each process. Watch it against the limit of its pod.",
        unit="bytes",
        queries=(Query(f"process_resident_memory_bytes{{{_OF_CARE}}}", "{{job}} {{instance}}"),),
    ),
    Panel(
        title="Open files and connections",
        description="Share of the descriptors a process may have; at 1 it can take no more connections.",
        unit="percentunit",
        limits=Limits(worrying=0.6, bad=0.85),
        queries=(
            Query(
                f"process_open_fds{{{_OF_CARE}}} / process_max_fds{{{_OF_CARE}}}",
                "{{job}} {{instance}}",
            ),
        ),
        alerts=("ReplicaDown",),
    ),
)

PIPELINE = Board(
    uid="care-pipeline",
    title="Care pipeline",
    description="Does every event get through, in time, and exactly once?",
    since="now-6h",
    refresh="30s",
    window=Window("1h", ("5m", "1h", "6h", "3d")),
    rows=(_FIGURES, _INGEST, _STREAM, _OBJECTIVES, _PROCESSES),
    jobs=ONE_IN_EACH_SERVICE,
)
