"""Hashes that who has the key knows again, and nobody else."""

from pathlib import Path

import pytest

from services.kit.exits import Unavailable
from services.outreach.suppression import Keys, is_opaque, read_keys
from tests.unit.outreach.factories import DAY, NOON

KEY, NEWER = "k" * 32, "n" * 32


def test_one_mailbox_is_one_person_however_it_is_spelt() -> None:
    keys = Keys((KEY,))

    assert keys.hash("email", "Ada@Example.org") == keys.hash("email", "ada@example.ORG")
    assert keys.hash("email", "ada@example.org") != keys.hash("customer", "ada@example.org")
    assert keys.hash("customer", "C-1") != keys.hash("customer", "c-1")


def test_another_key_gives_another_hash_and_a_former_one_is_known_again() -> None:
    former, both = Keys((KEY,)), Keys((KEY, NEWER))

    assert former.hash("sms", "+491") != both.hash("sms", "+491")
    assert former.hash("sms", "+491") in both.hashes("sms", "+491")
    assert KEY not in repr(both)


def test_what_stands_for_an_erased_customer_is_told_from_customers() -> None:
    keys = Keys((KEY,))

    assert is_opaque(keys.opaque("c-1", NOON))
    assert keys.opaque("c-1", NOON) != keys.opaque("c-1", NOON + DAY)
    assert not is_opaque("erased-c-1")


@pytest.mark.parametrize("content", ["", "short\n", f"{KEY}\nshort\n", b"\xff\xfe"])
def test_a_wrong_file_is_refused_with_what_to_do(tmp_path: Path, content: str | bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(Unavailable, match="openssl rand -hex 32"):
        read_keys(file)


def test_a_file_is_read_and_none_is_none(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n\n{NEWER}\n")

    assert read_keys(tmp_path / "key") == Keys((KEY, NEWER))
    assert read_keys(None) is None
    with pytest.raises(Unavailable, match="cannot be read"):
        read_keys(tmp_path / "none")
