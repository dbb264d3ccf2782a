"""Metrics of publishers and carriers, as the predictor tells of them on `feeds`."""

from services.contracts.metric import Kind, Metric

PUBLISHER_HEARD = Metric(
    "care_publisher_last_event_timestamp_seconds",
    Kind.GAUGE,
    "Time of the latest event of a publisher that the predictor applied (other: of all without a series).",
    ("publisher",),
)
PUBLISHER_EVENTS = Metric(
    "care_publisher_events_total",
    Kind.COUNTER,
    "Events of a publisher that the predictor read, duplicates and late ones too.",
    ("publisher",),
)
CARRIER_HEARD = Metric(
    "care_carrier_last_event_timestamp_seconds",
    Kind.GAUGE,
    "Time of the latest event about a carrier's parcels (checkpoint or delivery), whoever published it.",
    ("carrier",),
)
CARRIER_EVENTS = Metric(
    "care_carrier_events_total",
    Kind.COUNTER,
    "Events about a carrier's parcels (checkpoints and deliveries), whoever published them.",
    ("carrier",),
)
FEED_SILENT = Metric(
    "care_feed_silent",
    Kind.GAUGE,
    "1 for each feed that was reported silent and not heard since; other: how many more.",
    ("feed",),
)
