"""One of a thing is told as one."""

import pytest

from services.kit.plurals import counted


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0 things are"), (1, "1 thing is"), (2, "2 things are"), (2000, "2,000 things are")],
)
def test_one_has_words_of_its_own(number: int, told: str) -> None:
    assert counted(number, "thing is", "things are") == told


def test_several_have_an_s_where_nothing_else_is_said() -> None:
    assert [counted(number, "event") for number in (1, 2)] == ["1 event", "2 events"]
