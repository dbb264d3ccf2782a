"""Histories between partitions: one counts for each key, all tell it, and each order asks it once.  Pure.

What is told at one tick counts from the next on, and is answered there; an answer counts one tick
later.  So what is known at a tick is the same in every run, however partitions overtake each other.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from services.churn_predictor.asking import ask, tell
from services.churn_predictor.due import DueIndex
from services.churn_predictor.histories import KEPT, KeyHistory, Observation, Question
from services.churn_predictor.inbox import Inbox
from services.churn_predictor.keyed import Keyed, Values
from services.churn_predictor.problems import Moment
from services.churn_predictor.records import read_plain
from services.churn_predictor.state import INTERNAL, CustomerState
from services.contracts.events import Fault, Unreadable
from services.contracts.stream import Answered, Asked, HistoryNews, Observed, Tick

MOST_KEYS = 100_000
"""Kept in one partition; of more, the one that was not heard of for longest goes."""

_CACHED = 2_000
"""Keys kept decoded beside those that changed: a kilobyte each, those of large sellers a hundred."""
_PIECE = 200
"""Most observations, questions and answers of one record each: it stays well below 1 MiB."""
HISTORY_KEY = INTERNAL + b"history-"
NEWS_KEY = INTERNAL + b"news-"
_HISTORY: TypeAdapter[KeyHistory] = TypeAdapter(KeyHistory)


@dataclass(frozen=True, slots=True)
class Owners:
    """Who counts what: every key belongs to one of so many partitions."""

    partitions: int
    of: Callable[[str], int]
    are_used: bool = True
    """Whether customers here tell and ask.  What others tell is counted and answered in any case."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """What of a key must be known before it is asked."""

    latest: datetime


_HEARD: TypeAdapter[_Heard] = TypeAdapter(_Heard)


@dataclass(slots=True)
class _Outgoing:
    """What one partition is to be told."""

    observed: list[Observed] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)


class Exchange:
    """One partition's part in it."""

    def __init__(
        self, number: int, values: Values, owners: Owners, most_keys: int = MOST_KEYS
    ) -> None:
        """Know nothing yet.

        Args:
            number: Of this partition.
            values: Holds what `take_in` is told of.
            owners: Of the keys.
            most_keys: Kept here.
        """
        self.keys = Keyed(values, _HISTORY, KeyHistory, _CACHED, HISTORY_KEY)
        self.idle = DueIndex()
        """When to forget each key."""
        self.crowded_out = 0
        """Keys forgotten because there were too many, since the worker last took note of it."""
        self.has_spoken = False
        """Whether anything was told, asked or answered at the last tick."""
        self._number = number
        self._owners = owners
        self._most_keys = most_keys
        self._inbox = Inbox(NEWS_KEY)
        self._outgoing: dict[int, _Outgoing] = {}

    def take_in(self, key: bytes, value: bytes | None) -> None:
        """Follow what is stored under a key that is no customer's."""
        if key.startswith(NEWS_KEY):
            self._inbox.take_in(key, value)
        elif key.startswith(HISTORY_KEY):
            name = key.removeprefix(HISTORY_KEY).decode()
            self.keys.forget(name)
            self.idle.plan(
                name, None if value is None else _end(_HEARD.validate_json(value).latest)
            )

    def take(self, offset: int, value: bytes | None) -> None:
        """Hold a record of the topic until its tick; raises `Unreadable`."""
        news = read_plain(HistoryNews, value)
        if news.partition >= self._owners.partitions:
            raise Unreadable("invalid", (Fault("/partition", "invalid", "there is none"),))
        self._inbox.add(offset, news)
        self._count(self._inbox.relieve())

    def hear(self, tick: Tick) -> list[Answered]:
        """Let what was told before this tick count, answer, and return what is for customers here."""
        due = self._inbox.due(tick.number)
        # All of it first: an answer counts everything that was told with its question.
        for history in self._count(seen for news in due for seen in news.observed):
            history.forget(tick.at)
        for news in due:
            for asked in news.asked:
                self._to(news.partition).answered.append(self._answer(asked))
        self._forget(tick.at)
        return [answered for news in due for answered in news.answered]

    def look(self, customer_id: str, state: CustomerState, moment: Moment) -> datetime | None:
        """Tell and ask what this customer has to; return when there will be more if no event comes."""
        if not self._owners.are_used:
            return None
        told, again = tell(state, moment.now)
        for seen in told:
            self._to(self._owners.of(seen.key)).observed.append(
                Observed(seen.key, seen.kind, seen.subject, seen.at, seen.value, seen.part)
            )
        for asked in ask(customer_id, state, moment):
            self._to(self._owners.of(asked.key)).asked.append(asked)
        return again

    def letters(self, tick: Tick) -> Iterator[tuple[int, HistoryNews]]:
        """Yield what is to be written to which partition."""
        self.has_spoken = bool(self._outgoing)
        for target, out in sorted(self._outgoing.items()):
            longest = max(len(out.observed), len(out.asked), len(out.answered))
            for start in range(0, longest, _PIECE):
                piece = slice(start, start + _PIECE)
                yield (
                    target,
                    HistoryNews(
                        partition=self._number,
                        tick=tick.number,
                        observed=tuple(out.observed[piece]),
                        asked=tuple(out.asked[piece]),
                        answered=tuple(out.answered[piece]),
                    ),
                )
        self._outgoing.clear()

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield stored key and value of all that changed since the last `settle`."""
        yield from self.keys.changes()
        yield from self._inbox.changes()

    def settle(self) -> None:
        """Count all changes as committed."""
        self.keys.settle()
        self._inbox.settle()

    def _to(self, target: int) -> _Outgoing:
        return self._outgoing.setdefault(target, _Outgoing())

    def _count(self, observed: Iterable[Observed]) -> Iterable[KeyHistory]:
        heard: dict[str, KeyHistory] = {}
        for o in observed:
            history = heard[o.key] = self.keys.change(o.key)
            history.observe(Observation(o.key, o.kind, o.part, o.subject, o.at, o.value))
        for key, history in heard.items():
            self.idle.plan(key, _end(history.latest))
        return heard.values()

    def _answer(self, asked: Asked) -> Answered:
        known = self.keys.get(asked.key)
        question = Question(asked.key, asked.part)
        answer = {} if known is None else known.answer(question, asked.at)
        return Answered(asked.customer, asked.order, asked.key, answer, asked.part)

    def _forget(self, now: datetime) -> None:
        for key in self.idle.take(now):
            self.keys.drop(key)
        while len(self.idle) > self._most_keys and (first := self.idle.take_first()) is not None:
            self.keys.drop(first)
            self.crowded_out += 1


def _end(latest: datetime) -> datetime:
    # One second later it was not heard of for longer than that.
    return latest + KEPT + timedelta(seconds=1)
