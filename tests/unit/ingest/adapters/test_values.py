"""Times, amounts and ids as others write them."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.moments import instant, until
from services.ingest.adapters.money import exponent_of, minor_units
from services.ingest.adapters.payload import at, id_of, items_at, text_at

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


class TestTimes:
    @pytest.mark.parametrize(
        "value",
        [
            1782907200,
            1782907200.0,
            "2026-07-01T12:00:00Z",
            "2026-07-01T12:00:00.000Z",
            "2026-07-01T14:00:00",
            "2026-07-01 12:00:00 UTC",
            " 2026-07-01T05:00:00-07:00 ",
        ],
    )
    def test_every_form(self, value: object) -> None:
        assert instant(value, BERLIN) == NOON

    @pytest.mark.parametrize(
        "value", [None, True, "", "noon", 0, 1e300, -1e300, [], {}, "0001-01-01"]
    )
    def test_what_is_no_time(self, value: object) -> None:
        assert instant(value, BERLIN) is None

    @pytest.mark.parametrize(
        ("value", "over"),
        [
            # The clocks change on the 29th of March: that day has 23 hours.
            ("2026-03-28", datetime(2026, 3, 28, 23, tzinfo=UTC)),
            ("2026-03-29", datetime(2026, 3, 29, 22, tzinfo=UTC)),
            ("2026-07-01T14:00:00", NOON),
            ("9999-12-31", None),
            (None, None),
        ],
    )
    def test_a_date_lasts_until_its_end(self, value: object, over: datetime | None) -> None:
        assert until(value, BERLIN) == over


class TestMoney:
    @pytest.mark.parametrize(
        ("currency", "exponent"),
        [
            *((code, 0) for code in ("JPY", "KRW", "CLP", "VND", "ISK", "XAF", "XPF", "UGX")),
            *((code, 2) for code in ("EUR", "USD", "HUF", "TWD", "MGA", "MRU", "CRC")),
            *((code, 3) for code in ("KWD", "BHD", "TND", "OMR", "JOD", "IQD", "LYD")),
            *((code, 4) for code in ("CLF", "UYW")),
        ],
    )
    def test_decimals_after_iso_4217(self, currency: str, exponent: int) -> None:
        assert exponent_of(currency) == exponent

    @given(st.integers(0, 10**12), st.sampled_from(["JPY", "EUR", "KWD", "CLF"]))
    def test_an_exact_amount_stays_exact(self, minor: int, currency: str) -> None:
        written = Decimal(minor).scaleb(-exponent_of(currency))

        assert minor_units(f"{written:f}", currency) == minor

    @pytest.mark.parametrize("amount", [0.1, "0.1", " 0.10 ", "0.1000"])
    def test_every_form(self, amount: object) -> None:
        assert minor_units(amount, "EUR") == 10

    @pytest.mark.parametrize(
        "amount", [None, True, "", "much", "NaN", "Infinity", "1e400", float("nan"), [], "1,50"]
    )
    def test_what_is_no_amount(self, amount: object) -> None:
        assert minor_units(amount, "EUR") is None


class TestPayload:
    @pytest.mark.parametrize(
        ("value", "found"),
        [
            (42, "42"),
            ("42", "42"),
            ("gid://shopify/Order/42", "42"),
            ("gid://shopify/Order/42?key=1", "42"),
            ("gid://", None),
            (True, None),
            (-1, None),
            (10**400, None),
            (4.2, None),
            (" ", None),
            (None, None),
        ],
    )
    def test_an_id(self, value: object, found: str | None) -> None:
        assert id_of(value) == found

    def test_what_is_not_there_is_nothing(self) -> None:
        assert at({"a": [1]}, "a", "b") is None
        assert text_at({"a": {"b": 5}}, "a", "b") is None
        assert items_at({"a": "text"}, "a") == []
