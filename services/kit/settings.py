"""Settings from the environment, one frozen model per service; never read below the entry point."""

import sys
from enum import StrEnum
from typing import TypeVar

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.contracts.topics import DEFAULT_PARTITIONS
from services.kit.exits import EXIT_USAGE, leave

S = TypeVar("S", bound=BaseSettings)


class ClockSource(StrEnum):
    """Where a service takes the time from."""

    SYSTEM = "system"
    TICKS = "ticks"


class CommonSettings(BaseSettings):
    """What every service needs; a service adds its own with the prefix `CARE_<SERVICE>_`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

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


def load(settings: type[S]) -> S:
    """Return the settings; a missing or wrong one ends the process with its name and exit code 2."""
    try:
        return settings()
    except ValidationError as error:
        lines = [f"{_name(settings, item['loc'])}: {item['msg']}" for item in error.errors()]
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


def _name(settings: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    """Return what a person has to set; pydantic names a field by its alias only if it has one."""
    if not location:
        return "all together"
    field, *inside = (str(part) for part in location)
    named = environment_names(settings, field) if field in settings.model_fields else field
    return ".".join([named, *inside])
