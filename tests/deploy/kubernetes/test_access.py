"""Kafka users, their secrets and what they may do: each led astray once."""

from typing import Any

import pytest

from deploy.kubernetes.inspection import access
from deploy.kubernetes.inspection.objects import Manifests
from deploy.kubernetes.users import CLUSTER
from tests.deploy.kubernetes.changes import (
    at,
    bare,
    changed,
    config,
    environment,
    everything,
    pod,
    spec,
    without,
)

METRICS = ("Deployment", "metrics")
TOOLS = ("Deployment", "tools")


def another_user(m: Manifests) -> None:
    environment(m, *METRICS, "KAFKA_SASL_USERNAME")["value"] = "care-ingest"


def no_user(m: Manifests) -> None:
    environment(m, *METRICS, "KAFKA_SASL_USERNAME")["value"] = "somebody"


def tools_as_a_service(m: Manifests) -> None:
    environment(m, *TOOLS, "KAFKA_SASL_USERNAME")["value"] = "care-outreach"


def tools_as_mover(m: Manifests) -> None:
    environment(m, *TOOLS, "KAFKA_SASL_USERNAME")["value"] = "care-mover"


def may_more(m: Manifests) -> None:
    spec(m, "KafkaUser", "care-metrics")["authorization"]["acls"][0]["operations"].append("Write")


def another_prefix(m: Manifests) -> None:
    config(m, "care")["CARE_TOPIC_PREFIX"] = "shop-"


def another_secret(m: Manifests) -> None:
    volumes = pod(m, *METRICS)["volumes"]
    next(each for each in volumes if each["name"] == "kafka-user")["secret"]["secretName"] = "other"


def another_cluster(m: Manifests) -> None:
    for user in m.of("KafkaUser"):
        user["metadata"]["labels"][CLUSTER] = "main"


def shows_nothing(m: Manifests) -> None:
    del spec(m, "ScaledObject", "outreach")["triggers"][0]["authenticationRef"]


def anothers(m: Manifests) -> None:
    spec(m, "ScaledObject", "outreach")["triggers"][0]["authenticationRef"]["name"] = (
        "churn-predictor"
    )


BROKEN = [
    (another_user, "Deployment metrics: KafkaUser care-ingest may do something else than it needs"),
    (no_user, "Deployment metrics: KafkaUser somebody is not there"),
    (tools_as_a_service, "Deployment tools: KafkaUser care-outreach may do something else than it needs"),
    (tools_as_mover, "Deployment tools: KafkaUser care-mover is not there"),
    (may_more, "Deployment metrics: KafkaUser care-metrics may do something else than it needs"),
    (another_prefix, "Deployment ingest: KafkaUser care-ingest may do something else"),
    (another_secret, "secret other: Strimzi makes no password"),
    (another_cluster, "secret kafka-cluster-ca-cert: Strimzi makes no ca.crt"),
    (shows_nothing, "ScaledObject outreach: shows Kafka nothing"),
    (anothers, "ScaledObject outreach: TriggerAuthentication churn-predictor is another's"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "fault"), BROKEN, ids=[fault for _, fault in BROKEN])
def test_each_is_led_astray_once(change: Any, fault: str) -> None:
    found = list(access.faults(changed(change)))

    assert any(fault in each for each in found), found


def test_what_asks_about_lag_shows_something_that_is_there() -> None:
    found = list(access.faults(without(everything(), "TriggerAuthentication", "outreach")))

    assert any("TriggerAuthentication outreach is not there" in each for each in found)
    assert at(everything(), "TriggerAuthentication", "outreach")


def test_without_strimzi_users_are_made_elsewhere() -> None:
    assert list(access.faults(changed(no_user, bare))) == []
