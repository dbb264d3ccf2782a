"""Kubernetes' own schemas and those of operators, strictly: a field of another name is a fault."""

import json
from collections.abc import Iterator
from functools import cache

from kubernetes_validate.utils import SchemaNotFoundError, ValidationError, validate

from deploy.kubernetes import operators
from deploy.kubernetes.inspection.objects import Json, Manifests, name_of

VERSIONS = ("1.35", "1.36", "1.37")

_OPERATORS = frozenset(
    {
        *("kafka.strimzi.io", "keda.sh", "monitoring.coreos.com"),
        *("cert-manager.io", "external-secrets.io", "gateway.networking.k8s.io"),
    }
)
"""Their API groups."""


def faults(manifests: Manifests, version: str) -> Iterator[str]:
    """Yield what a version of Kubernetes would not take, as far as it is Kubernetes' own."""
    for content in manifests.objects:
        if not _is_operators(content):
            fault = _fault(json.dumps(content, sort_keys=True), version)
            if fault is not None:
                yield f"{content['kind']} {name_of(content)}: {fault}"


def operator_faults(manifests: Manifests) -> Iterator[str]:
    """Yield what an operator would not take."""
    for content in manifests.objects:
        if _is_operators(content):
            found = operators.faults(content)
            yield from (f"{content['kind']} {name_of(content)}: {each}" for each in found)


def _is_operators(content: Json) -> bool:
    return content["apiVersion"].partition("/")[0] in _OPERATORS


@cache
def _fault(content: str, version: str) -> str | None:
    """Once for each object: combinations have most of theirs in common."""
    try:
        validate(json.loads(content), version, strict=True)
    except ValidationError as error:
        return f"{error.message} (Kubernetes {version})"
    except SchemaNotFoundError:
        return f"is not known to Kubernetes {version}"
    return None
