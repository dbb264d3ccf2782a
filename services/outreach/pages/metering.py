"""What the pages count: requests by page and outcome, never by customer."""

from enum import StrEnum

from prometheus_client import CollectorRegistry

from services.contracts import metric_names
from services.kit import telemetry
from services.outreach.pages.tokens import PURPOSES

NO_PAGE = "none"
KINDS = (*(purpose.name for purpose in PURPOSES), NO_PAGE)
"""Every value of the label `kind`."""


class Outcome(StrEnum):
    """What became of one request."""

    SHOWN = "shown"
    STORED = "stored"
    """Something new is kept."""
    UNCHANGED = "unchanged"
    """It was said before."""
    INCOMPLETE = "incomplete"
    """The form has to be put right."""
    TAMPERED = "tampered"
    EXPIRED = "expired"
    WRONG_PURPOSE = "wrong_purpose"
    TOO_MANY = "too_many"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    MALFORMED = "malformed"
    UNAVAILABLE = "unavailable"
    NOT_FOUND = "not_found"
    BROKEN = "broken"


class Meter:
    """Counts requests; every series exists from the start, at zero."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = telemetry.counter(metric_names.OUTREACH_PAGES, registry)
        for kind in KINDS:
            for outcome in Outcome:
                self._requests.labels(kind, outcome.value)

    def count(self, kind: str, outcome: Outcome) -> None:
        """Count one request to the page of this kind."""
        self._requests.labels(kind, outcome.value).inc()
