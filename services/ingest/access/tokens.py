"""Bearer tokens of an OIDC provider: signed by whom, for whom, until when, and what for.  Pure.

The algorithms are the deployment's, never the token's: `none` and a secret made of a public key are not
among them.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from services.ingest.access.callers import Caller, Denied, Method, Reason
from services.ingest.access.rates import Rate

LEEWAY_SECONDS = 60
"""How far the provider's clock may be from ours."""
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "Ed25519"),
)
"""Those that may be allowed: with none of them can a public key be used to sign."""
MAX_TOKEN_BYTES = 16 * 1024
_NOT_NAMED = "unnamed"
_OF_CLAIM = {"iss": Reason.WRONG_ISSUER, "aud": Reason.WRONG_AUDIENCE, "nbf": Reason.NOT_YET_VALID}


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are believed, and for whom they must be made."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]


def key_id_in(token: str, issuer: Issuer) -> str:
    """Return which key the token says it is signed with.

    Nothing is believed here: it only tells whether the keys have to be fetched.

    Raises:
        Denied: it is no signed token, or names another algorithm or no key.
    """
    header = _header(token)
    if header.get("alg") not in issuer.algorithms:
        raise Denied(Reason.WRONG_ALGORITHM)
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not key_id:
        raise Denied(Reason.UNKNOWN)
    return key_id


def caller_of(token: str, keys: KeySet, issuer: Issuer, now: datetime, rate: Rate) -> Caller:
    """Return who has this token.

    Raises:
        Denied: it is not signed by one of these keys, not from this issuer or not for this audience,
            or not valid now.
    """
    # A provider may put more into a header than the standard knows; `crit` is heeded all the same.
    registry = JWSRegistry(algorithms=issuer.algorithms, strict_check_header=False)
    claims_wanted = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer.issuer},
        aud={"essential": True, "value": issuer.audience},
        exp={"essential": True},
    )
    try:
        claims = jwt.decode(token, keys, registry=registry).claims
        claims_wanted.validate(claims)
    except UnsupportedAlgorithmError:
        raise Denied(Reason.WRONG_ALGORITHM) from None
    except ExpiredTokenError:
        raise Denied(Reason.EXPIRED) from None
    except ClaimError as error:
        raise Denied(_OF_CLAIM.get(str(error.claim), Reason.MALFORMED)) from None
    except (JoseError, ValueError):
        raise Denied(Reason.WRONG_SECRET) from None
    return Caller(
        Method.OIDC, _client(claims), _scopes(claims), rate=rate, subject=_text(claims, "sub")
    )


def _header(token: str) -> Mapping[str, Any]:
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise Denied(Reason.MALFORMED)
    try:
        header = json.loads(base64.urlsafe_b64decode(parts[0] + "=="))
    except (binascii.Error, ValueError, RecursionError):
        raise Denied(Reason.MALFORMED) from None
    if not isinstance(header, dict):
        raise Denied(Reason.MALFORMED)
    return header


def _client(claims: Mapping[str, Any]) -> str:
    """Return the application's name: `sub` may be a person and is not shown."""
    return _text(claims, "client_id") or _text(claims, "azp") or _NOT_NAMED


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value[:256] if isinstance(value, str) else ""


def _scopes(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what `scope` (RFC 8693) or `scp` says: words, or a list of them."""
    told = claims.get("scope", claims.get("scp"))
    if isinstance(told, str):
        return tuple(told.split())
    if isinstance(told, list):
        return tuple(scope for scope in told if isinstance(scope, str))
    return ()
