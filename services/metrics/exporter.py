"""The folded state as Prometheus series.  Renders; computes nothing that `kpis` defines."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from services.contracts import metric_names as names
from services.contracts import service_metrics
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
from services.metrics.figures.conversation import Resolution
from services.metrics.figures.measures import (
    Distribution,
    Distributions,
    Labels,
    Latest,
    Measure,
    Tally,
)
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

Samples = Mapping[Labels, float]
Lags = Mapping[Labels, float]
"""(service, topic) → age in seconds of the oldest record not yet read."""

_EVENT_TOPICS = frozenset(TOPIC_OF.values()) | {t.IDENTITIES}
_CHANNELS = (*(channel.value for channel in Channel), NO_CHANNEL)


class StateCollector(Collector):
    """Gives Prometheus the state as it is at the moment of the scrape."""

    def __init__(self, snapshot: Callable[[], list[Family]]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Family]:
        """Return every family; the state is not changed while they are made."""
        return self._snapshot()


def render(state: State, lags: Lags, playbooks: Sequence[str]) -> list[Family]:
    """Return every family of this service, series without a count yet at 0.

    Args:
        state: What was folded.
        lags: Age of the oldest unread record in seconds.
        playbooks: Playbooks whose series exist before their first decision.
    """
    shown = _shown_playbooks(state, playbooks)
    zeros = _zeros(shown)
    families = [
        _family(metric, measure, zeros.get(metric.name, ()), shown)
        for metric, measure in state.measured()
    ]
    return [*families, _simple(names.LAG_SECONDS, lags)]


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
            empty = {labels: Distribution.of(metric) for labels in zeros}
            return _histogram(metric, empty | measure.by_labels)


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
    named = (*state.sending.decisions.counts, *state.sending.contacts.counts)
    found = sorted({playbook for playbook, *_ in named} - set(expected))
    return frozenset([*expected, *found][:MOST_PLAYBOOKS])


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
    return {
        **_PIPELINE_ZEROS,
        **_PROBLEM_ZEROS,
        **_COMPLAINT_ZEROS,
        **_SERVICE_ZEROS,
        names.DECISIONS.name: [(name, outcome) for name in shown for outcome in Outcome],
        names.SUPPRESSED.name: [(name, reason) for name in shown for reason in Suppression],
        names.CONTACTS.name: [
            (name, channel, outcome)
            for name in shown
            for channel in _CHANNELS
            for outcome in CONTACT_OUTCOMES
        ],
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
    names.DETECTION_TO_CONTACT.name: [()],
    names.DETECTION_TO_CONTACT_WITHDRAWN.name: [()],
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
