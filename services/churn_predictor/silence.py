"""Which feeds have been silent for longer than is usual at this time of the week.  Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from services.churn_predictor.feed_rhythm import Rhythm
from services.churn_predictor.feeds import Forgotten, to_forget
from services.churn_predictor.problems import Heard
from services.contracts.stream import FeedResumed, FeedSilent, Tick
from services.contracts.tolerances import Tolerances

_OWN = "publisher:/care/"
_TOLD = ("carrier:", "publisher:")
"""`scans:` says nothing that the carrier's own name does not."""

Notice = FeedSilent | FeedResumed


Rhythms = dict[str, Rhythm]
"""Of the feeds whose names belong to one partition."""

Relays = frozenset[str]
"""The publishers whose silence says nothing that one carrier's own name does not."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Notices silences in one partition."""

    partition: int
    owns: Callable[[str], bool]
    """Whether a feed of this name is reported by this partition."""
    tolerances: Tolerances

    def listen(
        self,
        rhythms: Rhythms,
        heard: Heard,
        known_at: datetime | None,
        tick: Tick,
        *,
        relays: Relays = frozenset(),
    ) -> Iterator[Notice | Forgotten]:
        """Learn what was heard and yield what has to be said now, by feed.

        Args:
            rhythms: What is remembered; changed in place.
            heard: Feed → when it was last heard, as of the tick before.
            known_at: Up to when every partition had said what it heard; None: not known, so that
                nothing is learned or said.
            tick: The one that takes effect.
            relays: Whose silence is not reported as long as they are in here, as of the tick before.
        """
        if known_at is None:
            return
        resumed = dict(self._learn(rhythms, heard, tick))
        for feed, rhythm in rhythms.items():
            rhythm.is_relay = feed in relays
        for feed in to_forget(rhythms, known_at):
            if rhythms.pop(feed).was_silent:
                yield Forgotten(FeedSilent.key_of(feed))
        silent = dict(self._judge(rhythms, known_at, tick))
        for feed in sorted(resumed.keys() | silent.keys()):
            yield from (said[feed] for said in (resumed, silent) if feed in said)

    def next_at(self, rhythms: Rhythms) -> datetime | None:
        """Return the next instant from which a silence may have to be reported, or None."""
        moments = (
            rhythm.silent_from
            for feed, rhythm in rhythms.items()
            if rhythm.silent_from is not None and self._may_report(feed, rhythm)
        )
        return min(moments, default=None)

    def _learn(
        self, rhythms: Rhythms, heard: Heard, tick: Tick
    ) -> Iterator[tuple[str, FeedResumed]]:
        for feed, at in heard.items():
            rhythm = rhythms.get(feed)
            if rhythm is None:
                if self.owns(feed):
                    rhythms[feed] = Rhythm(at)
            elif at > rhythm.heard_at:
                if rhythm.is_silent:
                    yield feed, self._resumed(feed, rhythm, at, tick)
                rhythm.is_silent = False
                rhythm.hear(at, self.tolerances.silence_odds)

    def _judge(
        self, rhythms: Rhythms, known_at: datetime, tick: Tick
    ) -> Iterator[tuple[str, FeedSilent]]:
        """Compare each with the instant that was computed when it was last heard."""
        for feed, rhythm in rhythms.items():
            begins = rhythm.silent_from
            if begins is not None and begins <= known_at and self._may_report(feed, rhythm):
                rhythm.is_silent = rhythm.was_silent = True
                yield feed, self._silent(feed, rhythm, begins, tick)

    def _may_report(self, feed: str, rhythm: Rhythm) -> bool:
        return (
            not rhythm.is_silent
            and not rhythm.is_relay
            and feed.startswith(_TOLD)
            and not feed.startswith(_OWN)
            and rhythm.has_learned(self.tolerances.silence_learning)
        )

    def _silent(self, feed: str, rhythm: Rhythm, silent_from: datetime, tick: Tick) -> FeedSilent:
        return FeedSilent(
            feed=feed,
            partition=self.partition,
            tick=tick.number,
            at=tick.at,
            heard_at=rhythm.heard_at,
            silent_from=silent_from,
            usual_gap_seconds=(silent_from - rhythm.heard_at).total_seconds(),
        )

    def _resumed(self, feed: str, rhythm: Rhythm, at: datetime, tick: Tick) -> FeedResumed:
        return FeedResumed(
            feed=feed,
            partition=self.partition,
            tick=tick.number,
            at=tick.at,
            heard_at=at,
            silent_since=rhythm.heard_at,
        )
