"""What partitions said of feeds, kept by hand."""

from services.churn_predictor.feeds import Forgotten
from services.churn_predictor.heard_feeds import HeardFeeds
from services.contracts.stream import FeedMark, FeedSilent, TickMark
from tests.factories import HOUR, START

LAGGING = 2
"""The third partition, which says nothing: what the others said stays told apart by tick."""


def keep(feeds: HeardFeeds, *records: FeedMark | TickMark | FeedSilent | Forgotten) -> None:
    """Let it take in these records, as the topic holds them."""
    for record in records:
        said = None if isinstance(record, Forgotten) else record.model_dump_json().encode()
        feeds.keep(record.key.encode(), said)


def tick_mark(partition: int, tick: int) -> TickMark:
    """Return what a partition says at the end of a tick; one an hour."""
    return TickMark(partition=partition, tick=tick, at=START + tick * HOUR)


def heard_feeds(*marks: FeedMark) -> HeardFeeds:
    """Return what is known by these marks of two partitions, of which a third one knows nothing yet."""
    feeds = HeardFeeds(3)
    for mark in marks:
        keep(feeds, mark, tick_mark(mark.partition, mark.tick))
    return feeds
