"""What every process tells of itself."""

from importlib import metadata

import pytest

from services.kit import process_metrics
from services.kit.process_metrics import process_registry
from tests.support.series import OF_EVERY_PROCESS, service_of, shown


def test_a_process_tells_its_use_of_the_machine_and_which_code_runs() -> None:
    registry = process_registry("ingest")

    assert set(shown(registry)) >= OF_EVERY_PROCESS
    assert service_of(registry) == {"ingest"}
    version = {"service": "ingest", "version": metadata.version("proactive-care")}
    assert registry.get_sample_value("care_build_info", version) == 1


def test_code_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_metrics, "_PACKAGE", "nobody-installs-this")

    assert process_metrics.running_version() == "unknown"


def test_two_processes_in_one_test_do_not_share_a_registry() -> None:
    assert process_registry("ingest") is not process_registry("ingest")
