"""More partitions: where each thing in the state of one partition belongs from then on.  Pure.

The new number is a multiple of the old one.  So what is in partition 3 of 12 belongs to 3 or 15 of 24, its
siblings, and nowhere else: a customer's story is never joined from two partitions.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from pydantic import ValidationError

from services.churn_predictor.exchange import HISTORY_KEY, NEWS_KEY
from services.churn_predictor.identities import MOVE_KEY, NAME_KEY, SAMPLE_KEY
from services.churn_predictor.moves import read_move
from services.churn_predictor.records import read_plain
from services.churn_predictor.state import INTERNAL, PartitionState, partition_key
from services.churn_predictor.trust import WrittenByNewer, read_state
from services.contracts.events import Unreadable
from services.contracts.stream import HistoryNews, TickMark

Home = Callable[[bytes], int]
"""Key → the partition it belongs to."""

_MODULUS = 1 << 256


class UnknownEntry(Exception):
    """The state holds something of which this version cannot tell where it belongs."""


class DamagedEntry(Exception):
    """The state holds something that no version can read."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How many partitions there are before and after."""

    before: int
    after: int

    def siblings(self, number: int) -> tuple[int, ...]:
        """Return the partitions to which something of this one may belong, itself the first."""
        return tuple(range(number % self.before, self.after, self.before))


@dataclass(slots=True)
class Holding:
    """What the changelog of one partition holds, told apart."""

    number: int
    state: PartitionState | None = None
    """None: nobody ever owned it."""
    settled: dict[bytes, int] = field(default_factory=dict)
    """Key of a customer or history → the partition it belongs to."""
    shared: list[bytes] = field(default_factory=list)
    """Keys of what is remembered by a hash alone, so that every sibling has to know it."""
    news: list[bytes] = field(default_factory=list)
    """Keys of news of histories that wait for their tick."""
    moves: list[bytes] = field(default_factory=list)
    """Keys of merged customers that wait for theirs."""

    @property
    def leaving(self) -> dict[bytes, int]:
        """What belongs elsewhere."""
        return {key: home for key, home in self.settled.items() if home != self.number}

    @property
    def customers(self) -> int:
        """How many customers are in it."""
        return sum(not key.startswith(INTERNAL) for key in self.settled)


def told_apart(number: int, entries: Mapping[bytes, bytes], home: Home) -> Holding:
    """Return what these entries of one partition's changelog are.

    Raises:
        UnknownEntry: one is of a kind or of a format that this version does not know.
        DamagedEntry: one is not what its key says.
    """
    found = Holding(number)
    for key, value in entries.items():
        try:
            _tell_apart(found, key, value, home)
        except WrittenByNewer as newer:
            raise UnknownEntry(f"entries in format {newer}") from None
        except (Unreadable, ValidationError):
            raise DamagedEntry(f"{key!r} of partition {number}") from None
    return found


def _tell_apart(found: Holding, key: bytes, value: bytes, home: Home) -> None:
    if key == partition_key(found.number):
        found.state = read_state(value)
    elif key.startswith(NAME_KEY) or key == SAMPLE_KEY:
        found.shared.append(key)
    # Letters are read now: each is written anew, and what cannot be must be found before anything is moved.
    elif key.startswith(NEWS_KEY):
        read_plain(HistoryNews, value)
        found.news.append(key)
    elif key.startswith(MOVE_KEY):
        read_move(value)
        found.moves.append(key)
    elif key.startswith(HISTORY_KEY):
        found.settled[key] = home(key.removeprefix(HISTORY_KEY))
    elif key.startswith(INTERNAL):
        raise UnknownEntry(repr(key))
    else:
        found.settled[key] = home(key)


def readdressed(news: HistoryNews, home: Home) -> Iterator[tuple[int, HistoryNews]]:
    """Yield what these news say, to whom it belongs now, each with who is to be answered now."""
    for seen in news.observed:
        yield home(seen.key.encode()), _saying(news, observed=(seen,))
    for asked in news.asked:
        asker = home(asked.customer.encode())
        yield home(asked.key.encode()), _saying(news, asked=(asked,), partition=asker)
    for answered in news.answered:
        yield home(answered.customer.encode()), _saying(news, answered=(answered,))


def _saying(news: HistoryNews, **what: object) -> HistoryNews:
    nothing: dict[str, object] = {"observed": (), "asked": (), "answered": ()}
    return news.model_copy(update=nothing | what)


def divided(
    own: PartitionState,
    known: Mapping[int, PartitionState | None],
    layout: Layout,
    home: Home,
    number: int,
) -> dict[int, PartitionState]:
    """Return the state of a partition and of its new siblings, as they go on.

    What it has read, counted and heard stays where it was read.  A sibling begins at the same tick, and with
    the same beginning of time: else every promise broken by then would count as broken before it.

    Args:
        own: Of the partition.
        known: Of each sibling beside it, where it was divided before and not to the end.
        layout: How many there are.
        home: Of a feed's name.
        number: The partition's own.
    """
    layouts = own.layouts or (layout.before,)
    layouts = layouts if layouts[-1] == layout.after else (*layouts, layout.after)
    states = {
        sibling: _begun_like(own, known.get(sibling)) for sibling in layout.siblings(number)[1:]
    }
    states[number] = replace(own, rhythms=dict(own.rhythms))
    for feed in list(own.rhythms):
        place = home(feed.encode())
        if place != number:
            states[place].rhythms[feed] = states[number].rhythms.pop(feed)
    return {sibling: replace(state, layouts=layouts) for sibling, state in states.items()}


def _begun_like(own: PartitionState, known: PartitionState | None) -> PartitionState:
    if known is not None:
        return replace(known, rhythms=dict(known.rhythms))
    return PartitionState(
        since=own.since, number=own.number, at=own.at, changelog_id=own.changelog_id
    )


def mark_of(number: int, state: PartitionState) -> TickMark | None:
    """Return what tells others up to which tick a partition has said all; None: it saw no tick."""
    if state.number is None or state.at is None:
        return None
    return TickMark(partition=number, tick=state.number, at=state.at, layouts=state.layouts)


def digest_of(entries: Iterable[tuple[bytes, bytes]]) -> int:
    """Return a number that is the same for the same entries in any order and any division.

    Add the numbers of two divisions, modulo 2²⁵⁶, for that of both together.
    """
    total = 0
    for key, value in entries:
        named = len(key).to_bytes(4) + key + value
        total += int.from_bytes(sha256(named).digest())
    return total % _MODULUS


def together(digests: Iterable[int]) -> int:
    """Return the digest of all divisions together."""
    return sum(digests) % _MODULUS
