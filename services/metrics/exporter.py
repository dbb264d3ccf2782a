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
from services.contracts import topics as t
from services.contracts.events import TOPIC_OF
from services.contracts.metric_names import Kind, Metric
from services.contracts.outreach import Outcome, Suppression
from services.contracts.people import Channel
from services.contracts.problems import TIERS_OF, Clearing, ProblemKind
from services.contracts.stream import Account
from services.metrics import kpis
from services.metrics.decode import OTHER_REASON, READ_TOPICS, REASONS
from services.metrics.facts import Distribution, State
from services.metrics.fold import CONTACT_OUTCOMES, NO_CHANNEL, UNREADABLE

MOST_PLAYBOOKS = 32
"""Playbooks with series of their own; what is beyond shares the label `other`, so that a mistake in
their naming cannot flood Prometheus."""

OTHER_PLAYBOOK = "other"

Labels = tuple[str, ...]
Samples = Iterable[tuple[Labels, float]]
Lags = Mapping[tuple[str, str], float]
"""(service, topic) → age in seconds of the oldest record not yet read."""

_EVENT_TOPICS = frozenset(TOPIC_OF.values()) | {t.IDENTITIES}
_CHANNELS = (*(channel.value for channel in Channel), NO_CHANNEL)
_ACCOUNT_OUTCOMES = ("applied", "duplicate", "late", "dead_lettered")


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
    return [
        _family(names.EVENTS, _events(state)),
        *_problem_families(state),
        *_outreach_families(state, shown),
        _family(names.COMPLAINTS, _complaints(state)),
        _histogram(names.LEAD_TIME, state.lead_time),
        _histogram(names.DETECTION_TO_CONTACT, state.detection_to_contact),
        _family(names.LAG_SECONDS, lags.items()),
        _family(names.DEAD_LETTERS, _dead_letters(state)),
        _family(names.ACCOUNTED, _accounted(state)),
        _family(names.UNACCOUNTED, _unaccounted(state)),
    ]


def _family(metric: Metric, samples: Samples) -> Family:
    if metric.kind is Kind.COUNTER:
        family: CounterMetricFamily | GaugeMetricFamily = CounterMetricFamily(
            metric.name, metric.help, labels=metric.labels
        )
    else:
        family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in sorted(samples):
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, distribution: Distribution) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help)
    family.add_metric(
        [], list(_cumulative(metric, distribution)), distribution.total.total_seconds()
    )
    return family


def _cumulative(metric: Metric, distribution: Distribution) -> Iterator[tuple[str, float]]:
    running = 0
    bounds = (*metric.buckets, float("inf"))
    for bound, count in zip(bounds, distribution.counts, strict=True):
        running += count
        yield floatToGoString(bound), running  # type: ignore[no-untyped-call]


def _events(state: State) -> Samples:
    samples: dict[Labels, float] = {
        (topic.name, UNREADABLE): 0 for topic in READ_TOPICS if topic in _EVENT_TOPICS
    }
    samples |= {
        (topic.name, fact.TYPE): 0 for fact, topic in TOPIC_OF.items() if topic in READ_TOPICS
    }
    return (samples | state.events).items()


def _problem_families(state: State) -> Iterator[Family]:
    opened = {(kind.value,): state.opened[kind] for kind in ProblemKind}
    cleared = {
        (kind.value, clearing.value): state.cleared[kind, clearing]
        for kind in ProblemKind
        for clearing in Clearing
    }
    open_now = {(kind.value, tier.value): 0 for kind, tiers in TIERS_OF.items() for tier in tiers}
    # A tier that its kind never reaches has a series only while somebody claims it: a fault to be seen.
    open_now |= {(kind.value, tier.value): n for (kind, tier), n in state.open_now.items() if n}
    yield _family(names.PROBLEMS_OPENED, opened.items())
    yield _family(names.PROBLEMS_CLEARED, cleared.items())
    yield _family(names.PROBLEMS_OPEN, open_now.items())


def _outreach_families(state: State, shown: frozenset[str]) -> Iterator[Family]:
    decisions = {(name, outcome): 0.0 for name in shown for outcome in Outcome}
    suppressed = {(name, reason): 0.0 for name in shown for reason in Suppression}
    contacts = {
        (name, channel, outcome): 0.0
        for name in shown
        for channel in _CHANNELS
        for outcome in CONTACT_OUTCOMES
    }
    for metric, zeros, counts in (
        (names.DECISIONS, decisions.items(), state.decisions.items()),
        (names.SUPPRESSED, suppressed.items(), state.suppressed.items()),
        (names.CONTACTS, contacts.items(), state.contacts.items()),
    ):
        yield _family(metric, _by_playbook(zeros, counts, shown))


def _shown_playbooks(state: State, expected: Sequence[str]) -> frozenset[str]:
    found = sorted({name for name, *_ in (*state.decisions, *state.contacts)} - set(expected))
    return frozenset([*expected, *found][:MOST_PLAYBOOKS])


def _by_playbook(zeros: Samples, counts: Samples, shown: frozenset[str]) -> Samples:
    samples = dict(zeros)
    for (playbook, *rest), count in counts:
        labels = (playbook if playbook in shown else OTHER_PLAYBOOK, *rest)
        samples[labels] = samples.get(labels, 0) + count
    return samples.items()


def _complaints(state: State) -> Samples:
    return [((str(first).lower(),), state.complaints[first]) for first in (False, True)]


def _dead_letters(state: State) -> Samples:
    origins = [topic.name for topic in t.TOPICS if t.dead_letter(topic) in t.DEAD_LETTERS]
    zeros = {(origin, reason): 0 for origin in origins for reason in (*REASONS, OTHER_REASON)}
    return (zeros | state.dead_letters).items()


def _accounts_by_topic(state: State) -> dict[str, list[Account]]:
    by_topic: dict[str, list[Account]] = {topic.name: [] for topic in t.PREDICTOR_SOURCES}
    for place, account in state.accounts.items():
        if place.topic in by_topic:
            by_topic[place.topic].append(account)
    return by_topic


def _accounted(state: State) -> Samples:
    return [
        ((topic, outcome), sum(getattr(account, outcome) for account in accounts))
        for topic, accounts in _accounts_by_topic(state).items()
        for outcome in _ACCOUNT_OUTCOMES
    ]


def _unaccounted(state: State) -> Samples:
    return [
        ((topic,), sum(kpis.unaccounted(a.first_offset, a.next_offset, a.total) for a in accounts))
        for topic, accounts in _accounts_by_topic(state).items()
    ]
