"""How many run, how they end, and how they scale."""

from collections.abc import Iterator, Mapping
from math import ceil

from deploy.kubernetes.inspection.objects import Json, Manifests, Workload, name_of
from services.contracts.topics import DEFAULT_PARTITIONS, TOPICS, Topic, physical_names
from services.ingest.settings import Settings as IngestSettings
from services.kit.kafka_clients import CLOSE_SECONDS
from services.outreach.settings import Settings as OutreachSettings

ALONE = "metrics"
"""Two of it would count everything twice."""

_ANSWER_SECONDS = 3
"""What ingest takes to answer the last requests."""

MEMBER = "CARE_CHURN_PREDICTOR_MEMBER"
"""A worker's own name in its group."""

_ANSWERING = ("ingest", "outreach")
"""What others send requests to through a Service."""

_UNROUTED_SECONDS = 5
"""How long a node may still send requests to a pod that is being taken away."""

_SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")


def faults(manifests: Manifests) -> Iterator[str]:
    """Yield what would lose work, count it twice, or scale without an effect."""
    yield from _leaves(manifests)
    yield from _ends(manifests)
    yield from _alone(manifests)
    yield from _state(manifests)
    yield from _members(manifests)
    yield from _scaled(manifests)
    yield from _by_lag(manifests)
    yield from _topics(manifests)


def _leaves(manifests: Manifests) -> Iterator[str]:
    """Nobody is sent to a pod that no longer listens: it outlives its place in the Service, and says so."""
    for workload in manifests.ours():
        if workload.name not in _ANSWERING:
            continue
        if _stays(workload) < _UNROUTED_SECONDS:
            yield f"{workload}: ends while requests are still sent to it"
        delay = manifests.environment(workload).get("CARE_INGEST_DRAIN_DELAY_SECONDS", "0")
        if workload.name == "ingest" and float(delay) <= 0:
            yield f"{workload}: stops serving before it is not ready"


def _stays(workload: Workload) -> int:
    """Return for how many seconds a pod that is taken away works on before it is told to end."""
    hook: Json = workload.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {})
    return int(hook.get("seconds", 0))


def _ends(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.services():
        needed = _stays(workload) + _seconds_to_end(workload.name, manifests.environment(workload))
        given = workload.pod.get("terminationGracePeriodSeconds", 30)
        if given < needed:
            yield f"{workload}: is killed after {given} s, and needs {needed} to end"


def _seconds_to_end(name: str, environment: Mapping[str, str]) -> int:
    """Return how long a service may take to end by its own settings, in seconds."""

    def told(prefix: str, field: str, default: float) -> float:
        return float(environment.get(f"{prefix}_{field.upper()}", default))

    if name == "ingest":
        fields = ("drain_delay_seconds", "acknowledgement_timeout_seconds")
        waits = (
            told("CARE_INGEST", each, IngestSettings.model_fields[each].default) for each in fields
        )
        return ceil(sum(waits)) + _ANSWER_SECONDS
    if name == "outreach":
        field = "smtp_timeout_seconds"
        silent = told("CARE_OUTREACH", field, OutreachSettings.model_fields[field].default)
        return ceil(silent) + CLOSE_SECONDS
    return CLOSE_SECONDS


def _alone(manifests: Manifests) -> Iterator[str]:
    workload = manifests.named("Deployment", ALONE)
    if workload is None:
        return
    spec = workload["spec"]
    if spec.get("replicas", 1) != 1 or spec.get("strategy", {}).get("type") != "Recreate":
        yield f"Deployment {ALONE}: two of it may run at once"
    for scaler in (each for kind in _SCALERS for each in manifests.of(kind)):
        if scaler["spec"]["scaleTargetRef"]["name"] == ALONE:
            yield f"{scaler['kind']} {name_of(scaler)}: makes two of {ALONE}"


def _state(manifests: Manifests) -> Iterator[str]:
    """A store on disk is on a volume that outlives its pod."""
    for workload in manifests.ours():
        environment = manifests.environment(workload)
        if environment.get("CARE_CHURN_PREDICTOR_STORE") != "rocksdb":
            if workload.spec.get("volumeClaimTemplates"):
                yield f"{workload}: keeps a volume for nothing"
            continue
        claims = {
            each["metadata"]["name"] for each in workload.spec.get("volumeClaimTemplates", ())
        }
        kept = [
            each["mountPath"]
            for each in workload.container["volumeMounts"]
            if each["name"] in claims
        ]
        if environment.get("CARE_CHURN_PREDICTOR_FOLDER") not in kept:
            yield f"{workload}: its store goes with its pod"


def _members(manifests: Manifests) -> Iterator[str]:
    """A worker is called like its pod, whose name comes back in a StatefulSet alone."""
    for workload in manifests.ours():
        entries = workload.container.get("env") or ()
        paths = [_field_of(each) for each in entries if each["name"] == MEMBER]
        if MEMBER in manifests.environment(workload) or any(p != "metadata.name" for p in paths):
            yield f"{workload}: all its workers have one name, and put each other out"
        if paths and workload.kind != "StatefulSet":
            yield f"{workload}: its workers have a new name at each start"


def _field_of(entry: Json) -> str | None:
    path: str | None = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
    return path


def _scaled(manifests: Manifests) -> Iterator[str]:
    for scaler in (each for kind in _SCALERS for each in manifests.of(kind)):
        target = scaler["spec"]["scaleTargetRef"]
        found = manifests.named(target["kind"], target["name"])
        if found is None:
            yield f"{scaler['kind']} {name_of(scaler)}: {target['name']} is not there"
        elif "replicas" in found["spec"]:
            yield f"{scaler['kind']} {name_of(scaler)}: two say how many {target['name']} there are"


def _by_lag(manifests: Manifests) -> Iterator[str]:
    for scaler in manifests.of("ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        found = [
            each
            for each in manifests.ours()
            if (each.kind, each.name) == (target["kind"], target["name"])
        ]
        if not found:
            continue
        environment = manifests.environment(found[0])
        where = f"ScaledObject {name_of(scaler)}"
        if scaler["spec"]["maxReplicaCount"] > _partitions(environment):
            yield f"{where}: more replicas than partitions"
        for trigger in scaler["spec"]["triggers"]:
            told = trigger["metadata"]
            yield from (f"{where}: {each}" for each in _trigger(told, target["name"], environment))


def _trigger(told: Mapping[str, str], name: str, environment: Mapping[str, str]) -> Iterator[str]:
    prefix = environment.get("CARE_TOPIC_PREFIX", "")
    topic = physical_names(TOPICS, prefix).get(told["topic"])
    if told["bootstrapServers"] != environment["KAFKA_BOOTSTRAP_SERVERS"]:
        yield "asks another Kafka"
    if told["consumerGroup"] != f"{prefix}{name}":
        yield f"asks about group {told['consumerGroup']}"
    if topic is None or name.replace("-", "_") not in topic.read_by:
        yield f"{name} does not read {told['topic']}"


def _topics(manifests: Manifests) -> Iterator[str]:
    """Somebody makes the topics, and one alone."""
    made = manifests.of("KafkaTopic")
    by_job = manifests.named("Job", "topics-apply") is not None
    if by_job == bool(made):
        yield "topics: two make them" if made else "topics: nobody makes them"
    ours = manifests.ours()
    if not (made and ours):
        return
    environment = manifests.environment(ours[0])
    prefix, partitions = environment.get("CARE_TOPIC_PREFIX", ""), _partitions(environment)
    wanted: Mapping[str, Topic] = physical_names(TOPICS, prefix)
    found = {each["spec"]["topicName"]: each["spec"] for each in made}
    if found.keys() != wanted.keys():
        yield f"topics: {', '.join(sorted(found.keys() ^ wanted.keys()))} are made or read, and not both"
    if {each["partitions"] for each in found.values()} != {partitions}:
        yield f"topics: have another number of partitions than {partitions}"


def _partitions(environment: Mapping[str, str]) -> int:
    return int(environment.get("CARE_PARTITIONS", DEFAULT_PARTITIONS))
