"""What the API reads from the environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.kit.settings import FileUse, environment_names

PREFIX = "CARE_OUTREACH_API"


class ApiSettings(BaseSettings):
    """Settings of the API for the desk."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_prefix=f"{PREFIX}_"
    )

    port: int = Field(
        ge=0, le=65535, description="The API's port; 0 picks a free one.  Not set: there is no API."
    )
    keys_file: Annotated[Path, FileUse.SECRET, FileUse.REREAD] = Field(
        description="File with the hashes of the API's keys, made with `care keys create`; read again when "
        "it changes."
    )
    host: str = Field(default="127.0.0.1", description="Where the API listens, behind a TLS proxy.")
    body_timeout_seconds: float = Field(
        default=10.0, gt=0, le=60, description="How long a request's body may take to arrive."
    )


def wanted(environment: Mapping[str, str]) -> bool:
    """Return whether this environment says where the API listens: else there is none."""
    return environment_names(ApiSettings, "port") in environment
