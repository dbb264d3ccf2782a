"""Whether the exported figures are those of the topics.  Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime

from services.contracts import metric_names as names
from services.contracts import service_metrics, step_metrics
from services.recount.count import Told, count
from services.recount.series import Difference, Series, differences, exported

COMPARED = (
    names.EVENTS,
    names.PROBLEMS_OPENED,
    names.PROBLEMS_CLEARED,
    names.PROBLEMS_OPEN,
    names.DECISIONS,
    names.SUPPRESSED,
    names.CONTACTS,
    names.COMPLAINTS,
    names.LEAD_TIME,
    names.DETECTION_TO_CONTACT,
    service_metrics.ORDERS,
    service_metrics.ORDERS_CONTACTED,
    service_metrics.INBOUND_CONTACTS,
    service_metrics.SURVEYS_SENT,
    service_metrics.SURVEY_ANSWERS,
    step_metrics.TOLD_TWICE,
)
"""What is counted anew."""

_SETTLED = "care_metrics_settled_timestamp_seconds"


def compare(text: str, told: Told) -> tuple[Mapping[Series, float], list[Difference]]:
    """Return what was counted, and each series in which what is exported differs.

    Args:
        text: The metrics service's answer, in Prometheus' text format.
        told: What lies on the topics, read after that answer of a deployment at rest.
    """
    said = exported(text)
    counted = count(told, _settled(said))
    return counted, differences(said, counted, COMPARED)


def _settled(said: Mapping[Series, float]) -> datetime | None:
    """Return up to when complaints and messages are judged; None: it is not said."""
    seconds = next((v for s, v in said.items() if s.metric == _SETTLED), None)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
