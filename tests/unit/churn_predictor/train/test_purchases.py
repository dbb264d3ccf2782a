"""Purchases are read from CSV files, refused with their line, or told by events."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.churn_predictor.rhythm import Purchase
from services.churn_predictor.train.purchases import (
    NothingBought,
    Purchases,
    UnreadablePurchases,
    midnight,
    purchases_in,
    read_purchases,
)
from tests.factories import DAY, START, cancelled, placed, promised

HEADER = "customer,date,amount\n"


def read(folder: Path, text: str, name: str = "purchases.csv") -> Purchases:
    path = folder / name
    path.write_bytes(text.encode())
    return read_purchases(path)


def test_purchases_are_kept_by_customer_in_their_order_in_time(tmp_path: Path) -> None:
    found = read(
        tmp_path, HEADER + "b,2026-01-03,1\na,2026-01-02T10:00:00+02:00,2.5\nb,2026-01-01,3\n"
    )

    assert found.by_customer == {
        "b": [
            Purchase(datetime(2026, 1, 1, tzinfo=UTC), 3.0),
            Purchase(datetime(2026, 1, 3, tzinfo=UTC), 1.0),
        ],
        "a": [Purchase(datetime(2026, 1, 2, 8, tzinfo=UTC), 2.5)],
    }
    assert (found.rows, found.returns, found.count) == (3, 0, 3)
    assert found.first == datetime(2026, 1, 1, tzinfo=UTC)
    assert found.end == datetime(2026, 1, 4, tzinfo=UTC)


def test_columns_are_found_by_name_and_others_are_passed_over(tmp_path: Path) -> None:
    found = read(
        tmp_path, '\ufeffamount,"note",date,customer\r\n5,"a, b",2026-01-01 09:30:00, x \r\n'
    )

    assert found.by_customer == {"x": [Purchase(datetime(2026, 1, 1, 9, 30, tzinfo=UTC), 5.0)]}


def test_returns_are_no_purchases(tmp_path: Path) -> None:
    found = read(tmp_path, HEADER + "a,2026-01-01,10\na,2026-01-02,-10\nb,2026-01-02,0\n")

    assert list(found.by_customer) == ["a"]
    assert (found.rows, found.returns, found.count) == (3, 2, 1)


def test_a_packed_file_is_unpacked_whatever_its_name(tmp_path: Path) -> None:
    text = HEADER + "a,2026-01-01,10\n"
    (tmp_path / "packed").write_bytes(gzip.compress(text.encode()))

    assert read_purchases(tmp_path / "packed") == read(tmp_path, text)


def test_the_digest_is_of_the_purchases_and_not_of_the_file(tmp_path: Path) -> None:
    one = read(tmp_path, HEADER + "a,2026-01-01,10\nb,2026-01-02,7\n")
    same = read(tmp_path, "amount,customer,date\n7.0,b,2026-01-02\n10,a,2026-01-01T00:00:00Z\n")
    other = read(tmp_path, HEADER + "a,2026-01-01,10\nb,2026-01-02,8\n")

    assert one.digest == same.digest != other.digest


def test_before_an_instant_only_what_was_bought_by_then_is_known(tmp_path: Path) -> None:
    found = read(tmp_path, HEADER + "a,2026-01-01,10\na,2026-01-03,1\nb,2026-01-02,7\n")

    earlier = found.before(midnight(datetime(2026, 1, 2, tzinfo=UTC).date()))

    assert {name: len(bought) for name, bought in earlier.by_customer.items()} == {"a": 1}
    with pytest.raises(NothingBought, match="before 2026-01-01"):
        found.before(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: the header has no column customer, date, amount"),
        ("customer,day,amount\n", "line 1: the header has no column date"),
        (HEADER, "no purchase"),
        (HEADER + "a,2026-01-01,-1\n", "no purchase"),
        (HEADER + "a,2026-01-01,1\n,2026-01-01,1\n", "line 3: no customer"),
        (HEADER + "a,01/02/2026,1\n", "line 2: no date: '01/02/2026'"),
        (HEADER + "a,0001-01-01T00:00:00+14:00,1\n", "line 2: no date"),
        (HEADER + "a,2026-01-01,1 EUR\n", "line 2: no amount: '1 EUR'"),
        (HEADER + "a,2026-01-01,nan\n", "line 2: no amount: 'nan'"),
        (HEADER + "a,2026-01-01\n", "line 2: no amount: ''"),
        (HEADER + "a,2026-01-01,1,000\n", "line 2: more fields than the header names"),
        (HEADER + 'a,2026-01-01,"1\n', "line 2: unexpected end of data"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(UnreadablePurchases) as refused:
        read(tmp_path, text)

    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "half").write_bytes(gzip.compress(b"customer")[:-9])

    for name in ("image", "half", "missing"):
        with pytest.raises(UnreadablePurchases, match=name):
            read_purchases(tmp_path / name)


def test_events_tell_the_orders_that_were_placed_and_not_cancelled() -> None:
    told = [
        cancelled("o-3", customer="c-2", at=START + 2 * DAY),
        placed("o-2", lines=2, customer="c-2", at=START + DAY),
        placed("o-1", customer="c-2", at=START),
        placed("o-3", customer="c-2", at=START),
        placed("o-4", customer="c-3", at=START),
        cancelled("o-4", customer="c-3", at=START + DAY),
        promised(customer="c-4", at=START),
        placed("o-5", customer="c-1", at=START + DAY),
    ]

    found = purchases_in(told)

    assert found.by_customer == {
        "c-1": [Purchase(START + DAY, 1000.0)],
        "c-2": [Purchase(START, 1000.0), Purchase(START + DAY, 2000.0)],
    }
    assert list(found.by_customer) == ["c-1", "c-2"]
    assert (found.rows, found.returns) == (5, 2)
    assert purchases_in(reversed(told)) == found


def test_events_without_a_purchase_are_nothing_bought() -> None:
    for told in ([], [promised()], [placed(), cancelled(at=START + DAY)]):
        with pytest.raises(NothingBought):
            purchases_in(told)
