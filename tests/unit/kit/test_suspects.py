"""Notes on disk find the one record that ends every life, and no other."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from services.kit.suspects import Suspects


@dataclass(frozen=True)
class Record:
    offset: int


RECORDS = [Record(offset) for offset in range(10, 20)]


class Died(Exception):
    """The process ended."""


def live(
    folder: Path, deadly: set[int], applied: list[int], aside: list[int] | None = None
) -> list[int]:
    """Live once: apply what is not deadly and was not set aside; return what was set aside."""
    suspects = Suspects(folder)
    suspects.recall(0)
    aside = [] if aside is None else aside
    left = [record for record in RECORDS if record.offset > max(aside, default=0)]
    for portion in suspects.portions("purchases", 0, left):
        for record in portion.records:
            if portion.is_deadly:
                aside.append(record.offset)
            elif record.offset in deadly:
                raise Died
            else:
                applied.append(record.offset)
    suspects.done(0, "purchases", 20)
    return aside


@pytest.mark.parametrize("offset", [10, 14, 19])
def test_a_record_is_set_aside_after_three_lives_and_the_others_are_applied(
    tmp_path: Path, offset: int
) -> None:
    for _ in range(3):
        with pytest.raises(Died):
            live(tmp_path, {offset}, [])
    applied: list[int] = []

    assert live(tmp_path, {offset}, applied) == [offset]
    assert applied == [r.offset for r in RECORDS if r.offset != offset]


def test_two_deadly_records_are_both_found(tmp_path: Path) -> None:
    aside: list[int] = []
    for _ in range(5):
        with pytest.raises(Died):
            live(tmp_path, {12, 17}, [], aside)

    assert live(tmp_path, {12, 17}, [], aside) == [12, 17]


def test_a_life_that_ended_by_itself_sets_nothing_aside(tmp_path: Path) -> None:
    with pytest.raises(Died):
        live(tmp_path, {14}, [])
    applied: list[int] = []

    assert live(tmp_path, set(), applied) == []
    assert len(applied) == len(RECORDS)
    assert list(tmp_path.iterdir()) == []


def test_a_torn_note_is_no_note(tmp_path: Path) -> None:
    (tmp_path / "0.json").write_text('{"topic": "purch', encoding="utf-8")

    assert live(tmp_path, set(), []) == []


def test_another_topic_of_the_partition_is_not_suspected(tmp_path: Path) -> None:
    with pytest.raises(Died):
        live(tmp_path, {14}, [])
    suspects = Suspects(tmp_path)
    suspects.recall(0)

    (portion,) = suspects.portions("deliveries", 0, RECORDS)

    assert portion.records == RECORDS
