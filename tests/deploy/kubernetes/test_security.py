"""Pod Security `restricted` and the house's own rules, each broken once."""

from typing import Any

import pytest

from deploy.kubernetes.inspection import security
from deploy.kubernetes.inspection.objects import Json, Manifests
from tests.deploy.kubernetes.changes import changed, container, pod

INGEST = ("Deployment", "ingest")


def set_on_pod(name: str, value: Any) -> Any:
    return lambda m: pod(m, *INGEST).update({name: value})


def set_on_container(name: str, value: Any) -> Any:
    return lambda m: container(m, *INGEST).update({name: value})


def secure(name: str, value: Any) -> Any:
    return lambda m: container(m, *INGEST)["securityContext"].update({name: value})


def secure_pod(name: str, value: Any) -> Any:
    return lambda m: pod(m, *INGEST)["securityContext"].update({name: value})


def volume(content: Json) -> Any:
    return lambda m: pod(m, *INGEST)["volumes"].append({"name": "more", **content})


def init_container(m: Manifests) -> None:
    pod(m, *INGEST)["initContainers"] = [{"image": "busybox:1.37", "name": "first"}]


def opened_on_the_node(m: Manifests) -> None:
    container(m, *INGEST)["ports"][0]["hostPort"] = 80


def secret_variable(m: Manifests) -> None:
    reference = {"secretKeyRef": {"name": "database", "key": "url"}}
    container(m, *INGEST)["env"].append({"name": "DATABASE_URL", "valueFrom": reference})


BROKEN = [
    (set_on_pod("hostNetwork", True), "hostNetwork is set"),
    (set_on_pod("hostPID", True), "hostPID is set"),
    (secure_pod("sysctls", [{"name": "net.core.somaxconn", "value": "1"}]), "sysctls are set"),
    (volume({"hostPath": {"path": "/"}}), "volume more is of a kind"),
    (volume({"emptyDir": {}}), "volume more has no limit"),
    (secure("privileged", True), "is privileged"),
    (secure("allowPrivilegeEscalation", True), "may gain privileges"),
    (secure("capabilities", {}), "keeps capabilities"),
    (secure("capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}), "adds capabilities"),
    (secure("runAsNonRoot", False), "may be root"),
    (secure("runAsUser", 0), "may be root"),
    (secure_pod("seccompProfile", {"type": "Unconfined"}), "has no seccomp profile"),
    (secure("procMount", "Unmasked"), "sees all of /proc"),
    (opened_on_the_node, "takes a port of the node"),
    (init_container, "may gain privileges"),
    (set_on_pod("automountServiceAccountToken", True), "gets a token for the cluster"),
    (set_on_pod("enableServiceLinks", True), "gets the names of Services"),
    (set_on_container("image", "example.com/proactive-care/ingest"), "has no fixed tag"),
    (set_on_container("image", "example.com:5000/proactive-care/ingest:latest"), "has no fixed tag"),
    (set_on_container("resources", {}), "does not say what it needs"),
    (set_on_container("resources", {"requests": {"cpu": "1", "memory": "1Gi"}}), "is not memory that is had"),
    (secure_pod("runAsUser", 1000), "runs as a user below"),
    (secure("readOnlyRootFilesystem", False), "may write to its image"),
    (secret_variable, "has a secret in its environment"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "fault"), BROKEN, ids=[fault for _, fault in BROKEN])
def test_each_rule_is_broken_once(change: Any, fault: str) -> None:
    found = list(security.faults(changed(change)))

    assert any(each.startswith("Deployment ingest: ") and fault in each for each in found), found


def test_a_digest_stands_for_a_tag() -> None:
    image = "example.com/proactive-care/ingest@sha256:" + 64 * "0"

    assert list(security.faults(changed(set_on_container("image", image)))) == []
