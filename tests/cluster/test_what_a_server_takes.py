"""A real API server takes all of every overlay with every component, and nothing that is wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from deploy.kubernetes.inspection.objects import Json, Manifests, Workload, name_of
from deploy.kubernetes.rendering import choices, combined
from tests.cluster.kubectl import Cluster
from tests.deploy.kubernetes.changes import at, changed, config, container, everything, pod, spec
from tests.deploy.kubernetes.test_schemas import TO_KUBERNETES, TO_OPERATORS
from tests.deploy.kubernetes.test_security import BROKEN

EVERY = [("dev", ()), *(("production", choice) for choice in choices(1))]

NO_SUCH = "no matches for kind"
INSTEAD = {
    "'three' is not of type 'integer'": "expected numeric",
    "is not known to Kubernetes": NO_SUCH,
    "is not of type 'integer'": "expected numeric",
    "is not one of": "Unsupported value",
    "'name' is a required property": 'omits all key fields ["name"]',
    "'port' is a required property": "port: Required value",
    "no schema of": NO_SUCH,
}
"""What is told offline → what a server says; of a field of another name both say the name."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("overlay", "components"), EVERY, ids=["+".join((one, *more)) for one, more in EVERY]
)
def test_it_takes_all_of_it(places: Cluster, overlay: str, components: tuple[str, ...]) -> None:
    said = places.tried(combined(overlay, components).objects)

    assert said.code == 0, said.error
    # Nor does it warn of anything: pods that the namespace would refuse, versions that will be gone.
    assert said.error == ""


@pytest.mark.parametrize(("change", "fault"), [*TO_KUBERNETES, *TO_OPERATORS])
def test_it_takes_no_object_that_the_schemas_refuse(
    places: Cluster, change: Callable[[Manifests], Any], fault: str
) -> None:
    said = places.tried(differing(changed(change)))

    assert said.code != 0
    assert INSTEAD.get(fault, fault.split("'")[1] if "'" in fault else fault) in said.error


def differing(manifests: Manifests) -> list[Json]:
    """Return the objects that are not as they were."""
    found = [each for each in manifests.objects if each not in everything().objects]
    assert found
    return found


POD_SECURITY = {
    "hostNetwork is set": "hostNetwork=true",
    "hostPID is set": "hostPID=true",
    "sysctls are set": "forbidden sysctls",
    "volume more is of a kind": "restricted volume types",
    "is privileged": "must not set securityContext.privileged=true",
    "may gain privileges": "allowPrivilegeEscalation != false",
    "keeps capabilities": "unrestricted capabilities",
    "adds capabilities": "SYS_ADMIN",
    "may be root": "runAs",
    "has no seccomp profile": "seccompProfile",
    "takes a port of the node": "hostPort",
}
"""What is told offline → what the namespace says; the rest is this house's own."""


def privileged(m: Manifests) -> None:
    """With both, or the server refuses the contradiction before anybody asks the namespace."""
    both = {"privileged": True, "allowPrivilegeEscalation": True}
    container(m, "Deployment", "ingest")["securityContext"].update(both)


JUDGED = [
    (privileged, "is privileged"),
    *(
        (change, fault)
        for change, fault in BROKEN
        if fault in POD_SECURITY and fault != "is privileged"
    ),
]


def test_its_namespace_takes_each_pod_as_it_is(places: Cluster) -> None:
    for workload in everything().ours():
        said = places.tried([as_pod(workload)])

        assert said.code == 0, said.error


@pytest.mark.parametrize(("change", "fault"), JUDGED, ids=[fault for _, fault in JUDGED])
def test_its_namespace_takes_no_pod_that_could_reach_beyond_itself(
    places: Cluster, change: Callable[[Manifests], Any], fault: str
) -> None:
    said = places.tried([as_pod(Workload(at(changed(change), "Deployment", "ingest")))])

    assert said.code != 0
    assert "violates PodSecurity" in said.error
    assert POD_SECURITY[fault] in said.error


def as_pod(workload: Workload) -> Json:
    """Return a pod as this workload makes them."""
    meta = {"name": f"{workload.name}-tried", "namespace": "care", "labels": workload.pod_labels}
    claims = [
        {"name": each["metadata"]["name"], "persistentVolumeClaim": {"claimName": "tried"}}
        for each in workload.spec.get("volumeClaimTemplates", ())
    ]
    # Its account is not there when it is only tried, and says nothing about what it may do.
    content = {**workload.pod, "serviceAccountName": "default"}
    content["volumes"] = [*workload.pod["volumes"], *claims]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": content}


def upside_down(m: Manifests) -> None:
    spec(m, "HorizontalPodAutoscaler", "ingest")["maxReplicas"] = 1


def other_labels(m: Manifests) -> None:
    spec(m, "Deployment", "ingest")["template"]["metadata"]["labels"]["app.kubernetes.io/name"] = (
        "x"
    )


def both_ways(m: Manifests) -> None:
    spec(m, "PodDisruptionBudget", "ingest")["minAvailable"] = 1


def one_port_twice(m: Manifests) -> None:
    ports = spec(m, "Service", "outreach")["ports"]
    ports[1]["name"] = ports[0]["name"]


def mounted_nowhere(m: Manifests) -> None:
    pod(m, "Deployment", "metrics")["volumes"].pop()


def outside_of_the_block(m: Manifests) -> None:
    rule = spec(m, "NetworkPolicy", "outreach")["egress"][0]
    rule["to"][0]["ipBlock"]["cidr"] = "10.0.0.0/8"


def no_longer_a_name(m: Manifests) -> None:
    config(m, "care")["CARE PARTITIONS"] = "12"


def longer_than_its_grace(m: Manifests) -> None:
    container(m, "Deployment", "ingest")["lifecycle"]["preStop"]["sleep"]["seconds"] = 31


def in_the_clear(m: Manifests) -> None:
    spec(m, "Gateway", "care")["listeners"][0]["protocol"] = "HTTP"


SERVER_ALONE: list[tuple[Callable[[Manifests], Any], str]] = [
    (upside_down, "must be greater than or equal to `minReplicas`"),
    (other_labels, "`selector` does not match template `labels`"),
    (both_ways, "minAvailable and maxUnavailable cannot be both set"),
    (one_port_twice, "Duplicate value"),
    (mounted_nowhere, "volumeMounts[2].name: Not found"),
    (outside_of_the_block, "must be a strict subset of `cidr`"),
    (no_longer_a_name, "a valid config key must consist of"),
    (longer_than_its_grace, "must be non-negative and less than terminationGracePeriodSeconds"),
    (in_the_clear, "tls must not be specified for protocols"),
]
"""What no schema says: the server's own rules, and an operator's in CEL."""


@pytest.mark.parametrize(("change", "words"), SERVER_ALONE, ids=[w for _, w in SERVER_ALONE])
def test_it_asks_what_no_schema_asks(
    places: Cluster, change: Callable[[Manifests], Any], words: str
) -> None:
    said = places.tried(differing(changed(change)))

    assert said.code != 0
    assert words in said.error


def test_what_was_only_tried_is_not_there(places: Cluster) -> None:
    found = places.get("deployments", "--namespace=care")["items"]

    assert [name_of(each) for each in found if name_of(each) == "ingest"] == []
