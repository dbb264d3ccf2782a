"""Settings: careful unless told otherwise, and refused where they make no sense."""

from datetime import time
from typing import Any

import pytest
from pydantic import ValidationError

from services.contracts.outreach import Mode
from services.kit.exits import Unavailable
from services.outreach.database import url_of
from services.outreach.settings import Settings


def settings(**changes: Any) -> Settings:
    known = {"database_url": "postgresql://a:s3cret@b/c", "kafka_bootstrap_servers": "d:1"}
    return Settings(**{**known, **changes})


def test_nothing_is_sent_unless_somebody_says_so() -> None:
    assert settings().mode is Mode.SHADOW


def test_the_shipped_quiet_hours_are_the_night() -> None:
    quiet = settings().policy().quiet_hours

    assert (quiet.start, quiet.end) == (time(20), time(8))


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_start": "08:00", "quiet_end": "08:00"},
        {"mode": "half"},
        {"default_time_zone": "Mars/Olympus"},
        {"from_address": "care@example.org\r\nBcc: all@example.org"},
        {"smtp_port": 0},
        {"smtp_timeout_seconds": 0},
        {"session_seconds": 1},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


def test_the_password_is_not_shown() -> None:
    assert "s3cret" not in repr(settings())


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_plain_postgresql_address_is_welcome(scheme: str) -> None:
    assert url_of(f"{scheme}://a:b@c:1/d").drivername == "postgresql+psycopg"


@pytest.mark.parametrize("wrong", ["mysql://a@b/c", "not a url", ""])
def test_any_other_database_is_refused_by_name_of_the_setting(wrong: str) -> None:
    with pytest.raises(Unavailable, match="DATABASE_URL"):
        url_of(wrong)
