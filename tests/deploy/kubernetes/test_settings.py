"""Environment ↔ settings, each way in which they can differ."""

from typing import Any

import pytest

from deploy.kubernetes.inspection import settings
from deploy.kubernetes.inspection.objects import Manifests
from deploy.kubernetes.inspection.programs import PROGRAMS
from tests.deploy.kubernetes.changes import (
    changed,
    config,
    container,
    environment,
    everything,
    pod,
)

INGEST = ("Deployment", "ingest")
OUTREACH = ("Deployment", "outreach")
TOOLS = ("Deployment", "tools")
KEYS = "CARE_INGEST_API_KEYS_FILE"


def told(name: str, **values: str) -> Any:
    return lambda m: config(m, name).update(values)


def added(variable: str, value: str) -> Any:
    return lambda m: container(m, *INGEST)["env"].append({"name": variable, "value": value})


def untold(name: str, variable: str) -> Any:
    return lambda m: config(m, name).pop(variable)


def no_database(m: Manifests) -> None:
    env = container(m, *OUTREACH)["env"]
    env.remove(environment(m, *OUTREACH, "DATABASE_URL"))


def tools_without(variable: str) -> Any:
    return lambda m: container(m, *TOOLS)["env"].remove(environment(m, *TOOLS, variable))


def tools_told(m: Manifests) -> None:
    container(m, *TOOLS)["env"].append({"name": "CARE_OUTREACH_MODE", "value": "live"})


def unmounted(m: Manifests) -> None:
    container(m, *TOOLS)["volumeMounts"].pop(3)


def optional(volume: str, *, is_optional: bool) -> Any:
    def change(m: Manifests) -> None:
        found = next(each for each in pod(m, *TOOLS)["volumes"] if each["name"] == volume)
        found["secret"]["optional"] = is_optional

    return change


def other_command(m: Manifests) -> None:
    container(m, *INGEST)["args"] = ["run", "nobody"]


def other_config(m: Manifests) -> None:
    container(m, *INGEST)["envFrom"].append({"configMapRef": {"name": "absent"}})


def elsewhere(m: Manifests) -> None:
    environment(m, *INGEST, KEYS)["value"] = "/etc/other/api-keys.json"


def in_the_open(m: Manifests) -> None:
    keys = next(each for each in pod(m, *INGEST)["volumes"] if each["name"] == "api-keys")
    del keys["secret"]
    keys["configMap"] = {"name": "keys"}


def unnamed_secret(m: Manifests) -> None:
    pod(m, *INGEST)["volumes"].append({"name": "more", "secret": {"secretName": "more"}})


def other_port(m: Manifests) -> None:
    container(m, *INGEST)["ports"][0]["containerPort"] = 8001


def pages_unopened(m: Manifests) -> None:
    container(m, *OUTREACH)["env"].remove(environment(m, *OUTREACH, "CARE_OUTREACH_PAGES_PORT"))


BROKEN = [
    (told("ingest", CARE_INGEST_PROT="8000"), "Deployment ingest: does not read CARE_INGEST_PROT"),
    (added("CARE_METRICS_PORT", "8000"), "Deployment ingest: does not read CARE_METRICS_PORT"),
    (told("care", CARE_TOPIC_PERFIX="x"), "nobody reads CARE_TOPIC_PERFIX"),
    (untold("care", "KAFKA_BOOTSTRAP_SERVERS"), "StatefulSet churn-predictor: needs KAFKA_BOOTSTRAP_SERVERS"),
    (no_database, "Deployment outreach: needs DATABASE_URL"),
    (told("ingest", CARE_INGEST_PORT="eight"), "Deployment ingest: does not take port"),
    (told("outreach", CARE_OUTREACH_MODE="loud"), "Deployment outreach: does not take mode"),
    (told("outreach", CARE_OUTREACH_PAGES_BASE_URL="http://care.example.com"), "does not take base_url"),
    (told("metrics", CARE_METRICS_HOST="127.0.0.1"), "CARE_METRICS_HOST lets nobody in"),
    (other_command, "Deployment ingest: runs what is not known"),
    (other_config, "ConfigMap 'absent' is not there"),
    (elsewhere, f"{KEYS} names /etc/other/api-keys.json, where nothing is mounted"),
    (in_the_open, f"{KEYS} names what is secret, and /etc/care/api-keys/api-keys.json is in no secret"),
    (unnamed_secret, "secret more is mounted and no setting names it"),
    (told("care", KAFKA_SECURITY_PROTOCOL="PLAINTEXT"), "does not take KAFKA_SECURITY_PROTOCOL"),
    (tools_without("DATABASE_URL"), "Deployment tools: needs DATABASE_URL"),
    (tools_without("PGSERVICEFILE"), "secret outreach-database is mounted and no setting names it"),
    (tools_told, "Deployment tools: does not read CARE_OUTREACH_MODE"),
    (unmounted, "tools: PGSERVICEFILE names /etc/care/database/pg_service.conf, where nothing is mounted"),
    (optional("kafka-user", is_optional=True), "secret care-operator may be missing, and a setting names it"),
    (optional("kafka-mover", is_optional=False), "secret care-mover is mounted and no setting names it"),
    (other_port, "port http is 8001, and the settings say 8000"),
    (pages_unopened, "port pages is opened, and no setting says so"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "fault"), BROKEN, ids=[fault for _, fault in BROKEN])
def test_each_difference_is_told(change: Any, fault: str) -> None:
    found = list(settings.faults(changed(change)))

    assert any(fault in each for each in found), found


def test_where_spans_go_may_be_told_to_all_or_to_one() -> None:
    def told_to_both(m: Manifests) -> None:
        config(m, "care")["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://collector:4318"
        config(m, "ingest")["OTEL_SERVICE_NAME"] = "door"

    assert list(settings.faults(changed(told_to_both))) == []


def test_the_predictors_folder_may_be_the_volume_itself() -> None:
    assert list(settings.faults(everything())) == []
    assert "CARE_CHURN_PREDICTOR_FOLDER" in PROGRAMS["run", "churn_predictor"].paths


def test_secrets_are_known_by_the_files_that_settings_name() -> None:
    assert ("ingest-api-keys", "api-keys.json") in settings.secrets(
        everything(), settings.is_of_ours
    )


def test_tools_read_what_their_commands_need() -> None:
    tools = PROGRAMS["-m", "services.cli.waiting"]

    assert tools.required({}) == {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"}
    assert {"CARE_PARTITIONS", "CARE_TOPIC_PREFIX", "CARE_CLOCK"} <= tools.known


def test_parts_of_outreach_that_are_not_wanted_need_nothing() -> None:
    outreach = PROGRAMS["run", "outreach"]

    assert outreach.required({}) == {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"}
    assert "CARE_OUTREACH_API_KEYS_FILE" in outreach.required({"CARE_OUTREACH_API_PORT": "1"})
