"""Who publishes, and why somebody may not.  Pure."""

from dataclasses import dataclass
from enum import StrEnum

from services.ingest.access.rates import Rate


class Method(StrEnum):
    """How a publisher shows who it is."""

    API_KEYS = "api_keys"
    OIDC = "oidc"
    WEBHOOKS = "webhooks"
    NONE = "none"
    """Not at all: whoever reaches the port publishes."""


class Reason(StrEnum):
    """Why a request was not let in; for logs and counters, the caller is told less."""

    MISSING = "missing"
    MALFORMED = "malformed"
    """Also: a way that this deployment has not switched on."""
    UNKNOWN = "unknown"
    """No such key, signing key or publisher."""
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - a reason
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_ALGORITHM = "wrong_algorithm"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    STALE = "stale"
    REPLAYED = "replayed"
    MISSING_SCOPE = "missing_scope"
    RATE_LIMITED = "rate_limited"
    ISSUER_AWAY = "issuer_away"
    """The keys that sign tokens are not known and cannot be fetched: nobody's fault who asks."""


class Denied(Exception):
    """This request is not let in; nothing of it was taken."""

    def __init__(self, reason: Reason, retry_after_seconds: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Caller:
    """A publisher that has shown who it is."""

    method: Method
    client: str
    """Its name, for logs; of a token the application's, never a person's."""
    scopes: tuple[str, ...]
    key_id: str | None = None
    rate: Rate | None = None
    """None: as much as comes."""
    subject: str = ""
    """What tells callers of the same name apart; never logged."""

    @property
    def account(self) -> str:
        """Whose events are counted together: both keys of a client, but not a token of its name."""
        kind = Method.OIDC if self.method is Method.OIDC else "client"
        return f"{kind}:{self.client}:{self.subject}"
