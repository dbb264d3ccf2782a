"""Letters between partitions are read before anything is moved; the broker is not there."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from services.churn_predictor import letters
from services.churn_predictor.letters import LetterLost
from services.churn_predictor.moves import Move
from services.churn_predictor.relocating import Relocation
from services.churn_predictor.relocation import Layout, UnknownEntry
from services.churn_predictor.state import FORMAT, CustomerState, PartitionState, SourceState
from services.contracts import topics as t
from services.contracts.stream import HistoryNews
from services.contracts.topics import Topic
from services.kit.changelog import Expired, Stretch, Truncated

NEWS = HistoryNews(partition=0, tick=4).encode()
MOVE = Move(0, 4, "c-1", (), CustomerState()).encode()
NEXT_OFFSET = 9


def read_before(topic: Topic) -> dict[int, PartitionState]:
    """Return the state of a partition that has read these letters up to some point."""
    source = SourceState(UUID(int=7), next_offset=NEXT_OFFSET, applied=NEXT_OFFSET)
    return {1: PartitionState(sources={topic.name: source})}


def check(monkeypatch: pytest.MonkeyPatch, topic: Topic, *sent: bytes | None) -> None:
    """Check the letters that lie behind that point."""

    def read_on(_: str, name: str, number: int, position: int | None) -> Iterator[Stretch]:
        assert (name, number, position) == (f"x-{topic.name}", 1, NEXT_OFFSET)
        changes = [(b"", letter) for letter in sent]
        yield Stretch(changes, NEXT_OFFSET + len(changes))

    monkeypatch.setattr(letters, "read_on", read_on)
    Relocation("nowhere:1", "x-", Layout(2, 4)).check_letters(read_before(topic))


def test_letters_that_can_be_read_are_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    check(monkeypatch, t.HISTORIES, NEWS, NEWS)
    check(monkeypatch, t.MOVES, MOVE)
    check(monkeypatch, t.MOVES)


@pytest.mark.parametrize(
    ("topic", "good", "bad"),
    [(t.HISTORIES, NEWS, b"no letter"), (t.MOVES, MOVE, NEWS)],
    ids=lambda each: each.name if isinstance(each, Topic) else "",
)
@pytest.mark.parametrize("is_empty", [True, False])
def test_one_that_cannot_is_named_by_where_it_lies(
    topic: Topic, good: bytes, bad: bytes, is_empty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LetterLost, match=f"a letter on x-{topic.name}-1 cannot be read"):
        check(monkeypatch, topic, good, None if is_empty else bad)


def test_one_of_a_newer_version_is_no_lost_one(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = MOVE.replace(b'"format":%d' % FORMAT, b'"format":%d' % (FORMAT + 1))
    assert newer != MOVE

    with pytest.raises(UnknownEntry, match=f"x-moves-1 in format {FORMAT + 1}"):
        check(monkeypatch, t.MOVES, MOVE, newer)


@pytest.mark.parametrize(("trouble", "told"), [(Expired, LetterLost), (Truncated, Truncated)])
def test_letters_that_went_by_their_age_are_lost_and_a_topic_made_anew_is_another_matter(
    trouble: type[Exception], told: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_on(*_: object) -> Iterator[Stretch]:
        raise trouble("x-histories-1 holds 12 to 20")

    monkeypatch.setattr(letters, "read_on", read_on)
    with pytest.raises(told, match="holds 12 to 20"):
        Relocation("nowhere:1", "x-", Layout(2, 4)).check_letters(read_before(t.HISTORIES))
