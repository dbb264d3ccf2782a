"""Settings: careful unless told otherwise, and refused where they make no sense."""

from datetime import time
from typing import Any

import pytest
from pydantic import ValidationError

from services.contracts.outreach import Mode
from services.kit.exits import Unavailable
from services.kit.settings import environment_names, load
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


STARTTLS, IMPLICIT = {"smtp_starttls": True}, {"smtp_implicit_tls": True}
LOGIN = {"smtp_username": "care", "smtp_password_file": "/run/password"}


@pytest.mark.parametrize(
    ("wrong", "setting", "said"),
    [
        ({**STARTTLS, **IMPLICIT}, "SMTP_IMPLICIT_TLS", "not both"),
        ({"smtp_ca_file": "/ca.crt"}, "SMTP_CA_FILE", "SMTP_STARTTLS or CARE_OUTREACH_SMTP_IMPLICIT_TLS"),
        ({**STARTTLS, "smtp_username": "care"}, "SMTP_PASSWORD_FILE", "SMTP_USERNAME, or neither"),
        ({**STARTTLS, "smtp_password_file": "/p"}, "SMTP_PASSWORD_FILE", "SMTP_USERNAME, or neither"),
        (LOGIN, "SMTP_PASSWORD_FILE", "in the clear is refused in production"),
        ({**LOGIN, **STARTTLS, "smtp_username": "käthe"}, "SMTP_USERNAME", "pattern"),
        ({**LOGIN, **STARTTLS, "smtp_username": "care\r\nRSET"}, "SMTP_USERNAME", "pattern"),
        ({**LOGIN, **STARTTLS, "smtp_username": ""}, "SMTP_USERNAME", "pattern"),
        ({**LOGIN, "smtp_starttls": "perhaps"}, "SMTP_STARTTLS", "boolean"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_about_the_mail_server_ends_the_start_with_what_to_do(
    wrong: dict[str, Any],
    setting: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CARE_DEPLOYMENT", "production")
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SSL")
    told = {"database_url": "postgresql:///c", "kafka_bootstrap_servers": "d:1", **wrong}
    names = {environment_names(Settings, field): str(value) for field, value in told.items()}
    for name, value in names.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        load(Settings)

    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert f"wrong settings: CARE_OUTREACH_{setting}: " in line
    assert said in line
    # One fault, told once, and not what follows from it.
    assert ";" not in line


@pytest.mark.parametrize("encrypted", [STARTTLS, IMPLICIT])
def test_over_either_tls_a_password_may_be_shown(
    encrypted: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARE_DEPLOYMENT", "production")
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SSL")

    assert settings(**LOGIN, **encrypted, smtp_ca_file="/ca.crt").smtp_username == "care"


def test_in_the_clear_it_may_where_nothing_is_worth_protecting() -> None:
    assert settings(**LOGIN, deployment="dev").smtp_username == "care"


def test_the_password_is_not_shown() -> None:
    assert "s3cret" not in repr(settings())


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_plain_postgresql_address_is_welcome(scheme: str) -> None:
    assert url_of(f"{scheme}://a:b@c:1/d").drivername == "postgresql+psycopg"


@pytest.mark.parametrize("wrong", ["mysql://a@b/c", "not a url", ""])
def test_any_other_database_is_refused_by_name_of_the_setting(wrong: str) -> None:
    with pytest.raises(Unavailable, match="DATABASE_URL"):
        url_of(wrong)
