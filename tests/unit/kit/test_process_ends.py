"""Clocks, exits, settings and logs: how a service begins and how it ends."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import SettingsConfigDict

from services.kit import address_file, exits, settings
from services.kit.clock import SystemClock, epoch_seconds, monotonic
from services.kit.exits import Unavailable
from services.kit.settings import ClockSource, CommonSettings

MINUTE = timedelta(minutes=1)


class OfTest(CommonSettings):
    """Settings of a service that does not exist."""

    model_config = SettingsConfigDict(env_prefix="CARE_TEST_")

    port: int = Field(default=0, ge=0, description="Where it listens.")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a process that was given nothing, but that nothing is worth protecting."""
    for name in list(os.environ):
        if name.startswith(("CARE_", "KAFKA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv(settings.DEPLOYMENT_VARIABLE, settings.DEVELOPMENT)


def test_the_system_clock_tells_the_machines_time_with_its_zone() -> None:
    now = SystemClock().now()

    assert now.utcoffset() == timedelta(0)
    assert abs(now.timestamp() - epoch_seconds()) < MINUTE.total_seconds()


def test_durations_never_run_backwards() -> None:
    assert monotonic() <= monotonic()


def code_of(main: Callable[[], None]) -> int | str | None:
    """Return the exit code with which this main ends."""
    with pytest.raises(SystemExit) as ended:
        exits.run(main)
    return ended.value.code


def raising(error: BaseException) -> Callable[[], None]:
    """Return a main that fails."""

    def main() -> None:
        raise error

    return main


def test_a_main_that_returns_has_drained() -> None:
    exits.run(lambda: None)


def test_something_missing_is_one_line_and_75(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(raising(Unavailable("start Kafka first"))) == 75
    assert capsys.readouterr().err == "start Kafka first\n"


def test_an_error_inside_is_told_with_its_traceback_and_70(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert code_of(raising(RuntimeError("unheard of"))) == 70
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "RuntimeError: unheard of" in error


def test_ctrl_c_is_a_wish_not_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(raising(KeyboardInterrupt())) == 0
    assert capsys.readouterr().err == ""


def test_settings_come_from_the_environment_and_cannot_be_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "a:1,b:2")
    monkeypatch.setenv("CARE_PARTITIONS", "4")
    monkeypatch.setenv("CARE_CLOCK", "ticks")
    monkeypatch.setenv("CARE_TEST_PORT", "8080")

    found = settings.load(OfTest)

    assert (found.kafka_bootstrap_servers, found.partitions, found.clock, found.port) == (
        "a:1,b:2",
        4,
        ClockSource.TICKS,
        8080,
    )
    with pytest.raises(ValidationError):
        found.port = 1  # type: ignore[misc]


def test_each_missing_or_wrong_setting_is_named_as_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CARE_PARTITIONS", "0")
    monkeypatch.setenv("CARE_TOPIC_PREFIX", "acme_")
    monkeypatch.setenv("CARE_TEST_PORT", "-1")

    with pytest.raises(SystemExit) as ended:
        settings.load(OfTest)

    line = capsys.readouterr().err
    assert ended.value.code == 2
    assert line.count("\n") == 1
    for name in (
        "KAFKA_BOOTSTRAP_SERVERS",
        "CARE_PARTITIONS",
        "CARE_TOPIC_PREFIX",
        "CARE_TEST_PORT",
    ):
        assert f"{name}: " in line


def test_settings_that_do_not_go_together_are_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Torn(CommonSettings):
        @model_validator(mode="after")
        def _refuse(self) -> Self:
            raise ValueError("a limit without a list")

    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "a:1")
    with pytest.raises(SystemExit):
        settings.load(Torn)

    assert "all together: a limit without a list\n" in capsys.readouterr().err


def test_a_setting_knows_its_name_in_the_environment() -> None:
    assert settings.environment_names(OfTest, "port") == "CARE_TEST_PORT"
    assert settings.environment_names(OfTest, "partitions") == "CARE_PARTITIONS"


def logged(log_format: str, level: str = "info") -> str:
    """Return what a process prints that logs one line and one below its level."""
    code = (
        "from services.kit import logs\n"
        "log = logs.get('services.test')\n"  # before set_up, as at the import of a module
        f"logs.set_up('test', {log_format!r}, {level!r})\n"
        "log.debug('unheard')\n"
        "log.info('handled', topic='contacts', offset=7)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout


def test_a_log_line_is_one_json_object_with_its_service_and_where_it_comes_from() -> None:
    (line,) = logged("auto").splitlines()
    found = json.loads(line)

    assert found.pop("timestamp").endswith("Z")
    assert "services.test" in found.values()
    assert found.items() >= {
        ("event", "handled"),
        ("service", "test"),
        ("level", "info"),
        ("topic", "contacts"),
        ("offset", 7),
    }


def test_people_get_text_and_what_is_below_the_level_is_not_logged() -> None:
    assert "handled" in logged("console")
    assert "{" not in logged("console")
    assert logged("json", "warning") == ""


def test_the_address_is_in_its_file_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "address"
    path.write_text("http://127.0.0.1:1\n")

    assert address_file.write(path, "127.0.0.1", 8080) == "http://127.0.0.1:8080"
    assert path.read_text() == "http://127.0.0.1:8080\n"
    assert list(tmp_path.iterdir()) == [path]


def test_without_a_file_the_address_is_only_told() -> None:
    assert address_file.write(None, "127.0.0.1", 8080) == "http://127.0.0.1:8080"
