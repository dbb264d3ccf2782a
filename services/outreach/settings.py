"""What outreach reads from the environment."""

from datetime import time
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AliasChoices, Field, ValidationInfo, field_validator, model_validator

from services.contracts.envelope import TimeZone
from services.contracts.outreach import Mode
from services.contracts.people import MailAddress
from services.kit.settings import FileUse
from services.outreach.channel_settings import ChannelSettings
from services.outreach.quiet import QuietHours
from services.outreach.situation import Policy

_HERE = Path(__file__).parent
_ENCRYPT = "set CARE_OUTREACH_SMTP_STARTTLS or CARE_OUTREACH_SMTP_IMPLICIT_TLS to true"


class Settings(ChannelSettings):
    """Settings of the outreach service."""

    database_url: str = Field(
        validation_alias=AliasChoices("DATABASE_URL"),
        description="PostgreSQL, for example postgresql://user@host:5432/care; postgresql:///?service=care "
        "takes host, user and password from the file that PGSERVICEFILE names.",
        repr=False,
    )
    host: str = Field(default="127.0.0.1", description="Where /metrics, /livez and /readyz listen.")
    port: int = Field(default=0, ge=0, le=65535, description="Their port; 0 picks a free one.")
    address_file: Path | None = Field(
        default=None, description="Gets `http://host:port` once the service listens."
    )
    session_seconds: int = Field(
        default=10,
        ge=6,
        le=300,
        description="A replica not heard of for so long loses its partitions to the others.",
    )
    mode: Mode = Field(
        default=Mode.SHADOW,
        description="`shadow`: decide and record, send nothing; `limited`: send to listed customers alone; "
        "`live`: send what live playbooks say.",
    )
    limited_to_file: Annotated[Path | None, FileUse.REREAD] = Field(
        default=None,
        description="File with the ids of the customers who are written to where a mode is `limited`, one a "
        "line; read again when it changes.",
    )
    contacts_patience_seconds: float = Field(
        default=30,
        ge=0,
        le=3600,
        description="Sends of a partition wait while something that customers said is unread, until that "
        "has been so for longer than this; 0: they never wait.",
    )
    smtp_host: str = Field(default="127.0.0.1", description="Mail server.")
    smtp_port: int = Field(default=25, ge=1, le=65535, description="Its port.")
    # Each check below sees the fields above its own.
    smtp_starttls: bool = Field(
        default=False,
        description="Whether to insist on STARTTLS with a valid certificate, as is usual on port 587.",
    )
    smtp_implicit_tls: bool = Field(
        default=False,
        description="Whether it is TLS from the first byte, with a valid certificate, as is usual on port "
        "465; in place of STARTTLS.",
    )
    smtp_ca_file: Annotated[Path | None, FileUse.REREAD] = Field(
        default=None,
        description="PEM file of the authorities that may vouch for the mail server; none: the system's.",
    )
    smtp_username: str | None = Field(
        default=None,
        # Printable ASCII: what AUTH PLAIN and LOGIN carry to every server alike.
        pattern=r"^[!-~]+$",
        description="User to log in as, by AUTH PLAIN or LOGIN; not set: nobody logs in.",
    )
    smtp_password_file: Annotated[Path | None, FileUse.SECRET, FileUse.REREAD] = Field(
        default=None,
        validate_default=True,
        description="File with the user's password; each new connection shows what it holds by then. It is "
        "refused without TLS unless CARE_DEPLOYMENT=dev.",
    )
    smtp_timeout_seconds: float = Field(
        default=30, gt=0, le=120, description="Longest silence of the mail server, in seconds."
    )
    from_address: MailAddress = Field(
        default="care@example.com",
        description="Sender of every mail; replies should reach a person.",
    )
    default_time_zone: TimeZone = Field(
        default="UTC",
        description="Zone of customers of whom neither zone, country nor region is known.",
    )
    quiet_start: time = Field(
        default=time(20), description="From this time on the customer's clock nobody is disturbed."
    )
    quiet_end: time = Field(default=time(8), description="Until this time; may be past midnight.")
    suppression_key_file: Annotated[Path | None, FileUse.SECRET] = Field(
        default=None,
        description="File with the keys of the hashes that are left of who was erased, one a line of 32 "
        "characters or more; the last one is used, each is known again. Needed as soon as anybody is "
        "erased, and the same for every replica and for the predictor.",
    )
    playbooks: Path = Field(
        default=_HERE / "playbooks", description="Folder of the playbooks, *.yaml."
    )
    templates: Path = Field(default=_HERE / "templates", description="Folder of the templates.")

    @field_validator("smtp_implicit_tls")
    @classmethod
    def _begins_in_one_way(cls, implicit: bool, info: ValidationInfo) -> bool:
        if implicit and info.data.get("smtp_starttls"):
            raise ValueError(
                "a connection is TLS from its first byte or by STARTTLS: set this or "
                "CARE_OUTREACH_SMTP_STARTTLS to true, not both"
            )
        return implicit

    @field_validator("smtp_ca_file")
    @classmethod
    def _vouches_for_somebody(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if file is not None and not _is_encrypted(info):
            raise ValueError(f"without TLS nobody's certificate is looked at: {_ENCRYPT} too")
        return file

    @field_validator("smtp_password_file")
    @classmethod
    def _belongs_to_a_user(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        is_told = "smtp_username" in info.data
        if is_told and (file is None) != (info.data["smtp_username"] is None):
            raise ValueError("set it and CARE_OUTREACH_SMTP_USERNAME, or neither")
        return file

    @field_validator("smtp_password_file")
    @classmethod
    def _is_not_shown_in_the_clear(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        is_production = info.data.get("deployment") == "production"
        if file is not None and is_production and not _is_encrypted(info):
            raise ValueError(
                f"a password in the clear is refused in production: {_ENCRYPT}, or CARE_DEPLOYMENT=dev "
                "where nothing is worth protecting"
            )
        return file

    @model_validator(mode="after")
    def _quiet_hours_end(self) -> Self:
        self.policy()
        return self

    def policy(self) -> Policy:
        """Return the policy these settings describe."""
        return Policy(
            quiet_hours=QuietHours(self.quiet_start, self.quiet_end),
            default_zone=ZoneInfo(self.default_time_zone),
        )


def _is_encrypted(info: ValidationInfo) -> bool:
    """Return whether mail leaves over TLS; a setting that is wrong itself is told, and nothing by it."""
    told: dict[str, Any] = info.data
    return bool(told.get("smtp_starttls", True) or told.get("smtp_implicit_tls", True))
