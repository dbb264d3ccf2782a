"""Settings of ingest, from the environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.ingest.reading import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from services.kit.settings import CommonSettings


class Settings(CommonSettings):
    """What ingest can be told."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_prefix="CARE_INGEST_"
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=0, ge=0, le=65535, description="Port to listen on; 0: a free one, told in the log."
    )
    address_file: Path | None = Field(
        default=None, description="Where to write http://host:port once it listens."
    )
    max_in_flight_records: int = Field(
        default=10_000,
        ge=MAX_BATCH_EVENTS,
        description="Records sent and not yet acknowledged; beyond it publishers get 503.",
    )
    max_in_flight_bytes: int = Field(
        default=16 * 1024 * 1024,
        # A body and the records made of it are held side by side for a moment.
        ge=4 * MAX_BATCH_BYTES,
        description="Bytes of bodies being read and of records not yet acknowledged, together.",
    )
    acknowledgement_timeout_seconds: float = Field(
        default=10.0,
        gt=0,
        le=120,
        description="How long to wait for the broker before an event's outcome counts as unknown; "
        "the record stays under way and may still be written.",
    )
    body_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long a request's body may take to arrive."
    )
    retry_after_seconds: int = Field(
        default=1, ge=1, description="What `retry-after` says with a 503."
    )
    drain_delay_seconds: float = Field(
        default=0.0,
        ge=0,
        description="After SIGTERM: how long it is not ready but still serves, so that whoever "
        "routes requests here can stop doing so.",
    )
