"""Which silences of feeds should have been said, and when: recomputed from when they were heard.  Pure.

Of one feed: what was known after which tick, hour by hour, as `docs/expectations.md` has it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.contracts.stream import FeedResumed, FeedSilent
from services.contracts.tolerances import Tolerances
from services.contracts.topics import HORIZON
from services.verifier.heard import Heard
from services.verifier.timeline import Timeline

Notice = FeedSilent | FeedResumed

_HOUR = timedelta(hours=1)
_WEEK, _REMEMBERED = 7 * 24, 8 * 7 * 24
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Known:
    """One feed, as far as it is known since it was first heard."""

    heard_at: datetime
    hours: dict[int, bool] = field(default_factory=dict)
    """Hour → whether it was heard in it; hours of unusual silences are not in here."""
    unusual_from: datetime | None = None
    is_silent: bool = False

    def forgotten_after(self) -> datetime:
        return self.heard_at + HORIZON


def judge(
    partition: int,
    said: Sequence[Notice],
    heard: Heard,
    timeline: Timeline,
    tolerances: Tolerances | None = None,
) -> list[str]:
    """Return what differs between what was said of feeds in this partition and what was to be said."""
    due = sorted(
        (
            notice
            for feed in heard.feeds
            if _is_told(feed) and owner(feed, heard.partitions) == partition
            for notice in notices(feed, partition, heard, timeline, tolerances or Tolerances())
        ),
        key=_place,
    )
    if list(said) == due:
        return []
    ours, theirs = (Counter(_shown(n) for n in some) for some in (due, said))
    found = [f"{shown}: missing" for shown in (ours - theirs).elements()]
    found += [f"{shown}: said, and not due" for shown in (theirs - ours).elements()]
    return found or [f"what was said of feeds in partition {partition} is out of order"]


def notices(
    feed: str, partition: int, heard: Heard, timeline: Timeline, tolerances: Tolerances
) -> Iterator[Notice]:
    """Yield what is to be said of one feed over the whole timeline, in order."""
    known: _Known | None = None
    turns = [
        (index, moment)
        for number, moment in heard.latest(feed)
        if (index := timeline.first_after_number(number)) < len(timeline)
    ]
    if not turns:
        # Heard at the last tick only: it counts from the next one on.
        return
    ends = [index for index, _ in turns[1:]] + [len(timeline)]
    for (index, moment), end in zip(turns, ends, strict=True):
        about = {"feed": feed, "partition": partition}
        if known is not None and _first_after(timeline, known.forgotten_after()) < index:
            known = None
        if known is None:
            if moment < timeline.ats[index - 1] - HORIZON:
                continue
            known = _Known(moment, {_hour(moment): True})
        else:
            if known.is_silent:
                yield FeedResumed(
                    **about, **_when(timeline, index), heard_at=moment, silent_since=known.heard_at
                )
            known = _after(known, moment, tolerances.silence_odds)
        silent = _silent_in(range(index, end), known, timeline, tolerances.silence_learning)
        says_own = (s for s in silent if not heard.is_relay(feed, timeline.numbers[s] - 1))
        step = next(says_own, None)
        if step is not None and known.unusual_from is not None:
            known.is_silent = True
            yield FeedSilent(
                **about,
                **_when(timeline, step),
                heard_at=moment,
                silent_from=known.unusual_from,
                usual_gap_seconds=(known.unusual_from - moment).total_seconds(),
            )


def owner(feed: str, partitions: int) -> int:
    """Return the partition that reports this feed: Kafka's partition of its name as a key."""
    return (murmur2(feed.encode()) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """Return Kafka's hash of a key, unsigned (MurmurHash2, 32 bits, its seed)."""
    length, mask, mixer = len(key), 0xFFFFFFFF, 0x5BD1E995
    value = 0x9747B28C ^ length
    for start in range(0, length - length % 4, 4):
        word = int.from_bytes(key[start : start + 4], "little") * mixer & mask
        word = (word ^ word >> 24) * mixer & mask
        value = (value * mixer & mask) ^ word
    if rest := key[length - length % 4 :]:
        value = (value ^ int.from_bytes(rest, "little")) * mixer & mask
    value = (value ^ value >> 13) * mixer & mask
    return value ^ value >> 15


def _after(known: _Known, moment: datetime, odds: int) -> _Known:
    """Return what is known once it was heard at this later moment."""
    last, now = _hour(known.heard_at), _hour(moment)
    if now == last:
        return _Known(moment, known.hours, known.unusual_from)
    hours = {hour: was for hour, was in known.hours.items() if hour > now - _REMEMBERED}
    if known.unusual_from is None or moment < known.unusual_from:
        hours |= dict.fromkeys(range(max(last, now - _REMEMBERED) + 1, now), False)
    hours[now] = True
    return _Known(moment, hours, _unusual_from(hours, now, odds))


def _unusual_from(hours: Mapping[int, bool], last: int, odds: int) -> datetime | None:
    known, heard = [0] * _WEEK, [0] * _WEEK
    for hour, was in hours.items():
        known[hour % _WEEK] += 1
        heard[hour % _WEEK] += was
    chances, ways = 1, 1
    for hour in range(last + 1, last + 1 + _REMEMBERED):
        alike = [(hour + beside) % _WEEK for beside in (-1, 0, 1)]
        # The hour just before is no week ago.
        just_before = hour == last + 1
        times = sum(known[slot] for slot in alike) - just_before
        times_heard = sum(heard[slot] for slot in alike) - just_before
        if times_heard:
            chances, ways = chances * (times - times_heard + 1), ways * (times + 1)
            if chances * odds <= ways:
                return _BEGIN + (hour + 1) * _HOUR
    return None


def _silent_in(turn: range, known: _Known, timeline: Timeline, learning: timedelta) -> range:
    """Return at which ticks of a turn, in which it is not heard later, it is silent; by index."""
    if known.unusual_from is None or len(known.hours) * _HOUR < learning:
        return range(0)
    begins = timeline.first_from(known.unusual_from) + 1
    ends = _first_after(timeline, known.forgotten_after())
    return range(max(turn.start, begins), min(turn.stop, ends))


def _first_after(timeline: Timeline, moment: datetime) -> int:
    """Return the index of the first tick that knows a time after this moment: the tick before is."""
    return timeline.first_from(moment + timedelta(microseconds=1)) + 1


def _is_told(feed: str) -> bool:
    kind, _, name = feed.partition(":")
    return kind == "carrier" or (kind == "publisher" and not name.startswith("/care/"))


def _hour(at: datetime) -> int:
    return (at - _BEGIN) // _HOUR


def _when(timeline: Timeline, index: int) -> dict[str, datetime | int]:
    return {"tick": timeline.numbers[index], "at": timeline.ats[index]}


def _place(notice: Notice) -> tuple[int, str, str]:
    return notice.tick, notice.feed, notice.kind


def _shown(notice: Notice) -> str:
    told = ", ".join(
        f"{name} {value.isoformat() if isinstance(value, datetime) else value}"
        for name, value in notice.model_dump(exclude={"feed", "kind"}).items()
    )
    return f"feed {notice.feed} {notice.kind} ({told})"
