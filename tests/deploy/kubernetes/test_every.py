"""All checks together: what one finds first must not keep the others from ending in words."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from deploy.kubernetes.__main__ import main
from deploy.kubernetes.inspection.every import faults
from deploy.kubernetes.inspection.objects import Manifests
from tests.deploy.kubernetes.changes import changed, config, container, everything, spec

INGEST = ("Deployment", "ingest")
DATABASE = {"secretKeyRef": {"name": "database", "key": "url"}}


def without_configs(m: Manifests) -> Manifests:
    return Manifests(tuple(each for each in m.objects if each["kind"] != "ConfigMap"))


def misspelled(m: Manifests) -> None:
    container(m, *INGEST)["args"] = ["run", "injest"]


def from_a_secret(m: Manifests) -> None:
    container(m, *INGEST)["envFrom"].append({"secretRef": {"name": "passwords"}})


def one_from_a_secret(m: Manifests) -> None:
    entries = container(m, "Deployment", "outreach")["env"]
    (entry,) = (each for each in entries if each["name"] == "DATABASE_URL")
    del entry["value"]
    entry["valueFrom"] = DATABASE


BROKEN: list[tuple[Any, str]] = [
    (misspelled, "Deployment ingest: runs what is not known"),
    (lambda m: container(m, *INGEST).pop("args"), "Deployment ingest: runs what is not known"),
    (from_a_secret, "Deployment ingest: has a secret in its environment, passwords"),
    (one_from_a_secret, "Deployment outreach: has a secret in its environment, database"),
    (lambda m: config(m, "care").update(CARE_PARTITIONS="many"), "does not take CARE_PARTITIONS"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "fault"), BROKEN, ids=[fault for _, fault in BROKEN])
def test_what_is_run_and_read_is_told_before_all_that_relies_on_it(change: Any, fault: str) -> None:
    found = faults(changed(change))

    assert any(fault in each for each in found), found


def test_what_may_be_left_out_and_is_needed_to_look_further_is_asked_for() -> None:
    """A person's own policy need not say which sorts of ways it is about."""
    found = faults(changed(lambda m: spec(m, "NetworkPolicy", "default-deny").pop("policyTypes")))

    assert (
        "network: is looked at no further, for 'policyTypes' is left out somewhere: write it out"
        in found
    )


def test_a_configuration_that_was_left_out_is_told_of_each_that_reads_it(tmp_path: Path) -> None:
    overlay = tmp_path / "rendered.yaml"
    objects = without_configs(everything()).objects
    overlay.write_text(yaml.safe_dump_all(objects), encoding="utf-8")

    told = CliRunner().invoke(main, ["inspect", str(overlay)])

    assert told.exit_code == 1
    assert told.exception is None or isinstance(told.exception, SystemExit)
    assert "Deployment ingest: ConfigMap 'care-" in told.output
    assert "StatefulSet churn-predictor: ConfigMap 'care-" in told.output


def test_where_nobody_says_how_many_partitions_there_are_it_is_what_services_take_for_it() -> None:
    assert faults(changed(lambda m: config(m, "care").pop("CARE_PARTITIONS"))) == []

    def too_many(m: Manifests) -> None:
        config(m, "care").pop("CARE_PARTITIONS")
        spec(m, "ScaledObject", "outreach")["maxReplicaCount"] = 13

    assert faults(changed(too_many)) == ["ScaledObject outreach: more replicas than partitions"]


def test_topics_alone_are_no_deployment_and_no_fault() -> None:
    assert faults(Manifests(tuple(everything().of("KafkaTopic")))) == []
