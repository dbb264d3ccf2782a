"""What the customers' pages read from the environment."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.contracts.people import Channel
from services.kit.settings import FileUse, environment_names
from services.outreach.pages.tokens import HELPFUL, PREFERENCES, SURVEY, Purpose

PREFIX = "CARE_OUTREACH_PAGES"
_OWN_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


class PagesSettings(BaseSettings):
    """Settings of the customers' pages."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_prefix=f"{PREFIX}_"
    )

    base_url: str = Field(
        description="Where customers reach the pages, as it is written into messages, for example "
        "https://care.example.com; https, except on this machine."
    )
    secrets_file: Annotated[Path, FileUse.SECRET, FileUse.REREAD] = Field(
        description="File with the secrets that sign links, one a line of 32 characters or more. The last "
        "one signs, each is accepted: to rotate, append one, and take the first away when its links are old."
    )
    host: str = Field(
        default="127.0.0.1", description="Where the pages listen, behind a TLS proxy."
    )
    port: int = Field(default=0, ge=0, le=65535, description="Their port; 0 picks a free one.")
    company: str | None = Field(
        default=None,
        max_length=100,
        description="Who asks, as customers know it; on top of each page.",
    )
    survey_days: int = Field(
        default=30, ge=1, le=365, description="How long a survey can be answered and changed."
    )
    helpful_days: int = Field(
        default=90, ge=1, le=365, description="How long a message can be said not to have helped."
    )
    preferences_days: int = Field(
        default=400,
        ge=60,
        le=3650,
        description="How long messages can be stopped by a message's link; laws ask for 60 days and less.",
    )
    channels: tuple[Channel, ...] = Field(
        default=(Channel.EMAIL,),
        min_length=1,
        description="Channels that the page of preferences shows, as JSON; `stop everything` stops all.",
    )
    requests_per_minute: int = Field(
        default=30,
        ge=5,
        le=600,
        description="How often one link may be used in a minute, per process.",
    )
    body_timeout_seconds: float = Field(
        default=10.0, gt=0, le=60, description="How long a form may take to arrive."
    )

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (
            parts.scheme == "http" and parts.hostname in _OWN_MACHINE
        )
        if (
            not is_safe
            or not parts.hostname
            or parts.query
            or parts.fragment
            or "@" in parts.netloc
        ):
            raise ValueError("must be like https://care.example.com or https://example.com/care")
        return url.rstrip("/")

    def lifetime(self, purpose: Purpose[Any]) -> timedelta:
        """Return how long links of this purpose are taken."""
        days = {
            SURVEY.name: self.survey_days,
            HELPFUL.name: self.helpful_days,
            PREFERENCES.name: self.preferences_days,
        }
        return timedelta(days=days[purpose.name])


def wanted(environment: Mapping[str, str]) -> bool:
    """Return whether this environment says where customers reach the pages: else there are none."""
    return environment_names(PagesSettings, "base_url") in environment
