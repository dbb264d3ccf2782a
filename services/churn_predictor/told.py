"""What a worker tells of its slices, and of what it said: a log line each, and a span."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from services.churn_predictor.outputs import Output
from services.churn_predictor.partition import Partition
from services.contracts import topics as t
from services.contracts.problems import ProblemChanged, ProblemCleared, ProblemOpened, RiskAssessed
from services.contracts.topics import Topic
from services.contracts.trace_context import TraceContext, of_headers
from services.kit import logs
from services.kit import span_names as n
from services.kit.clock import monotonic
from services.kit.slices import Slice
from services.kit.tracing import Kind, Span, Spans

_log = logs.get(__name__)
_FROM_OUTSIDE = frozenset(topic.name for topic in t.PREDICTOR_SOURCES)
_OUTCOMES = ("applied", "duplicate", "late", "dead_lettered")
_TOLD = {ProblemOpened: "opened", ProblemChanged: "changed", ProblemCleared: "cleared"}


@dataclass(slots=True)
class SliceNotes:
    """One slice, from its beginning until whatever it let happen is committed."""

    topic: Topic
    piece: Slice
    group: str
    _spans: Spans
    _before: tuple[int, ...]
    _begun: int
    _started: float
    _counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def begin(
        cls, partition: Partition, topic: Topic, piece: Slice, group: str, spans: Spans
    ) -> "SliceNotes":
        """Return the notes of a slice that is about to be applied."""
        before = _totals(partition, topic)
        return cls(topic, piece, group, spans, before, spans.begin(), monotonic())

    def applied(self, partition: Partition) -> None:
        """Note what became of its records."""
        after = _totals(partition, self.topic)
        pairs = zip(_OUTCOMES, after, self._before, strict=True)
        self._counts = {name: now - then for name, now, then in pairs}

    def end(self) -> None:
        """Tell of it, unless nothing was in it; of what we tell ourselves only where all is to be told."""
        if not self.piece.records:
            return
        say = _log.info if self.topic.name in _FROM_OUTSIDE else _log.debug
        say(
            "slice_applied",
            topic=self.topic.name,
            partition=self.piece.partition,
            first_offset=self.piece.records[0].offset,
            last_offset=self.piece.records[-1].offset,
            **self._counts,
            duration_seconds=round(monotonic() - self._started, 6),
        )
        if self.topic is not t.TICKS:
            # A tick a second and partition would be most of all spans, and say the least.
            self._spans.end(self._begun, self._span)

    def _span(self) -> Span:
        attributes: dict[str, str | int] = {
            n.SYSTEM: n.KAFKA,
            n.OPERATION_NAME: n.PROCESS,
            n.OPERATION_TYPE: n.PROCESS,
            n.DESTINATION: self.piece.topic,
            n.DESTINATION_PARTITION: str(self.piece.partition),
            n.CONSUMER_GROUP: self.group,
            n.BATCH: len(self.piece.records),
            n.KAFKA_OFFSET: self.piece.records[0].offset,
        }
        attributes |= {f"{n.OUTCOME}.{name}": count for name, count in self._counts.items()}
        name = f"{n.PROCESS} {self.piece.topic}"
        return Span(name, Kind.CONSUMER, attributes, links=self._links())

    def _links(self) -> Iterator[TraceContext]:
        places = (of_headers(record.headers) for record in self.piece.records)
        return (place for place in places if place is not None)


def log_said(said: Iterable[Output], partition: int) -> None:
    """Log each problem that was told of, and where all is logged each assessment: once it is committed."""
    for output in said:
        if output.said is not None and output.trace is not None:
            _log_one(output.said.id, output.said.data, output.trace, partition)


def _log_one(event_id: str, fact: object, trace: TraceContext, partition: int) -> None:
    match fact:
        case RiskAssessed():
            _log.debug(
                "risk_told",
                partition=partition,
                event_id=event_id,
                kind=fact.kind.value,
                decision_point=fact.decision_point.value,
                outcome=fact.band.value,
                trace_id=trace.trace_id,
            )
        case ProblemOpened() | ProblemChanged() | ProblemCleared():
            _log.info(
                "problem_told",
                partition=partition,
                event_id=event_id,
                problem_id=str(fact.problem_id),
                kind=fact.kind.value,
                tier=fact.tier.value,
                outcome=_TOLD[type(fact)],
                evidence=[ref.model_dump() for ref in fact.evidence],
                trace_id=trace.trace_id,
            )


def _totals(partition: Partition, topic: Topic) -> tuple[int, ...]:
    source = partition.state.sources[topic.name]
    return tuple(getattr(source, outcome) for outcome in _OUTCOMES)
