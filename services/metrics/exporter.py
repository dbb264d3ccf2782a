"""The folded state as Prometheus series.  Renders; computes nothing that `kpis` defines."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from services.contracts import customer_metrics, feed_metrics, service_metrics, step_metrics
from services.contracts import metric_names as names
from services.contracts import topics as t
from services.contracts.contacts import (
    SCORES,
    ContactChannel,
    ContactReason,
    OpenedBy,
    SurveyKind,
)
from services.contracts.events import TOPIC_OF
from services.contracts.metric_names import Kind, Metric
from services.contracts.outreach import Outcome, Suppression
from services.contracts.people import Channel
from services.contracts.problems import TIERS_OF, Clearing, ProblemKind
from services.metrics.decode import OTHER_REASON, READ_TOPICS, REASONS
from services.metrics.figures import customers, problems, saves, trials, usefulness
from services.metrics.figures.conversation import Resolution
from services.metrics.figures.feeds import OTHER
from services.metrics.figures.measures import (
    Distribution,
    Distributions,
    Labels,
    Latest,
    Measure,
    Tally,
)
from services.metrics.figures.outreach_steps import STAGES
from services.metrics.figures.pipeline import ACCOUNT_OUTCOMES, UNREADABLE
from services.metrics.figures.sending import CONTACT_OUTCOMES, NO_CHANNEL
from services.metrics.figures.service import BUSINESS, CALENDAR
from services.metrics.figures.surveys import Origin
from services.metrics.figures.wismo import Cause
from services.metrics.state import State

MOST_PLAYBOOKS = 16
"""Playbooks with series of their own; what is beyond shares the label `other`, so that a mistake in
their naming cannot flood Prometheus."""

OTHER_PLAYBOOK = "other"

LAPSE_PLAYBOOKS = frozenset({"lapse_risk"})
"""Playbooks about the risk of a lapse, whose trials end with a purchase or without.  Another one of a
deployment's own has such series from its first count on, beside those of complaints that stay at 0."""

Samples = Mapping[Labels, float]
Lags = Mapping[Labels, float]
"""(service, topic) → age in seconds of the oldest record not yet read."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The last snapshot of the state."""

    at: datetime
    state_bytes: int
    """As encoded, before compression."""


_EVENT_TOPICS = frozenset(TOPIC_OF.values()) | {t.IDENTITIES}
_CHANNELS = (*(channel.value for channel in Channel), NO_CHANNEL)


class StateCollector(Collector):
    """Gives Prometheus the state as it is at the moment of the scrape."""

    def __init__(self, snapshot: Callable[[], list[Family]]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Family]:
        """Return every family; the state is not changed while they are made."""
        return self._snapshot()


def render(
    state: State, lags: Lags, playbooks: Sequence[str], kept: Kept | None = None
) -> list[Family]:
    """Return every family of this service, series without a count yet at 0.

    Args:
        state: What was folded.
        lags: Age of the oldest unread record in seconds.
        playbooks: Playbooks whose series exist before their first decision.
        kept: The last snapshot; None: there is none yet.
    """
    shown = _shown_playbooks(state, playbooks)
    zeros = _zeros(shown)
    families = [
        _family(metric, measure, zeros.get(metric.name, ()), shown)
        for metric, measure in state.measured()
    ]
    return [*families, _simple(names.LAG_SECONDS, lags), *_of_snapshot(kept)]


def _of_snapshot(kept: Kept | None) -> Iterator[Family]:
    yield _simple(names.METRICS_SNAPSHOT, {} if kept is None else {(): kept.at.timestamp()})
    yield _simple(names.METRICS_STATE_BYTES, {} if kept is None else {(): kept.state_bytes})


def _family(
    metric: Metric, measure: Measure, zeros: Iterable[Labels], shown: frozenset[str]
) -> Family:
    match measure:
        case Tally():
            counts = dict.fromkeys(zeros, 0.0)
            for labels, count in measure.counts.items():
                bounded = _bounded(metric, labels, shown)
                counts[bounded] = counts.get(bounded, 0) + count
            return _simple(metric, _shown(metric, counts, zeros))
        case Latest():
            return _simple(
                metric, {labels: at.timestamp() for labels, at in measure.instants.items()}
            )
        case Distributions():
            return _histogram(metric, _distributions(metric, measure, zeros))


def _distributions(
    metric: Metric, measure: Distributions, zeros: Iterable[Labels]
) -> dict[Labels, Distribution]:
    """Return the distributions; of one in buckets of another version nothing, until it is added to."""
    empty = {labels: Distribution.of(metric) for labels in (*zeros, *measure.by_labels)}
    return empty | {
        labels: known
        for labels, known in measure.by_labels.items()
        if known.bounds == metric.buckets
    }


def _shown(metric: Metric, counts: dict[Labels, float], zeros: Iterable[Labels]) -> Samples:
    """Return the counts without things of a kind that is not expected and of which there are none."""
    if metric.kind is Kind.COUNTER:
        return counts
    expected = frozenset(zeros)
    return {labels: n for labels, n in counts.items() if n or labels in expected or not expected}


def _simple(metric: Metric, samples: Samples) -> Family:
    if metric.kind is Kind.COUNTER:
        family: CounterMetricFamily | GaugeMetricFamily = CounterMetricFamily(
            metric.name, metric.help, labels=metric.labels
        )
    else:
        family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in sorted(samples.items()):
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, distributions: Mapping[Labels, Distribution]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, distribution in sorted(distributions.items()):
        buckets = list(_cumulative(metric, distribution))
        family.add_metric(labels, buckets, distribution.total.total_seconds())
    return family


def _cumulative(metric: Metric, distribution: Distribution) -> Iterator[tuple[str, float]]:
    running = 0
    bounds = (*metric.buckets, float("inf"))
    for bound, count in zip(bounds, distribution.counts, strict=True):
        running += count
        yield floatToGoString(bound), running  # type: ignore[no-untyped-call]


# Bounds


def _shown_playbooks(state: State, expected: Sequence[str]) -> frozenset[str]:
    # As they came: a new name must not take an older one's series, whose counts would jump to `other`.
    named = (*state.sending.decisions.counts, *state.sending.contacts.counts)
    found = dict.fromkeys([*expected, *(playbook for playbook, *_ in named)])
    return frozenset([*found][:MOST_PLAYBOOKS])


def _bounded(metric: Metric, labels: Labels, shown: frozenset[str]) -> Labels:
    """Return the labels with a playbook beyond the bound as `other`."""
    if "playbook" not in metric.labels:
        return labels
    at = metric.labels.index("playbook")
    if labels[at] in shown:
        return labels
    return (*labels[:at], OTHER_PLAYBOOK, *labels[at + 1 :])


# Series that exist before the first count, so that rate() and alerts see the first as an increase


def _zeros(shown: frozenset[str]) -> dict[str, list[Labels]]:
    """Return metric name → labels that exist from the start."""
    in_trials: list[Labels] = [
        (name, arm, outcome)
        for name in shown
        for arm in trials.ARMS
        for outcome in (
            trials.LAPSE_OUTCOMES if name in LAPSE_PLAYBOOKS else trials.COMPLAINT_OUTCOMES
        )
    ]
    return {
        **_PIPELINE_ZEROS,
        **_PROBLEM_ZEROS,
        **_COMPLAINT_ZEROS,
        **_SERVICE_ZEROS,
        **_FEED_ZEROS,
        **_STEP_ZEROS,
        **_CUSTOMER_ZEROS,
        names.DECISIONS.name: [(name, outcome) for name in shown for outcome in Outcome],
        names.SUPPRESSED.name: [(name, reason) for name in shown for reason in Suppression],
        names.CONTACTS.name: [
            (name, channel, outcome)
            for name in shown
            for channel in _CHANNELS
            for outcome in CONTACT_OUTCOMES
        ],
        **dict.fromkeys(
            (
                customer_metrics.TRIAL_CUSTOMERS.name,
                customer_metrics.TRIAL_CUSTOMERS_WITHDRAWN.name,
            ),
            in_trials,
        ),
    }


_PIPELINE_ZEROS: dict[str, list[Labels]] = {
    names.EVENTS.name: [
        *((topic.name, UNREADABLE) for topic in READ_TOPICS if topic in _EVENT_TOPICS),
        *((topic.name, fact.TYPE) for fact, topic in TOPIC_OF.items() if topic in READ_TOPICS),
    ],
    names.DEAD_LETTERS.name: [
        (topic.name, reason)
        for topic in t.TOPICS
        if t.dead_letter(topic) in t.DEAD_LETTERS
        for reason in (*REASONS, OTHER_REASON)
    ],
    names.METRICS_MISSED.name: [(topic.name,) for topic in READ_TOPICS],
    names.ACCOUNTED.name: [
        (topic.name, outcome) for topic in t.PREDICTOR_SOURCES for outcome in ACCOUNT_OUTCOMES
    ],
}
_PROBLEM_ZEROS: dict[str, list[Labels]] = {
    names.PROBLEMS_OPENED.name: [(kind,) for kind in ProblemKind],
    names.PROBLEMS_CLEARED.name: [
        (kind, clearing) for kind in ProblemKind for clearing in Clearing
    ],
    names.PROBLEMS_OPEN.name: [(kind, tier) for kind, tiers in TIERS_OF.items() for tier in tiers],
}
_COMPLAINT_ZEROS: dict[str, list[Labels]] = {
    names.COMPLAINTS.name: [("false",), ("true",)],
    names.COMPLAINTS_WITHDRAWN.name: [("false",), ("true",)],
    names.LEAD_TIME.name: [()],
    names.LEAD_TIME_WITHDRAWN.name: [()],
    names.DETECTION_TO_CONTACT.name: [("false",), ("true",)],
    names.DETECTION_TO_CONTACT_WITHDRAWN.name: [("false",), ("true",)],
}
_FEED_ZEROS: dict[str, list[Labels]] = {
    metric.name: [(OTHER,)]
    for metric in (
        feed_metrics.PUBLISHER_EVENTS,
        feed_metrics.CARRIER_EVENTS,
        feed_metrics.FEED_SILENT,
    )
}
_STEP_ZEROS: dict[str, list[Labels]] = {
    step_metrics.OUTREACH_STEPS.name: [(stage,) for stage in STAGES],
    **{
        metric.name: [()]
        for metric in (
            step_metrics.TOLD_TWICE,
            step_metrics.UNEXPLAINED,
            step_metrics.UNEXPLAINED_WITHDRAWN,
        )
    },
}
_ANSWERS: list[Labels] = [
    (kind, str(score), origin)
    for kind, (low, high) in SCORES.items()
    for score in range(low, high + 1)
    for origin in Origin
]
_SERVICE_ZEROS: dict[str, list[Labels]] = {
    service_metrics.ORDERS.name: [()],
    service_metrics.ORDERS_CONTACTED.name: [()],
    service_metrics.INBOUND_CONTACTS.name: [
        (channel, reason, by)
        for channel in ContactChannel
        for reason in ContactReason
        for by in OpenedBy
    ],
    service_metrics.WISMO_CONTACTS.name: [(cause,) for cause in Cause],
    service_metrics.WISMO_CONTACTS_WITHDRAWN.name: [(cause,) for cause in Cause],
    service_metrics.FIRST_RESPONSE.name: [(CALENDAR,), (BUSINESS,)],
    service_metrics.FIRST_RESPONSE_WITHDRAWN.name: [(CALENDAR,), (BUSINESS,)],
    service_metrics.AWAITING_FIRST_RESPONSE.name: [()],
    service_metrics.CONTACTS_MATURED.name: [(outcome,) for outcome in Resolution],
    service_metrics.CONTACTS_MATURED_WITHDRAWN.name: [(outcome,) for outcome in Resolution],
    service_metrics.HANDLE_TIME.name: [(channel,) for channel in ContactChannel],
    service_metrics.SURVEYS_SENT.name: [(kind, origin) for kind in SurveyKind for origin in Origin],
    service_metrics.SURVEY_ANSWERS.name: _ANSWERS,
    service_metrics.SURVEY_ANSWERS_WITHDRAWN.name: _ANSWERS,
}
_WORTHS: list[Labels] = [(worth,) for worth in usefulness.WORTHS]
_ATTEMPTS: list[Labels] = [(arm, outcome) for arm in saves.ARMS for outcome in saves.OUTCOMES]
_IN_WINDOWS: list[Labels] = [(window,) for window in customers.WINDOWS]
_CUSTOMER_ZEROS: dict[str, list[Labels]] = {
    customer_metrics.CUSTOMERS_ACTIVE.name: _IN_WINDOWS,
    customer_metrics.CUSTOMERS_NEW.name: [()],
    customer_metrics.CUSTOMERS_NEW_WITHDRAWN.name: [()],
    customer_metrics.CUSTOMERS_LAPSED.name: _IN_WINDOWS,
    customer_metrics.CUSTOMERS_LAPSED_WITHDRAWN.name: _IN_WINDOWS,
    customer_metrics.CUSTOMERS_RETURNED.name: _IN_WINDOWS,
    customer_metrics.CUSTOMERS_RETURNED_WITHDRAWN.name: _IN_WINDOWS,
    customer_metrics.CUSTOMERS_BY_RHYTHM.name: [
        (recency, frequency)
        for recency in customers.RECENCIES
        for frequency in dict.fromkeys((*customers.FREQUENCIES.values(), customers.MANY))
    ],
    customer_metrics.SAVE_ATTEMPTS.name: _ATTEMPTS,
    customer_metrics.SAVE_ATTEMPTS_WITHDRAWN.name: _ATTEMPTS,
    customer_metrics.PROACTIVE_CONTACTS.name: _WORTHS,
    customer_metrics.PROACTIVE_CONTACTS_WITHDRAWN.name: _WORTHS,
    customer_metrics.PROBLEMS_RETRACTED.name: [
        (kind, silent) for kind in ProblemKind for silent in ("false", "true")
    ],
    customer_metrics.DETECTION_LAG.name: [(kind,) for kind in problems.ABSENCES],
    customer_metrics.EXPERIENCE_BALANCE.name: [()],
}
