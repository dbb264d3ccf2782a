"""Settings of the pages, and the file of secrets: refused at the start, and never shown."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from services.contracts.people import Channel
from services.kit.exits import Unavailable
from services.outreach.pages.secret_file import SecretFile
from services.outreach.pages.settings import PagesSettings
from services.outreach.pages.tokens import PURPOSES
from services.outreach.serving import WebServer

OLD, NEW = "o" * 32, "n" * 40


def settings(**changes: Any) -> PagesSettings:
    known = {"base_url": "https://care.example.com", "secrets_file": "/nowhere"}
    return PagesSettings(**{**known, **changes})


def test_they_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARE_OUTREACH_PAGES_BASE_URL", "https://example.com/care/")
    monkeypatch.setenv("CARE_OUTREACH_PAGES_SECRETS_FILE", "/run/secrets/links")
    monkeypatch.setenv("CARE_OUTREACH_PAGES_CHANNELS", '["email", "sms"]')

    found = PagesSettings()

    assert found.base_url == "https://example.com/care"
    assert found.channels == (Channel.EMAIL, Channel.SMS)


@pytest.mark.parametrize(
    "url",
    [
        "http://care.example.com",
        "care.example.com",
        "ftp://care.example.com",
        "https://",
        "https://care.example.com/?a=1",
        "https://care.example.com/#a",
        "https://me@care.example.com",
        "",
    ],
)
def test_an_address_that_no_customer_should_open_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match=r"https://care\.example\.com"):
        settings(base_url=url)


def test_this_machine_needs_no_certificate() -> None:
    assert settings(base_url="http://127.0.0.1:8080").base_url == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "wrong",
    [{"survey_days": 0}, {"preferences_days": 30}, {"requests_per_minute": 1}, {"channels": ()}],
    ids=str,
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


def test_stopping_works_longest() -> None:
    lifetimes = {purpose.name: settings().lifetime(purpose) for purpose in PURPOSES}

    assert max(lifetimes, key=lambda name: lifetimes[name]) == "preferences"
    assert min(lifetimes.values()) >= timedelta(days=30)


def test_every_setting_is_explained() -> None:
    assert all(field.description for field in PagesSettings.model_fields.values())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "links"
    made.write_text(f"{OLD}\n", encoding="utf-8")
    return made


def test_a_secret_that_is_appended_signs_from_then_on(file: Path) -> None:
    secrets = SecretFile(file)
    assert secrets.current() == (OLD,)

    file.write_text(f"{OLD}\n\n {NEW} \n", encoding="utf-8")

    assert secrets.current() == (OLD, NEW)


def test_a_file_that_goes_wrong_later_changes_nothing(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = SecretFile(file)

    file.write_text("short", encoding="utf-8")
    assert secrets.current() == (OLD,)
    file.unlink()
    assert secrets.current() == (OLD,)

    said = capsys.readouterr().out
    assert "page_secrets_unreadable" in said
    assert OLD not in said


@pytest.mark.parametrize(
    "content", [b"", b"\n \n", b"short\n", f"{OLD}\nshort".encode(), b"\xff\xfe" * 40]
)
def test_a_file_without_good_secrets_is_refused_with_what_to_do(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "links"
    file.write_bytes(content)

    with pytest.raises(Unavailable, match="openssl rand -hex 32") as caught:
        SecretFile(file)

    assert "short" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="links cannot be read"):
        SecretFile(tmp_path / "links")


def test_an_address_that_is_taken_says_what_to_set() -> None:
    first = WebServer(FastAPI(), "127.0.0.1", 0, "CARE_OUTREACH_PAGES")
    with pytest.raises(Unavailable, match="CARE_OUTREACH_PAGES_PORT"):
        WebServer(FastAPI(), *first.address, "CARE_OUTREACH_PAGES")
    first.close()
