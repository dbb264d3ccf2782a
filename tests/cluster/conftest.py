"""What `make cluster-test` needs, and what it says where something is missing.

KUBECONFIG            the cluster.  Namespaces and operators' definitions are made in it, and a node is
                      drained of this product's pods: use one that you can do without.
CARE_CLUSTER_CRDS     folder or file with the operators' definitions; not needed where the cluster has them.
CARE_CLUSTER_LOAD     command that brings the images that it is given onto every node;
                      `kind load docker-image` where it is not set.
CARE_CLUSTER_BASE     BASE of the images that are built; CARE_CLUSTER_TAG names some that are there already.
CARE_CLUSTER_KAFKA_IMAGE, CARE_CLUSTER_POSTGRES_IMAGE
                      `apache/kafka:4.4.0` and `postgres:18` where they are not set; loaded, too, where this
                      machine has them.
CARE_CLUSTER_KEEP=1   leaves the namespace as it was in the end, to look at.
"""

import os
from collections.abc import Iterator

import pytest

from deploy.kubernetes.inspection.objects import Manifests, name_of
from deploy.kubernetes.rendering import COMPONENTS, combined
from tests.cluster.deployed import MARK
from tests.cluster.kubectl import Cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of them: `make test` never runs one."""
    for item in items:
        item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster that KUBECONFIG names."""
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        pytest.fail("KUBECONFIG names no cluster: set it to one you can do without", pytrace=False)
    found = Cluster(kubeconfig)
    said = found.run("version", "--output=json")
    if said.code:
        pytest.fail(f"the cluster of {kubeconfig} does not answer: {said.error}", pytrace=False)
    return found


@pytest.fixture(scope="session")
def knowing(cluster: Cluster) -> Cluster:
    """The cluster, once it knows the operators' objects."""
    if definitions := os.environ.get("CARE_CLUSTER_CRDS"):
        cluster.tell("apply", "--server-side", f"--filename={definitions}")
        cluster.tell("wait", "--for=condition=Established", f"--filename={definitions}")
    known = set(cluster.tell("api-versions").split())
    missing = {each["apiVersion"] for each in combined("production", COMPONENTS).objects} - known
    if missing:
        pytest.fail(
            f"the cluster does not know {', '.join(sorted(missing))}: install the operators, or name "
            "a folder with their definitions in CARE_CLUSTER_CRDS",
            pytrace=False,
        )
    return cluster


@pytest.fixture(scope="session")
def places(knowing: Cluster) -> Iterator[Cluster]:
    """The cluster, with the namespaces of both overlays: what is only tried cannot make its own."""
    made = [each for overlay in ("production", "dev") for each in _missing(knowing, overlay)]
    try:
        yield knowing
    finally:
        for name in made:
            knowing.run("delete", "namespace", name, "--wait=false")


def _missing(cluster: Cluster, overlay: str) -> Iterator[str]:
    for namespace in combined(overlay).of("Namespace"):
        if cluster.run("get", "namespace", name_of(namespace)).code:
            namespace["metadata"].setdefault("labels", {})[MARK] = "true"
            cluster.apply(Manifests((namespace,)).objects)
            yield name_of(namespace)
