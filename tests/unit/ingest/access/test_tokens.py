"""Tokens by themselves: each of the two looks at an algorithm is enough to refuse another."""

import pytest
from joserfc.jwk import ECKey, KeySet

from services.ingest.access import tokens
from services.ingest.access.callers import Denied, Method
from services.ingest.access.rates import Rate
from services.ingest.access.tokens import Issuer
from tests.support.identity_provider import AUDIENCE, ISSUER, resigned, signing_key, token
from tests.unit.kit.test_api_keys import NOW

SIGNING = signing_key()
OTHER = ECKey.generate_key("P-256", {"kid": "k-2"})
KEYS = KeySet([SIGNING, OTHER])
US = Issuer(ISSUER, AUDIENCE, ("RS256",))
RATE = Rate(1, 1)
GOOD = token(SIGNING, NOW.timestamp())
PUBLIC = SIGNING.as_pem(private=False)
FORGED = [
    resigned(GOOD, {"alg": "none", "kid": "k-1"}),
    resigned(GOOD, {"alg": "HS256", "kid": "k-1"}, PUBLIC),
    token(OTHER, NOW.timestamp(), "ES256"),
]


@pytest.mark.parametrize("text", FORGED)
def test_another_algorithm_is_refused_before_any_key_is_asked_for(text: str) -> None:
    with pytest.raises(Denied, match="wrong_algorithm"):
        tokens.key_id_in(text, US)


@pytest.mark.parametrize("text", FORGED)
def test_another_algorithm_is_refused_where_the_signature_is_checked_too(text: str) -> None:
    with pytest.raises(Denied, match="wrong_algorithm"):
        tokens.caller_of(text, KEYS, US, NOW, RATE)


def test_an_algorithm_that_is_allowed_is_believed_with_its_own_kind_of_key() -> None:
    both = Issuer(ISSUER, AUDIENCE, ("RS256", "ES256"))
    for text in (GOOD, FORGED[2]):
        assert tokens.caller_of(text, KEYS, both, NOW, RATE).client == "shop-backend"

    crossed = resigned(FORGED[2], {"alg": "ES256", "kid": "k-1"})
    with pytest.raises(Denied, match="wrong_secret"):
        tokens.caller_of(crossed, KEYS, both, NOW, RATE)


def test_the_application_is_named_and_the_person_is_not() -> None:
    for claims, client in (
        ({"client_id": None, "azp": "web"}, "web"),
        ({"client_id": None}, "unnamed"),
        ({"client_id": 5}, "unnamed"),
    ):
        text = token(SIGNING, NOW.timestamp(), "RS256", **claims)
        caller = tokens.caller_of(text, KEYS, US, NOW, RATE)
        assert (caller.method, caller.client, caller.subject) == (
            *(Method.OIDC, client),
            "canary-person",
        )


@pytest.mark.parametrize("algorithm", tokens.ALGORITHMS)
def test_no_algorithm_that_may_be_allowed_signs_with_a_secret(algorithm: str) -> None:
    assert algorithm[:2] in {"RS", "PS", "ES", "Ed"}
