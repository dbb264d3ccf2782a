"""What a replica remembers: bounded, for so long, and the same for every telling of one event."""

from hypothesis import given
from hypothesis import strategies as st

from services.contracts.topics import PURCHASES
from services.ingest.memory import Memory, Remembered, digest_of, name_of
from services.ingest.records import Acknowledged, record_of
from tests import factories

MAX_AGE = 10.0


def remembered(number: int) -> Remembered:
    return Remembered(b"digest", PURCHASES, Acknowledged(0, number))


def test_the_oldest_goes_first() -> None:
    memory = Memory(3, MAX_AGE)
    for number in range(5):
        memory.keep(name_of("/shop", str(number)), remembered(number), 0)

    found = [memory.find(name_of("/shop", str(number)), 0) for number in range(5)]

    assert found == [None, None, *(remembered(number) for number in (2, 3, 4))]


def test_what_is_too_old_is_not_known_any_more() -> None:
    memory = Memory(3, MAX_AGE)
    memory.keep(b"a", remembered(1), 100)

    assert memory.find(b"a", 100 + MAX_AGE - 0.1) == remembered(1)
    assert memory.find(b"a", 100 + MAX_AGE) is None


def test_without_room_nothing_is_remembered() -> None:
    memory = Memory(0, MAX_AGE)
    memory.keep(b"a", remembered(1), 0)

    assert (memory.is_on, memory.find(b"a", 0), len(memory)) == (False, None, 0)


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 4)), max_size=200), st.integers(1, 5))
def test_it_knows_what_was_kept_last_and_never_holds_more_than_it_may(
    kept: list[tuple[int, float]], room: int
) -> None:
    memory = Memory(room, MAX_AGE)
    now, last = 0.0, dict[int, tuple[float, Remembered]]()
    for number, (name, pause) in enumerate(kept):
        now += pause
        memory.keep(str(name).encode(), remembered(number), now)
        last.pop(name, None)
        last[name] = now, remembered(number)
        assert len(memory) <= room

    young = {n: what for n, (at, what) in last.items() if now - at < MAX_AGE}
    for name, what in last.items():
        may_be_known = name in list(last)[-room:] and name in young
        found = memory.find(str(name).encode(), now)
        assert found == (what[1] if may_be_known else None)


def test_a_source_and_an_id_are_told_apart() -> None:
    assert name_of("/shop", "a/b") != name_of("/shop/a", "b")
    assert name_of("ab", "c") != name_of("a", "bc")


def test_the_trace_of_an_attempt_changes_nothing_and_all_else_does() -> None:
    event = factories.placed(event_id="e-1")
    trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "tracestate": "x=1"}
    traced = event.model_copy(update=trace)
    other = factories.placed(event_id="e-1", order="o-other")

    first, again, another = (
        digest_of(told, record_of(told, PURCHASES).value) for told in (event, traced, other)
    )

    assert first == again != another
