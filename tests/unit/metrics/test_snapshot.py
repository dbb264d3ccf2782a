"""A state as bytes and back: nothing is lost, however it is cut, and older ones stay readable."""

import zlib
from dataclasses import fields, replace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from services.contracts.problems import ProblemKind
from services.metrics import snapshot, steps
from services.metrics.figures.measures import Tally
from services.metrics.figures.problems import Problems
from services.metrics.fold import fold
from services.metrics.snapshot import Changed, Header, Section, Standing, Undecodable, digest_of
from services.metrics.state import State
from services.metrics.steps import Step
from tests.support.metrics import Chunks, encoded
from tests.unit.metrics.stories import (
    Read,
    at,
    barrier,
    complained,
    fold_all,
    folded,
    opened,
    series,
)
from tests.unit.metrics.test_fold_laws import STORIES

STANDING = Standing({"purchases": {0: 7}}, {}, 3)


def kept(state: State) -> tuple[Header, Chunks]:
    """Return a snapshot of this state."""
    sections, chunks, size = encoded(state)
    return Header(snapshot.FORMAT, at(0), STANDING, sections, size), chunks


def with_section(header: Header, chunks: Chunks, name: str, value: object) -> Header:
    """Return the header with a section of this content, which is put among the chunks."""
    content = zlib.compress(msgspec.msgpack.encode(value))
    chunks[name, 0] = content
    return replace(header, sections={**header.sections, name: Section(1, digest_of([content]))})


@given(story=STORIES)
def test_any_state_comes_back_as_it_was(story: list[Read]) -> None:
    state = fold_all(story)

    restored = snapshot.decode(*kept(state))

    assert restored == state
    assert series(restored) == series(state)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=STORIES, more=STORIES)
def test_a_restored_state_goes_on_as_the_one_that_was_kept(
    story: list[Read], more: list[Read]
) -> None:
    restored = snapshot.decode(*kept(fold_all(story)))
    whole = fold_all(story)
    for state in (restored, whole):
        for read in more:
            fold(state, read.topic, read.partition, read.record)
        state.settle(at(48))

    assert series(restored) == series(whole)


def test_no_chunk_is_longer_than_a_record_may_be_and_all_together_are_the_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.metrics.snapshot.CHUNK_BYTES", 100)
    state = folded(*(opened(f"o-{number}", 1) for number in range(50)))

    header, chunks = kept(state)

    assert max(map(len, chunks.values())) <= 100
    assert header.sections["problems"].chunks > 3
    assert snapshot.decode(header, chunks) == state


def test_a_header_comes_back_as_it_was() -> None:
    header, _ = kept(folded(opened("o-1", 1)))

    assert snapshot.decode_header(snapshot.encode_header(header)) == header


@pytest.mark.parametrize("raw", [b"", b"\x01", msgspec.msgpack.encode({"format": 2}), b"{}"])
def test_another_format_or_no_header_at_all_is_said(raw: bytes) -> None:
    with pytest.raises(Undecodable):
        snapshot.decode_header(raw)


def test_an_older_snapshot_lacks_what_was_added_since() -> None:
    state = folded(opened("o-1", 1), complained("o-1", 2), barrier(3))
    header, chunks = kept(state)
    sections = {name: s for name, s in header.sections.items() if name != "complaints"}

    restored = snapshot.decode(replace(header, sections=sections), chunks)

    assert restored.complaints == State().complaints
    assert restored.problems == state.problems


def test_a_family_that_has_gained_a_field_reads_its_older_section() -> None:
    header, chunks = kept(State())
    older = with_section(header, chunks, "problems", {"opened": {"counts": {("cart",): 2}}})

    assert snapshot.decode(older, chunks).problems == Problems(opened=Tally({("cart",): 2}))


def test_what_a_newer_version_kept_beside_it_is_passed_over() -> None:
    header, chunks = kept(State())

    assert snapshot.decode(with_section(header, chunks, "rivals", [1, 2]), chunks) == State()


def test_a_section_this_version_understands_otherwise_is_said() -> None:
    header, chunks = kept(State())

    with pytest.raises(Undecodable, match="section problems"):
        snapshot.decode(with_section(header, chunks, "problems", {"opened": 7}), chunks)


def test_chunks_of_two_snapshots_are_noticed() -> None:
    header, chunks = kept(folded(opened("o-1", 1)))
    _, later = kept(folded(opened("o-1", 1), opened("o-2", 1)))
    place = ("problems", 0)

    with pytest.raises(Changed):
        snapshot.decode(header, chunks | {place: later[place]})
    with pytest.raises(Changed):
        snapshot.decode(header, {at_: c for at_, c in chunks.items() if at_ != place})


def test_whatever_a_state_holds_has_a_default() -> None:
    """Else an older snapshot could not be read."""
    assert snapshot.decode(replace(kept(State())[0], sections={}), {}) == State()
    for field in fields(State):
        assert field.name in snapshot.SECTIONS


def test_what_no_state_holds_is_refused_when_it_is_written() -> None:
    with pytest.raises(NotImplementedError, match="does not hold"):
        snapshot.encode_section(object())


def test_a_step_comes_back_as_it_was() -> None:
    step = Step({"purchases": {0: 3, 11: 5}}, {"contacts": 2}, at(5))

    assert steps.read(steps.encode(step)) == step
    assert steps.read(steps.encode(Step())) == Step()


def test_kinds_stay_kinds() -> None:
    restored = snapshot.decode(*kept(folded(opened("o-1", 1))))

    [fact] = restored.problems.problems.values()
    assert fact.kind is ProblemKind.DELIVERY_DELAY
