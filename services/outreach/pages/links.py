"""The addresses that go into messages, and the mail headers of one-click unsubscribing.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.outreach.pages.tokens import (
    HELPFUL,
    PREFERENCES,
    SURVEY,
    HelpfulLink,
    L,
    PreferencesLink,
    Purpose,
    SurveyLink,
    issue,
)

UNSUBSCRIBE_PATH = "unsubscribe"
ONE_CLICK = ("List-Unsubscribe", "One-Click")
"""The one field of the body that a mail program posts (RFC 8058)."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where the pages are for customers, and what signs the ways to them."""

    base_url: str
    """Without a slash at its end."""
    secrets: tuple[str, ...] = field(repr=False)
    """The last one signs."""

    def survey(self, link: SurveyLink, now: datetime, score: int | None = None) -> str:
        """Return the address of a survey; with `score` (1 to 5) that face is picked there, not answered."""
        picked = "" if score is None else f"?score={score}"
        return f"{self._address(SURVEY.name, SURVEY, link, now)}{picked}"

    def helpful(self, link: HelpfulLink, now: datetime) -> str:
        """Return the address where a message is said not to have helped."""
        return self._address(HELPFUL.name, HELPFUL, link, now)

    def preferences(self, link: PreferencesLink, now: datetime) -> str:
        """Return the address where messages are stopped."""
        return self._address(PREFERENCES.name, PREFERENCES, link, now)

    def unsubscribe_headers(self, link: PreferencesLink, now: datetime) -> Mapping[str, str]:
        """Return the headers with which a mail program unsubscribes by one click; DKIM must cover them."""
        address = self._address(UNSUBSCRIBE_PATH, PREFERENCES, link, now)
        return {
            "List-Unsubscribe": f"<{address}>",
            "List-Unsubscribe-Post": "=".join(ONE_CLICK),
        }

    def _address(self, path: str, purpose: Purpose[L], link: L, now: datetime) -> str:
        return f"{self.base_url}/{path}/{issue(purpose, link, self.secrets, now)}"
