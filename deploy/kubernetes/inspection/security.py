"""The Pod Security Standard `restricted`, and what this house asks beyond it."""

from collections.abc import Iterator

from deploy.kubernetes.inspection.objects import Json, Manifests, Workload, volumes_of

_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_SECCOMP = ("RuntimeDefault", "Localhost")
_LEAST_UID = 10_000
"""Below it numbers of users of the node begin."""


def faults(manifests: Manifests) -> Iterator[str]:
    """Yield what pods may do that they need not."""
    for workload in manifests.workloads():
        found = [*_of_the_pod(workload.pod), *_of_volumes(workload)]
        for container in _containers(workload.pod):
            found += _of_a_container(container, workload.pod)
        if workload.is_ours:
            found += _of_the_house(workload)
        found += _of_any_pod_here(workload)
        yield from (f"{workload}: {each}" for each in found)


def _containers(pod: Json) -> list[Json]:
    return [*pod["containers"], *pod.get("initContainers", ())]


def _of_the_pod(pod: Json) -> Iterator[str]:
    yield from (f"{name} is set" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name))
    if pod.get("securityContext", {}).get("sysctls"):
        yield "sysctls are set"


def _of_volumes(workload: Workload) -> Iterator[str]:
    for name, volume in volumes_of(workload):
        kinds = volume.keys() - {"name"}
        if not kinds <= _VOLUMES:
            yield f"volume {name} is of a kind that is not allowed"
        if "emptyDir" in kinds and "sizeLimit" not in (volume["emptyDir"] or {}):
            yield f"volume {name} has no limit"


def _of_a_container(container: Json, pod: Json) -> Iterator[str]:
    own: Json = container.get("securityContext", {})
    both: Json = {**pod.get("securityContext", {}), **own}
    capabilities: Json = own.get("capabilities", {})
    if own.get("privileged"):
        yield "is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if "ALL" not in capabilities.get("drop", ()):
        yield "keeps capabilities"
    if not set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"}:
        yield "adds capabilities"
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield "may be root"
    if both.get("seccompProfile", {}).get("type") not in _SECCOMP:
        yield "has no seccomp profile"
    if own.get("procMount", "Default") != "Default":
        yield "sees all of /proc"
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield "takes a port of the node"


def _of_any_pod_here(workload: Workload) -> Iterator[str]:
    if workload.pod.get("automountServiceAccountToken") is not False:
        yield "gets a token for the cluster"
    if workload.pod.get("enableServiceLinks") is not False:
        yield "gets the names of Services as variables"
    for container in _containers(workload.pod):
        yield from _of_its_image(container["image"])
        yield from _of_its_resources(container.get("resources", {}))


def _of_its_image(image: str) -> Iterator[str]:
    tag = image.rpartition("/")[2].partition(":")[2]
    if "@sha256:" not in image and tag in ("", "latest"):
        yield f"image {image} has no fixed tag"


def _of_its_resources(resources: Json) -> Iterator[str]:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    if "cpu" not in requests or "memory" not in requests:
        yield "does not say what it needs"
    if requests.get("memory") != limits.get("memory"):
        yield "memory that is asked for is not memory that is had"


def _of_the_house(workload: Workload) -> Iterator[str]:
    if workload.pod.get("securityContext", {}).get("runAsUser", 0) < _LEAST_UID:
        yield f"runs as a user below {_LEAST_UID}"
    if workload.container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
        yield "may write to its image"
    for name in _secrets_in_the_open(workload.container):
        yield f"has a secret in its environment, {name}: mount it, and let a setting name its file"


def _secrets_in_the_open(container: Json) -> Iterator[str]:
    for source in container.get("envFrom") or ():
        if "secretRef" in source:
            yield str(source["secretRef"]["name"])
    for entry in container.get("env") or ():
        if found := entry.get("valueFrom", {}).get("secretKeyRef"):
            yield str(found["name"])
