"""`care run` starts a service and tells its settings."""

import sys
from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

import services
from services.cli import run as cli
from services.cli.run import SERVICES, run
from services.kit.exits import Unavailable


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CARE_PAINTER_")

    server: str = Field(validation_alias=AliasChoices("SERVER"), description="Where.")
    plain: str = Field(default="", validation_alias="PLAIN")
    colour: Colour = Field(default=Colour.RED, description="Which.")
    brush: Path | None = None
    shipped: Path = Path(services.__file__).parent / "models" / "x.json"


def help_of(settings: type[BaseSettings], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(cli, "_module", lambda *_: SimpleNamespace(Settings=settings))
    shown = CliRunner().invoke(run, ["ingest", "--help"], terminal_width=200)
    assert shown.exit_code == 0
    return " ".join(shown.output.split())


def test_help_tells_name_type_default_and_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = help_of(Settings, monkeypatch)

    assert "SERVER Where. [str; required]" in shown
    assert "PLAIN [str; default: none]" in shown
    assert "CARE_PAINTER_COLOUR Which. [red|blue; default: red]" in shown
    assert "CARE_PAINTER_BRUSH [Path; default: none]" in shown
    assert "CARE_PAINTER_SHIPPED [Path; default: the shipped models/x.json]" in shown


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_tells_its_settings(service: str) -> None:
    shown = CliRunner().invoke(run, [service, "--help"])

    assert shown.exit_code == 0
    assert "KAFKA_BOOTSTRAP_SERVERS" in shown.output


def test_a_service_runs_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["care", "run", "ingest"])
    called: list[list[str]] = []
    module = SimpleNamespace(main=lambda: called.append(sys.argv))
    monkeypatch.setattr(cli, "_module", lambda *_: module)

    assert CliRunner().invoke(run, ["ingest"]).exit_code == 0
    assert called == [["care run ingest"]]


def test_a_service_that_lacks_something_ends_with_75(monkeypatch: pytest.MonkeyPatch) -> None:
    def main() -> None:
        raise Unavailable("topics are missing: make them")

    monkeypatch.setattr(sys, "argv", ["care", "run", "ingest"])
    monkeypatch.setattr(cli, "_module", lambda *_: SimpleNamespace(main=main))
    shown = CliRunner().invoke(run, ["ingest"])

    assert shown.exit_code == 75
    assert shown.stderr == "topics are missing: make them\n"
