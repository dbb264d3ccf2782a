"""Who is written to while a mode is limited: the file as it is now, and nobody where that is in doubt."""

from pathlib import Path

import pytest

from services.kit.exits import Unavailable
from services.outreach.allow_list import AllowList


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "listed"
    made.write_text("# the team\nc-1\n\nc-2  # Ada\n")
    return made


def test_each_line_is_a_customer_and_the_rest_is_comment(file: Path) -> None:
    listed = AllowList(file)

    assert sorted(listed) == ["c-1", "c-2"]
    assert len(listed) == 2
    assert "c-1" in listed
    assert "c-3" not in listed


def test_a_change_counts_at_once(file: Path) -> None:
    listed = AllowList(file)
    new = file.with_name("new")
    new.write_text("c-3\n")
    new.replace(file)

    assert list(listed) == ["c-3"]


@pytest.mark.parametrize("wrong", [None, "a@example.org\n", "\udcff"])
def test_a_file_that_is_gone_or_wrong_by_now_allows_nobody(file: Path, wrong: str | None) -> None:
    listed = AllowList(file)
    file.unlink()
    if wrong is not None:
        file.write_bytes(wrong.encode(errors="surrogateescape"))

    assert list(listed) == []


def test_a_line_that_is_no_customers_id_is_refused_and_not_repeated(file: Path) -> None:
    file.write_text("c-1\na@example.org\n")

    with pytest.raises(Unavailable, match=r"listed:2 is no customer's id") as caught:
        AllowList(file)
    assert "example.org" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="one a line"):
        AllowList(tmp_path / "none")
