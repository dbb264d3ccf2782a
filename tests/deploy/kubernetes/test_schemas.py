"""Schemas: a field of another name is a fault, of Kubernetes' own objects and of operators'."""

from pathlib import Path
from typing import Any

import pytest

from deploy.kubernetes import operators
from deploy.kubernetes.inspection import schemas
from deploy.kubernetes.inspection.objects import Manifests
from tests.deploy.kubernetes.changes import changed, container, everything, spec

FILES = sorted(operators.FOLDER.glob("*.json"))

_ANY = {"openAPIV3Schema": {"type": "object", "properties": {}}}
DEFINITION = {
    "kind": "CustomResourceDefinition",
    "spec": {
        "group": "example.com",
        "names": {"kind": "Thing"},
        "versions": [
            {"name": "v1", "served": True, "schema": _ANY},
            {"name": "v1beta1", "served": False, "schema": _ANY},
        ],
    },
}


def misspelt(m: Manifests) -> None:
    found = container(m, "Deployment", "ingest")
    found["readinesProbe"] = found.pop("readinessProbe")


def of_another_type(m: Manifests) -> None:
    spec(m, "StatefulSet", "churn-predictor")["replicas"] = "three"


def of_another_version(m: Manifests) -> None:
    m.of("PodDisruptionBudget")[0]["apiVersion"] = "policy/v1beta1"


TO_KUBERNETES: list[tuple[Any, str]] = [
    (misspelt, "readinesProbe"),
    (of_another_type, "'three' is not of type 'integer'"),
    (of_another_version, "is not known to Kubernetes"),
]


@pytest.mark.parametrize("version", schemas.VERSIONS)
@pytest.mark.parametrize(("change", "fault"), TO_KUBERNETES)
def test_kubernetes_takes_only_what_it_knows(change: Any, fault: str, version: str) -> None:
    found = list(schemas.faults(changed(change), version))

    assert any(fault in each for each in found), found


def set_in(kind: str, name: str, field: str, value: object) -> Any:
    return lambda m: spec(m, kind, name).update({field: value})


TO_OPERATORS: list[tuple[Any, str]] = [
    (set_in("KafkaTopic", "purchases", "partition", 12), "'partition' was unexpected"),
    (set_in("KafkaTopic", "purchases", "partitions", "12"), "is not of type 'integer'"),
    (set_in("KafkaUser", "care-ingest", "authentication", {"type": "plain"}), "is not one of"),
    (set_in("ScaledObject", "outreach", "coolDownPeriod", 600), "'coolDownPeriod' was unexpected"),
    (set_in("ServiceMonitor", "care", "endpoints", [{"prot": "http"}]), "'prot' was unexpected"),
    (set_in("PrometheusRule", "care-rules-care", "groups", [{}]), "'name' is a required property"),
    (set_in("Certificate", "care", "secretname", "x"), "'secretname' was unexpected"),
    (set_in("ExternalSecret", "outreach-pages", "refresh", "1m"), "'refresh' was unexpected"),
    (set_in("Gateway", "care", "listeners", [{"name": "x"}]), "'port' is a required property"),
    (set_in("HTTPRoute", "pages", "hosts", []), "'hosts' was unexpected"),
    (lambda m: m.of("KafkaTopic")[0].update(apiVersion="kafka.strimzi.io/v1beta2"), "no schema of"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "fault"), TO_OPERATORS)
def test_operators_take_only_what_they_know(change: Any, fault: str) -> None:
    found = list(schemas.operator_faults(changed(change)))

    assert any(fault in each for each in found), found


def test_every_operators_object_is_held_against_a_schema() -> None:
    kinds = {each["apiVersion"].partition("/")[0] for each in everything().objects}

    assert not list(schemas.operator_faults(everything()))
    assert len({kind for kind in kinds if "." in kind and not kind.endswith("k8s.io")}) == 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_schemas_say_where_they_are_from_and_hold_no_words(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert text.startswith('{"$comment":"')
    assert '"description":"' not in text


def test_only_what_is_served_is_kept(tmp_path: Path) -> None:
    assert operators.write(DEFINITION, "here", tmp_path) == ["example.com_v1_thing.json"]


def test_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(operators.NoDefinition, match="a Pod is no"):
        operators.write({"kind": "Pod"}, "here", tmp_path)


def test_what_a_definition_leaves_open_stays_open() -> None:
    field = {"type": "string", "description": "words"}
    closed = {"type": "object", "properties": {"a": field}}

    assert operators.strict(closed)["additionalProperties"] is False
    assert operators.strict(closed)["properties"] == {"a": {"type": "string"}}
    kept = closed | {"x-kubernetes-preserve-unknown-fields": True}
    assert "additionalProperties" not in operators.strict(kept)
    either = closed | {"anyOf": [{"properties": {"a": field}}], "not": {"required": ["b"]}}
    assert "additionalProperties" not in operators.strict(either)["anyOf"][0]
    assert operators.strict(either)["not"] == {"required": ["b"]}
