"""The product at work in a namespace of its own, and what may be done to it there."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from deploy.kubernetes.inspection.objects import NAME, PART_OF, PRODUCT, Json, Manifests, name_of
from tests.cluster import credentials, overlay
from tests.cluster.images import Images
from tests.cluster.kubectl import Cluster, Refused, Said
from tests.cluster.overlay import NAMESPACE

MARK = "proactive-care/cluster-test"
"""Label of the namespaces that these tests made, and may take away again."""

WORKLOADS = (
    "deployment/ingest",
    "statefulset/churn-predictor",
    "deployment/outreach",
    "deployment/metrics",
    "deployment/tools",
)
OURS = f"{PART_OF}={PRODUCT}"
READY_SECONDS = 900
"""Of a machine of two cores that has other things to do."""

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is there, through kubectl."""

    cluster: Cluster
    images: Images

    def tell(self, *words: str, seconds: float = READY_SECONDS) -> str:
        """Run kubectl in this namespace; raises `Refused`, with how the pods are, where it fails."""
        try:
            return self.cluster.tell(f"--namespace={NAMESPACE}", *words, seconds=seconds)
        except Refused as error:
            raise Refused(f"{error}\n\n{self.state()}") from None

    def pods(self, selector: str = OURS) -> list[Json]:
        """Return the pods that are not on their way out; without those of Jobs."""
        items: list[Json] = self.cluster.get(
            "pods",
            f"--namespace={NAMESPACE}",
            f"--selector={selector},!batch.kubernetes.io/job-name",
        )["items"]
        return [each for each in items if "deletionTimestamp" not in each["metadata"]]

    def wait_until_ready(self) -> None:
        """Return when every replica of the four services is ready, and the pod for commands."""
        for workload in WORKLOADS:
            self.tell("rollout", "status", workload, f"--timeout={READY_SECONDS}s")

    def put_beside(self, name: str) -> None:
        """Apply one of the manifests beside the product."""
        with TemporaryDirectory() as folder:
            self.cluster.apply(overlay.beside(Path(folder), self.images, name).objects)

    def typed(self, *words: str) -> Said:
        """Return what a command of `care` says in the pod for them, however it ends."""
        command = ("exec", "deployment/tools", "--", "care", *words)
        return self.cluster.run(f"--namespace={NAMESPACE}", *command, seconds=READY_SECONDS)

    def finish(self, job: str) -> None:
        """Return when a Job is done; raises `Refused` where it is not within its time."""
        self.tell(
            "wait", f"job/{job}", "--for=condition=Complete", f"--timeout={READY_SECONDS}s",
            seconds=READY_SECONDS + 60,
        )  # fmt: skip

    def printed(self, job: str) -> list[Any]:
        """Return what a Job has printed so far, its lines of JSON."""
        text = self.tell("logs", f"job/{job}", "--tail=-1")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def state(self) -> str:
        """Return in words how the pods are, and why those ended that did."""
        pods = self.cluster.run("get", "pods", f"--namespace={NAMESPACE}", "--output=wide").out
        ended = self.cluster.run(
            "get", "pods", f"--namespace={NAMESPACE}",
            "--output=jsonpath={range .items[*].status.containerStatuses[*]}{.name}: "
            "{.state.terminated.message}{.lastState.terminated.message}\n{end}",
        ).out  # fmt: skip
        return f"{pods}\n{ended}"


@contextmanager
def deployed(cluster: Cluster, images: Images) -> Iterator[Deployed]:
    """Yield the product, ready, in a namespace that is gone afterwards."""
    found = Deployed(cluster, images)
    _make_room(cluster)
    try:
        with TemporaryDirectory() as folder:
            _bring_up(found, Path(folder))
        yield found
    finally:
        if not os.environ.get("CARE_CLUSTER_KEEP"):
            cluster.run("delete", "namespace", NAMESPACE, "--wait=false")


def _make_room(cluster: Cluster) -> None:
    said = cluster.run("get", "namespace", NAMESPACE, "--output=json")
    if said.code:
        return
    if MARK not in json.loads(said.out)["metadata"].get("labels", {}):
        raise Refused(f"namespace {NAMESPACE} is there, and not one of ours: take it away yourself")
    cluster.tell("delete", "namespace", NAMESPACE, "--timeout=300s", seconds=320)


def _bring_up(found: Deployed, folder: Path) -> None:
    for name in ("secrets", "product"):
        (folder / name).mkdir()
    has_volumes = _makes_volumes(found.cluster)
    product = overlay.product(folder / "product", found.images, has_volumes=has_volumes)
    found.cluster.apply(_namespace_of(product))
    files = credentials.made(folder / "secrets")
    found.cluster.apply(credentials.as_objects(files, NAMESPACE))
    for each in ("kafka", "postgres", "kafka-users"):
        found.put_beside(each)
    found.finish("kafka-users")
    found.cluster.apply(product.objects)
    for job in ("topics-apply", "db-upgrade"):
        found.finish(job)
    found.wait_until_ready()


def _namespace_of(product: Manifests) -> list[Json]:
    """Return the overlay's own namespace, with what it refuses, marked as one that may go again."""
    found = product.of("Namespace")
    for each in found:
        each["metadata"]["labels"][MARK] = "true"
    return found


def _makes_volumes(cluster: Cluster) -> bool:
    classes = cluster.get("storageclasses")["items"]
    return any(
        each["metadata"].get("annotations", {}).get(_DEFAULT_CLASS) == "true" for each in classes
    )


def nodes(cluster: Cluster) -> list[str]:
    """Return the nodes that take pods."""
    items = cluster.get("nodes")["items"]
    return [
        name_of(each)
        for each in items
        if not each["spec"].get("unschedulable") and not each["spec"].get("taints")
    ]


def eventually(question: Callable[[], T | None], what: str, seconds: float = READY_SECONDS) -> T:
    """Return the first answer that is not empty.

    Raises:
        TimeoutError: there was none.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if answer := question():
            return answer
        time.sleep(1)
    raise TimeoutError(f"waited {seconds:.0f} s for {what}")


def name_and_node(pod: Json) -> tuple[str, str]:
    """Return which service a pod belongs to, and where it runs."""
    return pod["metadata"]["labels"][NAME], pod["spec"].get("nodeName", "")
