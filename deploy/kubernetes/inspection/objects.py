"""Rendered objects, and the questions that several checks ask of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

NAME = "app.kubernetes.io/name"
PART_OF = "app.kubernetes.io/part-of"
PRODUCT = "proactive-care"
TOOLS = "tools"
"""The workload in which a person types commands: it serves nobody, and may be left out."""

_WITH_PODS = ("Deployment", "StatefulSet", "Job")


@dataclass(frozen=True, slots=True)
class Workload:
    """What makes pods, and the pod it makes."""

    content: Json

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.content["kind"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.content["metadata"]["name"])

    @property
    def spec(self) -> Json:
        """Its own specification."""
        found: Json = self.content["spec"]
        return found

    @property
    def pod(self) -> Json:
        """The specification of its pods."""
        found: Json = self.spec["template"]["spec"]
        return found

    @property
    def pod_labels(self) -> Mapping[str, str]:
        """The labels of its pods."""
        found: Mapping[str, str] = self.spec["template"]["metadata"].get("labels", {})
        return found

    @property
    def container(self) -> Json:
        """Its only container; the first where there are several."""
        found: Json = self.pod["containers"][0]
        return found

    @property
    def is_ours(self) -> bool:
        """Whether it is a part of this product, and not only beside it."""
        return self.pod_labels.get(PART_OF) == PRODUCT

    @property
    def ports(self) -> dict[str, int]:
        """The names of the ports that it opens, and their numbers."""
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", ())}

    def number_of(self, port: str | int) -> int | None:
        """Return the number of a port of its pods, told by name or number; None: it opens no such port."""
        if isinstance(port, int):
            return port if port in self.ports.values() else None
        return self.ports.get(port)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Manifests:
    """Everything that is applied together."""

    objects: tuple[Json, ...]

    def of(self, kind: str) -> list[Json]:
        """Return all objects of this kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def named(self, kind: str, name: str) -> Json | None:
        """Return the object of this kind and name; None: there is none."""
        return next((each for each in self.of(kind) if name_of(each) == name), None)

    def workloads(self) -> list[Workload]:
        """Return what makes pods."""
        return [Workload(each) for kind in _WITH_PODS for each in self.of(kind)]

    def ours(self) -> list[Workload]:
        """Return what runs this project's images."""
        return [each for each in self.workloads() if each.is_ours]

    def services(self) -> list[Workload]:
        """Return what of ours works all the time: neither jobs nor what waits for a person's commands."""
        return [each for each in self.ours() if each.kind != "Job" and each.name != TOOLS]

    def selected(self, selector: Json) -> list[Workload]:
        """Return the workloads whose pods a selector of labels takes."""
        return [each for each in self.workloads() if selects(selector, each.pod_labels)]

    def environment(self, workload: Workload) -> dict[str, str]:
        """Return what is told of its container's environment; KeyError where a ConfigMap is not there."""
        found: dict[str, str] = {}
        for source in workload.container.get("envFrom") or ():
            if "configMapRef" not in source:
                continue
            name = source["configMapRef"]["name"]
            config = self.named("ConfigMap", name)
            if config is None:
                raise KeyError(name)
            found |= config.get("data", {})
        return found | {
            each["name"]: each["value"]
            for each in workload.container.get("env") or ()
            if "value" in each
        }


def name_of(content: Json) -> str:
    """Return an object's name."""
    return str(content["metadata"]["name"])


def selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Return whether a selector, as policies and monitors write it, takes something with these labels."""
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _meets(each, labels) for each in selector.get("matchExpressions", ())
    )


def _meets(expression: Json, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
    return value is None


def volumes_of(workload: Workload) -> Iterator[tuple[str, Json]]:
    """Yield the names of a pod's volumes, and what they are."""
    for volume in workload.pod.get("volumes", ()):
        yield volume["name"], volume
