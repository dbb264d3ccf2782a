"""The production overlay as it is, but for what a cluster to try it in has not got.

That is a Kafka of three brokers, volumes, a registry, room for what production asks for, quick starts, and
time: it is the simulated shop's.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.kubernetes.inspection.objects import Json, Manifests
from deploy.kubernetes.rendering import FOLDER, rendered
from tests.cluster.images import Images

NAMESPACE = "care-cluster-test"
HERE = Path(__file__).parent
PROGRAMS = (
    HERE / "inside" / "story.py",
    HERE / "inside" / "kafka_users.py",
    HERE.parent / "support" / "kafka_grants.py",
)

CONFIGURED: Mapping[str, Mapping[str, str]] = {
    "care": {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9093",
        "CARE_PARTITIONS": "4",
        "CARE_CLOCK": "ticks",
    },
    "topics-apply": {"CARE_REPLICATION": "1"},
    "outreach": {
        # Into the simulated customers' letter boxes, and nowhere else.
        "CARE_OUTREACH_MODE": "live",
        "CARE_OUTREACH_SMTP_HOST": "shop",
        "CARE_OUTREACH_SMTP_PORT": "2525",
        "CARE_OUTREACH_SMTP_STARTTLS": "false",
    },
}
_WITH_PODS = "Deployment|StatefulSet|Job"
_CONTAINER = "/spec/template/spec/containers/0"

Operations = list[dict[str, Any]]


def _patch(operations: Operations, **target: str) -> Json:
    return {"target": target, "patch": yaml.safe_dump(operations)}


def _patches(*, has_volumes: bool) -> list[Json]:
    own: Operations = [
        {"op": "add", "path": f"{_CONTAINER}/imagePullPolicy", "value": "Never"},
        # A machine to try it on has two cores; what is asked for in memory stays.
        {"op": "replace", "path": f"{_CONTAINER}/resources/requests/cpu", "value": "10m"},
    ]
    patient: Operations = [
        {"op": "replace", "path": f"{_CONTAINER}/startupProbe/failureThreshold", "value": 60}
    ]
    two: Operations = [{"op": "replace", "path": "/spec/replicas", "value": 2}]
    if has_volumes:
        place = "/spec/volumeClaimTemplates/0/spec/resources/requests/storage"
        two.append({"op": "replace", "path": place, "value": "1Gi"})
    else:
        two.append({"op": "remove", "path": "/spec/volumeClaimTemplates"})
        two.append({"op": "remove", "path": "/spec/persistentVolumeClaimRetentionPolicy"})
        volume = {"name": "state", "emptyDir": {"sizeLimit": "1Gi"}}
        two.append({"op": "add", "path": "/spec/template/spec/volumes/-", "value": volume})
    return [
        _patch(own, kind=_WITH_PODS),
        _patch(
            patient, kind="Deployment|StatefulSet", name="ingest|churn-predictor|outreach|metrics"
        ),
        _patch(two, kind="StatefulSet", name="churn-predictor"),
    ]


def product(folder: Path, images: Images, *, has_volumes: bool) -> Manifests:
    """Return the production overlay for such a cluster, with the pod for a person's commands.

    Args:
        folder: An empty one, for its kustomization.
        images: Where images are found.
        has_volumes: Whether the cluster makes volumes for claims.
    """
    generated = [
        {"name": name, "behavior": "merge", "literals": [f"{k}={v}" for k, v in values.items()]}
        for name, values in CONFIGURED.items()
    ]
    production = os.path.relpath(FOLDER / "overlays" / "production", folder.resolve())
    content = {
        "namespace": NAMESPACE,
        "resources": [production],
        "components": [os.path.relpath(FOLDER / "components" / "tools", folder.resolve())],
        "configMapGenerator": generated,
        "patches": _patches(has_volumes=has_volumes),
        # The overlay has renamed its own already.
        "images": [
            *images.as_kustomize,
            *(
                {**each, "name": f"registry.example.com/{each['name']}"}
                for each in images.as_kustomize
            ),
        ],
    }
    return _rendered(folder, content)


def beside(folder: Path, images: Images, name: str) -> Manifests:
    """Return what runs beside the product: one of the manifests here, with the programs that it may need.

    Args:
        folder: An empty one, for its kustomization.
        images: Where images are found.
        name: Of the manifest.
    """
    for each in (HERE / "manifests" / f"{name}.yaml", *PROGRAMS):
        (folder / each.name).write_text(each.read_text(encoding="utf-8"), encoding="utf-8")
    content = {
        "namespace": NAMESPACE,
        "resources": [f"{name}.yaml"],
        "configMapGenerator": [{"name": "programs", "files": [each.name for each in PROGRAMS]}],
        "images": images.as_kustomize,
    }
    return _rendered(folder, content)


def _rendered(folder: Path, content: Json) -> Manifests:
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(head | content), encoding="utf-8")
    return rendered(folder)
