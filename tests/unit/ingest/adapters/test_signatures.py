"""A webhook is believed only under one of our secrets, over these very bytes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters import signatures
from services.ingest.adapters.signatures import TOLERANCE, Seal, Verify
from tests.unit.ingest.adapters import sealed
from tests.unit.ingest.adapters.sealed import OTHER, SECRET

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
RAW = b'{"id": 1, "name": "\xc3\xa4"}'

SCHEMES: list[tuple[Verify, dict[str, str]]] = [
    (signatures.aftership, sealed.aftership(RAW)),
    (signatures.shopify, sealed.shopify(RAW)),
    (signatures.chatwoot, sealed.chatwoot(RAW, NOW)),
]
IDS = ["aftership", "shopify", "chatwoot"]


@pytest.mark.parametrize(("verify", "headers"), SCHEMES, ids=IDS)
class TestEveryScheme:
    def test_good(self, verify: Verify, headers: dict[str, str]) -> None:
        assert verify(RAW, headers, [SECRET], NOW) is Seal.GOOD

    def test_any_of_several_secrets_will_do(self, verify: Verify, headers: dict[str, str]) -> None:
        assert verify(RAW, headers, [OTHER, SECRET], NOW) is Seal.GOOD
        assert verify(RAW, headers, [SECRET, OTHER], NOW) is Seal.GOOD

    def test_another_secret_or_none(self, verify: Verify, headers: dict[str, str]) -> None:
        assert verify(RAW, headers, [OTHER], NOW) is Seal.BAD
        assert verify(RAW, headers, [], NOW) is Seal.BAD

    def test_each_header_is_needed(self, verify: Verify, headers: dict[str, str]) -> None:
        for name in set(headers) - {"x-shopify-topic"}:
            missing = {key: value for key, value in headers.items() if key != name}
            assert verify(RAW, missing, [SECRET], NOW) is Seal.BAD
            assert verify(RAW, {**headers, name: ""}, [SECRET], NOW) is Seal.BAD
            assert verify(RAW, {**headers, name: "ä" * 44}, [SECRET], NOW) is Seal.BAD

    def test_one_other_byte_anywhere(self, verify: Verify, headers: dict[str, str]) -> None:
        for index in range(len(RAW)):
            changed = RAW[:index] + bytes([RAW[index] ^ 1]) + RAW[index + 1 :]
            assert verify(changed, headers, [SECRET], NOW) is Seal.BAD
        assert verify(RAW + b" ", headers, [SECRET], NOW) is Seal.BAD

    def test_a_signature_in_another_case_is_another(
        self, verify: Verify, headers: dict[str, str]
    ) -> None:
        (name,) = (key for key in headers if key.endswith(("sha256", "signature")))

        assert verify(RAW, {**headers, name: headers[name].swapcase()}, [SECRET], NOW) is Seal.BAD


class TestTime:
    @pytest.mark.parametrize("away", [TOLERANCE, -TOLERANCE, timedelta(0)])
    def test_five_minutes_either_way(self, away: timedelta) -> None:
        headers = sealed.chatwoot(RAW, NOW)

        assert signatures.chatwoot(RAW, headers, [SECRET], NOW + away) is Seal.GOOD

    @pytest.mark.parametrize("away", [timedelta(seconds=301), timedelta(days=3)])
    def test_beyond_that_a_good_signature_is_stale(self, away: timedelta) -> None:
        headers = sealed.chatwoot(RAW, NOW)

        assert signatures.chatwoot(RAW, headers, [SECRET], NOW + away) is Seal.STALE
        assert signatures.chatwoot(RAW, headers, [SECRET], NOW - away) is Seal.STALE

    def test_a_time_that_was_not_signed_is_no_good(self) -> None:
        headers = sealed.chatwoot(RAW, NOW)
        later = str(int(NOW.timestamp()) + 10)

        told = {**headers, "x-chatwoot-timestamp": later}
        assert signatures.chatwoot(RAW, told, [SECRET], NOW) is Seal.BAD

    @pytest.mark.parametrize("stamp", ["", "soon", "-1", "1.5", "9" * 13, "\uff11", "0x10"])
    def test_what_is_no_time(self, stamp: str) -> None:
        told = {**sealed.chatwoot(RAW, NOW), "x-chatwoot-timestamp": stamp}

        assert signatures.chatwoot(RAW, told, [SECRET], NOW) is Seal.BAD


@given(st.binary(max_size=64), st.text(max_size=60), st.text(max_size=20))
def test_no_header_raises_and_none_is_guessed(raw: bytes, told: str, stamp: str) -> None:
    names = ("aftership-hmac-sha256", "x-shopify-hmac-sha256", "x-chatwoot-signature")
    headers = {**dict.fromkeys(names, told), "x-chatwoot-timestamp": stamp}

    for verify in (signatures.aftership, signatures.shopify, signatures.chatwoot):
        assert verify(raw, headers, [SECRET], NOW) is Seal.BAD
