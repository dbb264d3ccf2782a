"""Metrics of whether what outreach says of each step is a whole story."""

from services.contracts.metric import Kind, Metric

OUTREACH_STEPS = Metric(
    "care_outreach_steps_total",
    Kind.COUNTER,
    "Steps of playbooks by the stage reached (decided: to contact and not in shadow, started, ended); "
    "decided = waiting + unfinished + ended.",
    ("stage",),
)
OUTREACH_WAITING = Metric(
    "care_outreach_waiting_steps",
    Kind.GAUGE,
    "Steps decided to contact, and neither started nor ended.",
)
OUTREACH_UNFINISHED = Metric(
    "care_outreach_unfinished_steps",
    Kind.GAUGE,
    "Steps started and not ended: under way, or to be tried again.",
)
OUTREACH_UNFINISHED_SINCE = Metric(
    "care_outreach_unfinished_since_timestamp_seconds",
    Kind.GAUGE,
    "When the unfinished step that was started longest ago was started last; absent where there is none.",
)
TOLD_TWICE = Metric(
    "care_contacts_told_twice_total",
    Kind.COUNTER,
    "Steps of which two messages left; 0 or alarm.",
)
UNEXPLAINED = Metric(
    "care_outreach_unexplained_outcomes_total",
    Kind.COUNTER,
    "Ends of steps that were not started, or of failures that were not even decided; less those withdrawn, "
    "0 or alarm.",
)
UNEXPLAINED_WITHDRAWN = Metric(
    "care_outreach_unexplained_outcomes_withdrawn_total",
    Kind.COUNTER,
    "Ends counted as unexplained before, and explained since.",
)
