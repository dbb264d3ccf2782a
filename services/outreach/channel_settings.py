"""What outreach reads from the environment about the channels beside mail, and the pace of each.

What is secret is in files: the environment of a process is seen by more eyes than a file is.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.contracts.people import Channel
from services.kit.settings import ClockSource, CommonSettings, FileUse
from services.outreach.channels.addresses import Network, networks_of
from services.outreach.channels.breaker import Patience

Pace = Annotated[float | None, Field(ge=0.001, le=1000)]
"""Messages a second; None: no limit of ours."""

_URL_FILE = (
    "File with one Apprise URL of the {} provider, `{{recipient}}` where {} goes; it is secret. "
    "Not set: nothing leaves by {}."
)
_LIKE = "must be like https://hooks.example.com/care"
_PACE = "At most so many {} a second leave this replica; not set: no limit."


class ChannelSettings(CommonSettings):
    """Settings of the channels beside mail, and of every channel's pace."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_prefix="CARE_OUTREACH_"
    )

    # Each check below sees the fields above its own.
    webhook_allowed_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description="Networks that a webhook may reach although they are not public, for example "
        "10.1.0.0/16,fd00::/8.",
    )
    webhook_plain_http: bool = Field(
        default=False, description="Whether http:// will do for a webhook in an allowed network."
    )
    webhook_secrets_file: Annotated[Path | None, FileUse.SECRET] = Field(
        default=None,
        description="File with the secrets that sign webhooks, one a line: `whsec_` and 24 to 64 bytes in "
        "base64. Each signs: to rotate, append one, and take the old one away when the receiver knows it.",
    )
    webhook_url: str | None = Field(
        default=None,
        description="Where webhooks are posted, https://...; not set: nothing leaves by webhook.",
        repr=False,
    )
    webhook_idempotent: bool = Field(
        default=False,
        description="Whether the receiver does nothing again for a webhook-id that comes again; only then "
        "is a webhook repeated that was not answered.",
    )
    sms_url_file: Annotated[Path | None, FileUse.SECRET] = Field(
        default=None, description=_URL_FILE.format("SMS", "the phone number", "SMS")
    )
    push_url_file: Annotated[Path | None, FileUse.SECRET] = Field(
        default=None, description=_URL_FILE.format("push", "the customer's push_id", "push")
    )
    chat_url_file: Annotated[Path | None, FileUse.SECRET] = Field(
        default=None, description=_URL_FILE.format("chat", "the customer's chat_id", "chat")
    )
    email_per_second: Pace = Field(default=None, description=_PACE.format("mails"))
    sms_per_second: Pace = Field(default=None, description=_PACE.format("SMS"))
    push_per_second: Pace = Field(default=None, description=_PACE.format("push messages"))
    chat_per_second: Pace = Field(default=None, description=_PACE.format("chat messages"))
    webhook_per_second: Pace = Field(default=None, description=_PACE.format("webhooks"))

    @field_validator("webhook_allowed_networks", mode="before")
    @classmethod
    def _are_networks(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        try:
            return networks_of(text for part in given.split(",") if (text := part.strip()))
        except ValueError:
            raise ValueError(
                "must be networks with no bits behind their mask, separated by commas, like "
                "10.1.0.0/16,fd00::/8"
            ) from None

    @field_validator("webhook_plain_http")
    @classmethod
    def _stays_within(cls, plain_http: bool, info: ValidationInfo) -> bool:
        if plain_http and info.data.get("webhook_allowed_networks") == ():
            raise ValueError(
                "http is for networks of your own: name them in CARE_OUTREACH_WEBHOOK_ALLOWED_NETWORKS"
            )
        return plain_http

    @field_validator("webhook_url")
    @classmethod
    def _can_be_called(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None:
            return url
        if info.data.get("clock") is ClockSource.TICKS:
            raise ValueError(
                "webhooks are not sent in simulated time, as the time they are signed with would be "
                "wrong: leave it out"
            )
        if "webhook_secrets_file" in info.data and info.data["webhook_secrets_file"] is None:
            raise ValueError("webhooks are signed: set CARE_OUTREACH_WEBHOOK_SECRETS_FILE too")
        _check(url, plain_http=info.data.get("webhook_plain_http", True))
        return url

    def patience(self, by: Channel) -> Patience:
        """Return what the provider of this channel is granted, and how fast it may be asked."""
        pace: float | None = getattr(self, f"{by.value}_per_second", None)
        return Patience() if pace is None else Patience(interval=timedelta(seconds=1 / pace))


def _check(text: str, *, plain_http: bool) -> None:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise ValueError(_LIKE) from None
    is_port = url.port is None or 0 < url.port < 65536
    if url.scheme not in ("https", "http") or not url.host or not is_port or url.fragment:
        raise ValueError(_LIKE)
    if url.userinfo:
        raise ValueError("must hold no user and password: webhooks are signed instead")
    if url.scheme == "http" and not plain_http:
        raise ValueError(
            "must begin with https://; for a network of your own see CARE_OUTREACH_WEBHOOK_PLAIN_HTTP"
        )
