"""Settings from the environment, one frozen model per service; never read below the entry point."""

import os
import sys
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AliasChoices, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.contracts.topics import DEFAULT_PARTITIONS
from services.kit.exits import EXIT_USAGE, leave

S = TypeVar("S", bound=BaseSettings)

DEPLOYMENT_VARIABLE = "CARE_DEPLOYMENT"
DEVELOPMENT = "dev"


class FileUse(Enum):
    """What is to be known of a file that a setting names; it stands beside the setting's type."""

    SECRET = "secret"  # noqa: S105 - a word, and no secret
    """Mount it from where secrets are kept."""
    REREAD = "read again"
    """What it says by then counts, without a restart; any other file is read at the start alone."""


class ClockSource(StrEnum):
    """Where a service takes the time from."""

    SYSTEM = "system"
    TICKS = "ticks"


class SecurityProtocol(StrEnum):
    """How Kafka is spoken to, by Kafka's own names."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_SSL = "SASL_SSL"


class SaslMechanism(StrEnum):
    """How a user shows Kafka its password without sending it."""

    SCRAM_SHA_512 = "SCRAM-SHA-512"
    SCRAM_SHA_256 = "SCRAM-SHA-256"


class KafkaSecurity(BaseSettings):
    """How every client of this process, a service's or a command's, shows Kafka who it is."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    deployment: str = Field(
        default="production",
        pattern=r"^(production|dev)$",
        validation_alias=AliasChoices(DEPLOYMENT_VARIABLE),
        description="`production`, or `dev`: nothing in it is worth protecting.",
    )
    kafka_security_protocol: SecurityProtocol = Field(
        default=SecurityProtocol.PLAINTEXT,
        validate_default=True,
        validation_alias=AliasChoices("KAFKA_SECURITY_PROTOCOL"),
        description="How Kafka is spoken to; PLAINTEXT is refused unless CARE_DEPLOYMENT=dev.",
    )
    kafka_sasl_mechanism: SaslMechanism = Field(
        default=SaslMechanism.SCRAM_SHA_512,
        validation_alias=AliasChoices("KAFKA_SASL_MECHANISM"),
        description="With SASL_SSL: how the password is shown.",
    )
    kafka_sasl_username: str | None = Field(
        default=None,
        validate_default=True,
        # Not quoted by every client: these two separate the parts of a SCRAM message.
        pattern=r"^[^,=]+$",
        validation_alias=AliasChoices("KAFKA_SASL_USERNAME"),
        description="With SASL_SSL: the Kafka user.",
    )
    kafka_sasl_password_file: Annotated[Path | None, FileUse.SECRET, FileUse.REREAD] = Field(
        default=None,
        validate_default=True,
        validation_alias=AliasChoices("KAFKA_SASL_PASSWORD_FILE"),
        description="With SASL_SSL: file with the user's password; each new connection shows what it holds "
        "by then.",
    )
    kafka_ssl_ca_file: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("KAFKA_SSL_CA_FILE"),
        description="PEM file of the authorities that may vouch for the brokers; none: the system's.",
    )
    kafka_ssl_certificate_file: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("KAFKA_SSL_CERTIFICATE_FILE"),
        description="PEM file of this client's own certificate, where the brokers ask for one.",
    )
    kafka_ssl_key_file: Annotated[Path | None, FileUse.SECRET] = Field(
        default=None,
        validate_default=True,
        validation_alias=AliasChoices("KAFKA_SSL_KEY_FILE"),
        description="PEM file of the key of KAFKA_SSL_CERTIFICATE_FILE.",
    )

    @property
    def is_for_development(self) -> bool:
        """Whether nothing in this deployment is worth protecting."""
        return self.deployment == DEVELOPMENT

    @field_validator("kafka_security_protocol")
    @classmethod
    def _is_not_in_the_clear(
        cls, found: SecurityProtocol, told: ValidationInfo
    ) -> SecurityProtocol:
        is_production = told.data.get("deployment") == "production"
        if found is SecurityProtocol.PLAINTEXT and is_production:
            raise ValueError(
                "PLAINTEXT is refused in production: set SASL_SSL or SSL, or CARE_DEPLOYMENT=dev where "
                "nothing is worth protecting"
            )
        return found

    @field_validator("kafka_sasl_username", "kafka_sasl_password_file")
    @classmethod
    def _is_told_with_sasl(
        cls, found: str | Path | None, told: ValidationInfo
    ) -> str | Path | None:
        if found is None and told.data.get("kafka_security_protocol") is SecurityProtocol.SASL_SSL:
            raise ValueError("needed with SASL_SSL")
        return found

    @field_validator("kafka_ssl_key_file")
    @classmethod
    def _belongs_to_a_certificate(cls, found: Path | None, told: ValidationInfo) -> Path | None:
        if (found is None) != (told.data.get("kafka_ssl_certificate_file") is None):
            raise ValueError("set it and KAFKA_SSL_CERTIFICATE_FILE, or neither")
        return found


class CommonSettings(KafkaSecurity):
    """What every service needs; a service adds its own with the prefix `CARE_<SERVICE>_`."""

    kafka_bootstrap_servers: str = Field(
        validation_alias=AliasChoices("KAFKA_BOOTSTRAP_SERVERS"),
        description="Comma-separated host:port of the Kafka brokers.",
    )
    topic_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]*$",
        validation_alias=AliasChoices("CARE_TOPIC_PREFIX"),
        description="Put before every topic name; one prefix per deployment on a shared cluster.",
    )
    partitions: int = Field(
        default=DEFAULT_PARTITIONS,
        ge=1,
        validation_alias=AliasChoices("CARE_PARTITIONS"),
        description="Partitions of every topic of this deployment.",
    )
    clock: ClockSource = Field(
        default=ClockSource.SYSTEM,
        validation_alias=AliasChoices("CARE_CLOCK"),
        description="`system`, or `ticks`: simulated time, taken from the ticks topic.",
    )
    log_format: str = Field(
        default="auto",
        pattern=r"^(auto|json|console)$",
        validation_alias=AliasChoices("CARE_LOG_FORMAT"),
        description="`json`, `console`, or `auto`: console on a terminal, JSON otherwise.",
    )
    log_level: str = Field(
        default="info",
        pattern=r"^(debug|info|warning|error)$",
        validation_alias=AliasChoices("CARE_LOG_LEVEL"),
        description="Least level that is logged.",
    )


def assume_development() -> None:
    """Say that nothing here is worth protecting, to this process and its children, unless told otherwise."""
    os.environ.setdefault(DEPLOYMENT_VARIABLE, DEVELOPMENT)


def load(settings: type[S]) -> S:
    """Return the settings; a missing or wrong one ends the process with its name and exit code 2."""
    try:
        return settings()
    except ValidationError as error:
        lines = [
            f"{_name(settings, item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        ]
        program = sys.argv[0].rsplit("/", 1)[-1]
        leave(f"{program}: wrong settings: " + "; ".join(lines), EXIT_USAGE)


def environment_names(settings: type[BaseSettings], field: str) -> str:
    """Return the environment variable that sets this field."""
    info = settings.model_fields[field]
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    if isinstance(alias, str):
        return alias
    return f"{settings.model_config.get('env_prefix', '')}{field}".upper()


def uses_of(settings: type[BaseSettings], field: str) -> frozenset[FileUse]:
    """Return what is said of the file that this field names; nothing where it names none."""
    metadata = settings.model_fields[field].metadata
    return frozenset(each for each in metadata if isinstance(each, FileUse))


def _name(settings: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    """Return what a person has to set; pydantic names a field by its alias only if it has one."""
    if not location:
        return "all together"
    field, *inside = (str(part) for part in location)
    named = environment_names(settings, field) if field in settings.model_fields else field
    return ".".join([named, *inside])
