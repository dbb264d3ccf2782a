"""What a deployment may say of its desk, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.metrics.figures.business_hours import BusinessHours
from services.metrics.figures.service import ServiceRules
from services.metrics.settings import Settings


def settings(**given: Any) -> Settings:
    return Settings(kafka_bootstrap_servers="localhost:1", **given)


def test_without_a_word_the_desk_answers_on_weekdays_from_nine_to_five() -> None:
    assert settings().rules.service == ServiceRules()


def test_the_desks_hours_and_window_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ZONE": "Europe/Berlin",
        "WEEKDAYS": "[1, 6]",
        "FROM": "08:30",
        "TO": "24:00",
    }.items():
        monkeypatch.setenv(f"CARE_METRICS_BUSINESS_{name}", value)
    monkeypatch.setenv("CARE_METRICS_REPEAT_WINDOW_DAYS", "14")

    hours = BusinessHours("Europe/Berlin", (1, 6), 8 * 60 + 30, 24 * 60)
    assert settings().rules.service == ServiceRules(hours, timedelta(days=14))


@pytest.mark.parametrize(
    "wrong",
    [
        {"business_zone": "Berlin"},
        {"business_weekdays": ()},
        {"business_weekdays": (0,)},
        {"business_from": "9:00"},
        {"business_to": "24:30"},
        {"business_from": "17:00", "business_to": "09:00"},
        {"business_from": "09:00", "business_to": "09:00"},
        {"repeat_window_days": 0},
        {"repeat_window_days": 31},
    ],
)
def test_hours_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)
