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
    save_days: int = Field(
        default=30,
        ge=1,
        le=60,
        description="Days within which a purchase saves a customer at the risk of a lapse.",
    )
    trial_days: int = Field(
        default=14,
        ge=1,
        le=60,
        description="Days within which a complaint counts in a playbook's trial.",
    )
    lag_interval_seconds: float = Field(
        default=5.0, gt=0, description="Pause between two measurements of the services' lag."
    )
