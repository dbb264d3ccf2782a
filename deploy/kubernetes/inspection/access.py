"""Kafka users: who shows Kafka which name, with which secret, and what that user may do."""

from collections.abc import Iterator

from deploy.kubernetes.inspection import settings
from deploy.kubernetes.inspection.objects import TOOLS, Json, Manifests, Workload, name_of
from deploy.kubernetes.users import CLUSTER, kafka_users
from services.contracts.access import OPERATOR, SERVICES, TOPIC_MAKER

_USERNAME = "KAFKA_SASL_USERNAME"


def faults(manifests: Manifests) -> Iterator[str]:
    """Yield where users, their secrets and what they may do differ, as far as users are objects here."""
    users = {name_of(each): each for each in manifests.of("KafkaUser")}
    for workload in manifests.ours():
        environment = manifests.environment(workload)
        if users and _USERNAME in environment:
            found = _of_user(workload, users, environment[_USERNAME], environment)
            yield from (f"{workload}: {each}" for each in found)
    if users:
        yield from _secrets(manifests, users)
    for scaler in manifests.of("ScaledObject"):
        yield from (
            f"ScaledObject {name_of(scaler)}: {each}" for each in _of_scaler(manifests, scaler)
        )


def _of_user(
    workload: Workload, users: dict[str, Json], name: str, environment: dict[str, str]
) -> Iterator[str]:
    if name not in users:
        yield f"KafkaUser {name} is not there"
        return
    prefix = environment.get("CARE_TOPIC_PREFIX", "")
    (wanted,) = kafka_users([_principal(workload)], prefix)
    if users[name]["spec"] != wanted["spec"]:
        yield f"KafkaUser {name} may do something else than it needs"


def _principal(workload: Workload) -> str:
    last = workload.container["args"][-1]
    if workload.name == TOOLS:
        return OPERATOR
    return last if last in SERVICES else TOPIC_MAKER


def _secrets(manifests: Manifests, users: dict[str, Json]) -> Iterator[str]:
    """Strimzi makes a secret for each user, and one for the authority of each cluster."""
    clusters = {each["metadata"].get("labels", {}).get(CLUSTER) for each in users.values()}
    made = {(name, "password") for name in users}
    made |= {(f"{cluster}-cluster-ca-cert", "ca.crt") for cluster in clusters}
    wanted = settings.secrets(manifests, settings.is_of_kafka)
    yield from (f"secret {name}: Strimzi makes no {key}" for name, key in sorted(wanted - made))


def _of_scaler(manifests: Manifests, scaler: Json) -> Iterator[str]:
    target = scaler["spec"]["scaleTargetRef"]
    workload = next(
        (
            each
            for each in manifests.ours()
            if (each.kind, each.name) == (target["kind"], target["name"])
        ),
        None,
    )
    if workload is None:
        return
    mounted = {
        volume["secret"]["secretName"] for volume in workload.pod["volumes"] if "secret" in volume
    }
    for trigger in scaler["spec"]["triggers"]:
        name = trigger.get("authenticationRef", {}).get("name", "")
        shown = manifests.named("TriggerAuthentication", name)
        if shown is None:
            yield f"shows Kafka nothing: TriggerAuthentication {name or 'of any name'} is not there"
            continue
        secrets = {each["name"] for each in shown["spec"]["secretTargetRef"]}
        containers = {each["containerName"] for each in shown["spec"]["env"]}
        if not secrets <= mounted or containers != {workload.container["name"]}:
            yield f"TriggerAuthentication {name} is another's"
