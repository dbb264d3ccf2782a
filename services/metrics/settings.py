"""Settings of the metrics service."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.contracts.envelope import TimeZone
from services.kit.settings import CommonSettings
from services.metrics.figures.business_hours import BusinessHours
from services.metrics.figures.service import ServiceRules
from services.metrics.state import Rules

WallTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
Weekday = Annotated[int, Field(ge=1, le=7)]


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
    snapshot_interval_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Pause between two snapshots of what was counted; a start repeats what came after "
        "the last. Longer by itself where writing one takes more than a twentieth of it.",
    )
    business_zone: TimeZone = Field(
        default="UTC", description="Zone of the desk's business hours, for example Europe/Berlin."
    )
    business_weekdays: tuple[Weekday, ...] = Field(
        default=(1, 2, 3, 4, 5),
        min_length=1,
        description="JSON list of the weekdays with business hours; 1 is Monday, 7 is Sunday.",
    )
    business_from: WallTime = Field(
        default="09:00", description="When business hours begin, on the desk's own clock."
    )
    business_to: WallTime = Field(
        default="17:00", description="When they end; 24:00 is the end of the day."
    )
    repeat_window_days: int = Field(
        default=7,
        ge=1,
        le=30,
        description="Days within which another contact about the same, or a reopening, shows that the first "
        "solved nothing.",
    )

    @model_validator(mode="after")
    def _hours_end_after_they_begin(self) -> Self:
        if _minutes(self.business_to) <= _minutes(self.business_from):
            raise ValueError("business_to must be later than business_from")
        return self

    @property
    def rules(self) -> Rules:
        """By what the deployment measures."""
        hours = BusinessHours(
            self.business_zone,
            self.business_weekdays,
            _minutes(self.business_from),
            _minutes(self.business_to),
        )
        return Rules(
            ServiceRules(hours, timedelta(days=self.repeat_window_days)),
            save=timedelta(days=self.save_days),
            trial=timedelta(days=self.trial_days),
        )


def _minutes(wall: str) -> int:
    hours, minutes = wall.split(":")
    return 60 * int(hours) + int(minutes)
