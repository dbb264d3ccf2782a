"""The reference of settings says what the models say, of every setting that is read or deployed."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.kubernetes.inspection.programs import PROGRAMS
from deploy.kubernetes.rendering import combined
from deploy.settings import page
from deploy.settings.__main__ import main
from services.cli.run import SERVICES
from services.kit.settings import environment_names
from tests.deploy.kubernetes.changes import everything
from tests.deploy.test_compose import RUN, environment

PAGE = page.PAGE.read_text(encoding="utf-8")


def row(setting: str) -> str:
    """Return what the page says of a setting; it says it once."""
    (found,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{setting}` |")]
    return found


def test_the_committed_page_is_the_models() -> None:
    assert page.drift() == []


def test_drift_is_found_and_writing_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "settings.md")

    before = CliRunner().invoke(main, ["check"])
    assert before.exit_code == 1
    assert "settings.md: not what the settings say" in before.output
    assert CliRunner().invoke(main, ["write"]).exit_code == 0
    assert CliRunner().invoke(main, ["check"]).exit_code == 0


class Silent(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CARE_SILENT_")

    said: int = Field(default=1, description="What it is.")
    unsaid: int = 1


def test_a_setting_of_which_nothing_is_said_is_named() -> None:
    assert page.undescribed([page.Section("silent", "", Silent)]) == ["CARE_SILENT_UNSAID"]


def test_every_setting_of_every_program_has_one_row() -> None:
    for program in PROGRAMS.values():
        for name in program.known - program.beside:
            assert row(name)
    read = {section.settings.__module__.split(".")[1] for section in page.SECTIONS}
    assert read == {*SERVICES, "kit"}


def test_what_is_deployed_is_told() -> None:
    told = set[str]()
    for manifests in (everything(), combined("dev")):
        told = told.union(*(manifests.environment(each) for each in manifests.ours()))
    told = told.union(*(environment(name) for name in RUN))

    assert len(told) > 30
    for name in told:
        assert f"| `{name}` |" in PAGE, name


def test_what_a_setting_may_be_is_told() -> None:
    assert "| whole number, 0 to 65,535 | `0` |" in row("CARE_INGEST_PORT")
    assert "| number, more than 1 | `10` |" in row("CARE_CHURN_PREDICTOR_SESSION_SECONDS")
    assert "| `shadow`, `limited`, `live` | `shadow` |" in row("CARE_OUTREACH_MODE")
    assert "| `production`, `dev` | `production` |" in row("CARE_DEPLOYMENT")
    assert "| list, separated by commas | |" in row("CARE_OUTREACH_WEBHOOK_ALLOWED_NETWORKS")
    assert "| time of day | `20:00` |" in row("CARE_OUTREACH_QUIET_START")
    assert "| text | **needed** |" in row("KAFKA_BOOTSTRAP_SERVERS")
    assert "`care topics apply`" in row("CARE_REPLICATION")


def test_it_is_the_same_page_wherever_it_is_made() -> None:
    assert "the shipped `outreach/playbooks`" in row("CARE_OUTREACH_PLAYBOOKS")
    assert "`care-churn-predictor-<user's number>`" in row("CARE_CHURN_PREDICTOR_FOLDER")
    assert str(Path(__file__).parents[2]) not in PAGE


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("KAFKA_SASL_PASSWORD_FILE", "*secret*, *read again* |"),
        ("CARE_OUTREACH_LIMITED_TO_FILE", "changes. *read again* |"),
        ("CARE_OUTREACH_SUPPRESSION_KEY_FILE", "*secret* |"),
        ("KAFKA_SSL_CA_FILE", "the system's. |"),
    ],
)
def test_what_becomes_of_a_file_is_told(setting: str, words: str) -> None:
    assert row(setting).endswith(words)


def test_files_with_secrets_are_those_the_manifests_mount_from_secrets() -> None:
    for workload in everything().ours():
        program = PROGRAMS[tuple(workload.container["args"])]
        told = everything().environment(workload)
        assert "KAFKA_SSL_CA_FILE" not in program.secrets
        assert {
            name
            for name in told
            if name.endswith(("PASSWORD_FILE", "KEYS_FILE", "KEY_FILE", "SECRETS_FILE"))
        } <= program.secrets


def test_a_variable_is_called_as_its_service_calls_it() -> None:
    for section in page.SECTIONS:
        for name in section.fields:
            assert row(environment_names(section.settings, name))
