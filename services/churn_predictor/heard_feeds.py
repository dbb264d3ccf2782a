"""When every feed was last heard in any partition, as known at a given tick and not now.

A partition says at each of its ticks what it heard; one that lags behind must not know more than was said
by its own tick, or it would believe an absence that its unread records explain.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from pydantic import ValidationError

from services.churn_predictor.expectations.watch import carrier_feed
from services.churn_predictor.feeds import ITSELF
from services.churn_predictor.problems import Heard
from services.churn_predictor.silence import Relays
from services.contracts.stream import FEED_RECORD, FeedMark, TickMark

_KEPT_TICKS = 8
"""How many ticks of each partition are known by their time: partitions are at most a few apart."""
_AHEAD_TICKS = 64
"""So many ticks that not every partition has got to are told apart.  Of more, the oldest two become the
later of them: a partition that lags so far behind learns late what was heard, and never too early."""

_Place = tuple[str, int]
"""Feed and partition."""
_Said = dict[_Place, FeedMark | None]
"""What was said last of a feed in a partition; None: that it is forgotten."""


class HeardFeeds:
    """Collects the marks of all partitions; answers for a tick, not for now."""

    def __init__(self, partitions: int) -> None:
        self._done: list[int] = [-1] * partitions
        self._ticks: list[deque[tuple[int, datetime]]] = [
            deque(maxlen=_KEPT_TICKS) for _ in range(partitions)
        ]
        self._unfinished: list[_Said] = [{} for _ in range(partitions)]
        """What was said since a partition's last tick mark."""
        self._ahead: dict[int, _Said] = {}
        """Tick → what was said at it, where not every partition has got to it."""
        self._marks: dict[str, dict[int, FeedMark]] = {}
        """What was said up to the ticks that every partition has got to, by feed and partition."""
        self._heard: dict[str, datetime] = {}
        self._voices: dict[str, frozenset[str]] = {}
        self._layouts: dict[int, int] = {}
        """Partition → for how many partitions it last said to be one of."""

    @property
    def layouts(self) -> frozenset[int]:
        """Of how many partitions they say to be; more than one number while they are being moved."""
        return frozenset(self._layouts.values())

    def keep(self, key: bytes, value: bytes | None) -> None:
        """Take in one record of the feeds topic; one that nobody can read is passed over."""
        if value is None:
            if (place := FeedMark.place_of(key.decode())) is not None and place[1] < len(
                self._done
            ):
                self._unfinished[place[1]][place] = None
            return
        try:
            record = FEED_RECORD.validate_json(value)
        except ValidationError:
            return
        if isinstance(record, TickMark) and record.layouts:
            self._layouts[record.partition] = record.layouts[-1]
        if record.partition >= len(self._done):
            return
        if isinstance(record, TickMark):
            self._finish(record)
        elif isinstance(record, FeedMark):
            self._unfinished[record.partition][record.feed, record.partition] = record

    def complete(self, tick: int) -> bool:
        """Whether every partition has said all it knew at this tick."""
        return all(done >= tick for done in self._done)

    def as_of(self, tick: int) -> Heard:
        """Return feed → when it was last heard, by what was said up to and including this tick."""
        heard = dict(self._heard)
        for feed, marks in self._changed(tick).items():
            heard.pop(feed, None)
            if marks:
                heard[feed] = _latest(marks.values())
        return heard

    def relays(self, tick: int, heard: Heard) -> Relays:
        """Return the publishers that only pass on what one carrier says, as far as is known.

        None of which the carrier was heard later through somebody else: there it is not silent as well.

        Args:
            tick: By what was said up to and including this one.
            heard: What `as_of` returns for it.
        """
        voices = dict(self._voices)
        voices |= {feed: _voices(marks.values()) for feed, marks in self._changed(tick).items()}
        return frozenset(
            feed for feed, of_feed in voices.items() if _is_relay(feed, of_feed, heard)
        )

    def known_at(self, tick: int) -> datetime | None:
        """Return up to when every partition had said what it heard, as of this tick; None: not known.

        A partition that stands still holds this back: its feeds are not silent but unread.
        """
        said = [[at for said_at, at in ticks if said_at <= tick] for ticks in self._ticks]
        return min(map(max, said)) if all(said) else None

    def _finish(self, mark: TickMark) -> None:
        number = mark.partition
        self._done[number] = max(self._done[number], mark.tick)
        self._ticks[number].append((mark.tick, mark.at))
        said, self._unfinished[number] = self._unfinished[number], {}
        if said:
            self._put_ahead(mark.tick, said)
        self._fold()

    def _put_ahead(self, tick: int, said: _Said) -> None:
        for later, known in self._ahead.items():
            if later > tick:
                # A partition speaks in the order of its ticks: what stands there was put off, and is older.
                for place in said.keys() & known.keys():
                    del known[place]
        self._ahead[tick] = self._ahead.get(tick, {}) | said

    def _fold(self) -> None:
        everywhere = min(self._done)
        for tick in sorted(tick for tick in self._ahead if tick <= everywhere):
            for place, mark in self._ahead.pop(tick).items():
                self._put(place, mark)
        while len(self._ahead) > _AHEAD_TICKS:
            older, later = sorted(self._ahead)[:2]
            self._ahead[later] = self._ahead.pop(older) | self._ahead[later]

    def _put(self, place: _Place, mark: FeedMark | None) -> None:
        feed, _ = place
        marks = self._marks.setdefault(feed, {})
        _change(marks, place, mark)
        if not marks:
            for known in (self._marks, self._heard, self._voices):
                known.pop(feed, None)
            return
        self._heard[feed] = _latest(marks.values())
        self._voices[feed] = _voices(marks.values())

    def _changed(self, tick: int) -> Mapping[str, Mapping[int, FeedMark]]:
        """Return the feeds of which not every partition knows all that was said by this tick."""
        changed: dict[str, dict[int, FeedMark]] = {}
        for place, mark in self._said_by(tick):
            feed, _ = place
            if feed not in changed:
                changed[feed] = dict(self._marks.get(feed, {}))
            _change(changed[feed], place, mark)
        return changed

    def _said_by(self, tick: int) -> Iterator[tuple[_Place, FeedMark | None]]:
        for number in sorted(number for number in self._ahead if number <= tick):
            yield from self._ahead[number].items()


def _change(marks: dict[int, FeedMark], place: _Place, mark: FeedMark | None) -> None:
    if mark is None:
        marks.pop(place[1], None)
    else:
        marks[place[1]] = mark


def _latest(marks: Iterable[FeedMark]) -> datetime:
    return max(mark.heard_at for mark in marks)


def _voices(marks: Iterable[FeedMark]) -> frozenset[str]:
    return frozenset(voice for mark in marks for voice in mark.voices)


def _is_relay(feed: str, voices: frozenset[str], heard: Heard) -> bool:
    if len(voices) != 1 or ITSELF in voices:
        return False
    (carrier,) = voices
    return heard.get(carrier_feed(carrier), heard[feed]) <= heard[feed]
