"""Spans of what a service does, where somebody collects them; without a collector they cost nothing.

Which trace a record is in does not depend on this: `services.contracts.trace_context` says it, and the
records are the same bytes with spans and without.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from services.contracts.trace_context import TraceContext
from services.kit import logs

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Without either no span is made."""

MOST_LINKS = 100
"""Of one span: a slice may hold 500 events."""

_log = logs.get(__name__)


class Kind(StrEnum):
    """Which side of an exchange a span is on."""

    SERVER = "server"
    CLIENT = "client"
    CONSUMER = "consumer"


@dataclass(frozen=True, slots=True)
class Span:
    """Something that was done."""

    name: str
    kind: Kind
    attributes: Mapping[str, str | int]
    parent: TraceContext | None = None
    """In whose trace it is; None: in one of its own."""
    links: Iterable[TraceContext] = ()
    """What else brought it about; `MOST_LINKS` of them are kept, each once."""
    error: str | None = None
    """The kind of failure; None: there was none."""


class Spans(Protocol):
    """Takes the spans of one process.  For any thread."""

    def begin(self) -> int:
        """Return when something begins, for `end`."""
        ...

    def end(self, begun: int, describe: Callable[[], Span]) -> None:
        """Note that what began then has ended; `describe` is asked only where somebody collects."""
        ...

    def close(self) -> None:
        """Hand over what is left, within a few seconds, and take no more."""
        ...


class NoSpans:
    """Where nobody collects."""

    def begin(self) -> int:
        """Return nothing of interest."""
        return 0

    def end(self, begun: int, describe: Callable[[], Span]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


NO_SPANS: Spans = NoSpans()


def set_up(service: str, environment: Mapping[str, str]) -> Spans:
    """Return where this service's spans go.

    Nowhere where no endpoint is set, where OTEL_SDK_DISABLED says so, or where the extra `tracing` is not
    installed, which is then told: a collector that is away is no reason not to work.
    """
    is_wanted = any(environment.get(name) for name in ENDPOINTS)
    if not is_wanted or environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return NO_SPANS
    try:
        # Only here: it needs an extra, and takes its time.
        from services.kit.otlp import open_spans
    except ImportError as error:
        _log.warning("tracing_not_installed", missing=error.name, install="proactive-care[tracing]")
        return NO_SPANS
    return open_spans(service, environment)
