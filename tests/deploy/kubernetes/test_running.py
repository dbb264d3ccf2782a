"""How many run, how they end, how they scale: each done wrong once."""

from typing import Any

import pytest

from deploy.kubernetes.inspection import running
from deploy.kubernetes.inspection.objects import Json, Manifests
from deploy.kubernetes.rendering import combined
from services.contracts.topics import TOPICS
from services.metrics.lag import READERS
from tests.deploy.kubernetes.changes import (
    at,
    bare,
    changed,
    config,
    container,
    environment,
    everything,
    pod,
    spec,
    without,
)

SCALER = "ScaledObject"


def grace(kind: str, name: str, seconds: int) -> Any:
    return lambda m: pod(m, kind, name).update({"terminationGracePeriodSeconds": seconds})


def told(name: str, **values: str) -> Any:
    return lambda m: config(m, name).update(values)


def sleepy(m: Manifests) -> None:
    container(m, "Deployment", "outreach")["lifecycle"]["preStop"]["sleep"]["seconds"] = 100


def hasty(name: str) -> Any:
    return lambda m: container(m, "Deployment", name).pop("lifecycle")


def two_of_metrics(m: Manifests) -> None:
    spec(m, "Deployment", "metrics")["replicas"] = 2


def rolled_metrics(m: Manifests) -> None:
    spec(m, "Deployment", "metrics")["strategy"] = {"type": "RollingUpdate"}


def scaled_metrics(m: Manifests) -> None:
    spec(m, "HorizontalPodAutoscaler", "ingest")["scaleTargetRef"]["name"] = "metrics"


def no_claim(m: Manifests) -> None:
    del spec(m, "StatefulSet", "churn-predictor")["volumeClaimTemplates"]


def in_memory(m: Manifests) -> None:
    config(m, "churn-predictor")["CARE_CHURN_PREDICTOR_STORE"] = "memory"


def member(m: Manifests) -> Json:
    return environment(m, "StatefulSet", "churn-predictor", running.MEMBER)


def one_name(m: Manifests) -> None:
    del member(m)["valueFrom"]
    member(m)["value"] = "predictor"


def name_of_the_node(m: Manifests) -> None:
    member(m)["valueFrom"]["fieldRef"]["fieldPath"] = "spec.nodeName"


def name_for_all(m: Manifests) -> None:
    config(m, "care")[running.MEMBER] = "predictor"


def deployed(m: Manifests) -> None:
    at(m, "StatefulSet", "churn-predictor")["kind"] = "Deployment"


def two_say(m: Manifests) -> None:
    spec(m, "Deployment", "outreach")["replicas"] = 2


def gone(m: Manifests) -> None:
    spec(m, SCALER, "outreach")["scaleTargetRef"]["name"] = "absent"


def too_many(m: Manifests) -> None:
    spec(m, SCALER, "churn-predictor")["maxReplicaCount"] = 13


def trigger(name: str, **values: str) -> Any:
    return lambda m: spec(m, SCALER, name)["triggers"][0]["metadata"].update(values)


def other_partitions(m: Manifests) -> None:
    spec(m, "KafkaTopic", "purchases")["partitions"] = 24


def another_topic(m: Manifests) -> None:
    spec(m, "KafkaTopic", "purchases")["topicName"] = "sales"


BROKEN = [
    (hasty("ingest"), "Deployment ingest: ends while requests are still sent to it"),
    (hasty("outreach"), "Deployment outreach: ends while requests are still sent to it"),
    (told("ingest", CARE_INGEST_DRAIN_DELAY_SECONDS="0"), "ingest: stops serving before it is not ready"),
    (grace("Deployment", "ingest", 22), "Deployment ingest: is killed after 22 s, and needs 23"),
    (told("ingest", CARE_INGEST_ACKNOWLEDGEMENT_TIMEOUT_SECONDS="60"), "and needs 73 to end"),
    (sleepy, "Deployment outreach: is killed after 120 s, and needs 140"),
    (told("outreach", CARE_OUTREACH_SMTP_TIMEOUT_SECONDS="120"), "and needs 135 to end"),
    (grace("Deployment", "metrics", 5), "Deployment metrics: is killed after 5 s"),
    (two_of_metrics, "Deployment metrics: two of it may run at once"),
    (rolled_metrics, "Deployment metrics: two of it may run at once"),
    (scaled_metrics, "HorizontalPodAutoscaler ingest: makes two of metrics"),
    (one_name, "StatefulSet churn-predictor: all its workers have one name"),
    (name_of_the_node, "StatefulSet churn-predictor: all its workers have one name"),
    (name_for_all, "Deployment ingest: all its workers have one name"),
    (deployed, "Deployment churn-predictor: its workers have a new name at each start"),
    (two_say, "ScaledObject outreach: two say how many outreach there are"),
    (gone, "ScaledObject outreach: absent is not there"),
    (too_many, "ScaledObject churn-predictor: more replicas than partitions"),
    (trigger("outreach", bootstrapServers="other:9092"), "ScaledObject outreach: asks another Kafka"),
    (trigger("outreach", consumerGroup="other"), "ScaledObject outreach: asks about group other"),
    (trigger("outreach", topic="assessmentz"), "outreach does not read assessmentz"),
    (trigger("churn-predictor", topic="customers"), "churn-predictor does not read customers"),
    (told("care", CARE_TOPIC_PREFIX="shop-"), "asks about group churn-predictor"),
    (told("care", CARE_TOPIC_PREFIX="shop-"), "are made or read, and not both"),
    (other_partitions, "topics: have another number of partitions than 12"),
    (another_topic, "topics: purchases, sales are made or read, and not both"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "fault"), BROKEN, ids=[fault for _, fault in BROKEN])
def test_each_is_done_wrong_once(change: Any, fault: str) -> None:
    found = list(running.faults(changed(change)))

    assert any(fault in each for each in found), found


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (no_claim, "StatefulSet churn-predictor: its store goes with its pod"),
        (in_memory, "StatefulSet churn-predictor: keeps a volume for nothing"),
    ],
)
def test_a_store_and_its_volume_go_together(change: Any, fault: str) -> None:
    assert fault in list(running.faults(changed(change, bare)))


def test_without_volumes_the_state_is_in_memory_and_the_name_stays() -> None:
    manifests = combined("production", ["in-memory"])
    predictor = spec(manifests, "StatefulSet", "churn-predictor")

    assert not predictor.keys() & {"volumeClaimTemplates", "persistentVolumeClaimRetentionPolicy"}
    assert config(manifests, "churn-predictor")["CARE_CHURN_PREDICTOR_STORE"] == "memory"
    assert member(manifests)["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_topics_are_made_by_one() -> None:
    assert list(running.faults(without(bare(), "Job", "topics-apply"))) == [
        "topics: nobody makes them"
    ]
    job = bare().named("Job", "topics-apply")
    assert job is not None
    both = type(bare())((*everything().objects, job))
    assert "topics: two make them" in list(running.faults(both))


def test_groups_are_those_whose_lag_is_measured() -> None:
    groups = {each.group for each in READERS}
    asked = {
        trigger["metadata"]["consumerGroup"]
        for scaler in everything().of(SCALER)
        for trigger in scaler["spec"]["triggers"]
    }

    assert asked == groups


def test_every_topic_of_the_contracts_is_made() -> None:
    assert len(everything().of("KafkaTopic")) == len(TOPICS)
