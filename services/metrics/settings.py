"""Settings of the metrics service."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.kit.settings import CommonSettings


class Settings(CommonSettings):
    """What the metrics service needs to run."""

    model_config = SettingsConfigDict(env_prefix="CARE_METRICS_")

    host: str = Field(default="127.0.0.1", description="Address on which /metrics is served.")
    port: int = Field(
        default=0, ge=0, le=65535, description="Port of /metrics; 0 picks a free one and logs it."
    )
    address_file: Path | None = Field(
        default=None, description="File that gets the service's URL once it listens."
    )
    playbooks: tuple[str, ...] = Field(
        default=(
            "attempt_failed",
            "contact_unanswered",
            "delivery_at_risk",
            "delivery_correction",
            "delivery_exception",
            "delivery_late",
            "help_not_found",
            "lapse_risk",
            "payment_failed",
            "pickup_waiting",
            "refund_overdue",
            "survey_after_answer",
            "thanks_after_refund",
        ),
        description="JSON list of playbooks whose series exist before their first decision.",
    )
    lag_interval_seconds: float = Field(
        default=5.0, gt=0, description="Pause between two measurements of the services' lag."
    )
    snapshot_interval_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Pause between two snapshots of what was counted; a start repeats what came after "
        "the last. Longer by itself where writing one takes more than a twentieth of it.",
    )
