"""What somebody hears who is not let in.  Of who it was that is not known, nothing."""

from collections.abc import Mapping
from dataclasses import replace

from services.ingest import answers
from services.ingest.access.callers import Denied, Reason
from services.ingest.answers import Answer
from services.ingest.documents import ProblemKind

REFUSED_EVENT = "forbidden"
"""The reason told of an event that its sender may not publish."""
_KINDS: Mapping[Reason, ProblemKind] = {
    Reason.RATE_LIMITED: ProblemKind.RATE_LIMITED,
    Reason.ISSUER_AWAY: ProblemKind.ISSUER_AWAY,
    Reason.MISSING_SCOPE: ProblemKind.FORBIDDEN,
}
_DETAILS: Mapping[Reason, str] = {
    Reason.RATE_LIMITED: "Wait as long as retry-after says; the headers ratelimit and ratelimit-policy "
    "tell how much may come.",
    Reason.ISSUER_AWAY: "The tokens' issuer does not answer: send it again later, or use an API key.",
    Reason.MISSING_SCOPE: "No scope of this client covers this source.",
    Reason.STALE: "The signed time is more than 5 minutes from this machine's clock: set the clocks.",
    Reason.REPLAYED: "This webhook was taken before: who sends it again signs the time of that attempt.",
}
_UNKNOWN = (
    "Send an API key or a token that is valid here, or sign the body: see docs/publishing-auth.md."
)


def answer_of(denied: Denied) -> Answer:
    """Return 401 with `www-authenticate`, 429 or 503 with `retry-after`; counted by its reason.

    An unknown key and a wrong secret are told alike.
    """
    reason = denied.reason
    kind = _KINDS.get(reason, ProblemKind.UNAUTHENTICATED)
    answer = answers.problem(
        kind, _DETAILS.get(reason, _UNKNOWN), retry_after_seconds=denied.retry_after_seconds
    )
    challenge = _challenge(kind, reason)
    return replace(
        answer,
        headers={**answer.headers, **challenge},
        refused=reason.value,
        names={"denied": reason.value},
    )


def _challenge(kind: ProblemKind, reason: Reason) -> Mapping[str, str]:
    """Return what RFC 9110 wants with 401; RFC 6750 names an error only where a token was sent."""
    if kind is not ProblemKind.UNAUTHENTICATED:
        return {}
    is_bare = reason is Reason.MISSING
    return {"www-authenticate": "Bearer" if is_bare else 'Bearer error="invalid_token"'}
