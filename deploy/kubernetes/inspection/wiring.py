"""What names something else names what is there: Services, probes, budgets, monitors, routes, secrets."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from deploy.kubernetes.inspection import settings
from deploy.kubernetes.inspection.objects import Json, Manifests, name_of, selects
from services.contracts.metric_names import METRICS

JOB = "proactive-care/job"
JOBS = frozenset({"ingest", "churn_predictor", "outreach", "metrics"})
"""What rules, alerts and dashboards ask for."""

_PROBES = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
_PAGES_VARIABLE = "CARE_OUTREACH_PAGES_BASE_URL"
_PAGES = ("outreach", 8002)
"""The Service and port that customers' pages are behind."""
_ADDED = frozenset({"namespace", "service", "pod", "container", "endpoint", "node"})
"""Labels that the Prometheus Operator gives to a target."""


def faults(manifests: Manifests) -> Iterator[str]:
    """Yield every name that leads nowhere."""
    yield from _places(manifests)
    yield from _accounts(manifests)
    yield from _services(manifests)
    yield from _probes(manifests)
    yield from _budgets(manifests)
    yield from _monitors(manifests)
    yield from _routes(manifests)
    yield from _pages(manifests)
    yield from _certificates(manifests)
    yield from _external_secrets(manifests)


def _places(manifests: Manifests) -> Iterator[str]:
    """A name means something of one's own namespace: what is elsewhere is not found by it."""
    homes = {name_of(each) for each in manifests.of("Namespace")}
    if not homes:
        return
    for each in manifests.objects:
        place = each["metadata"].get("namespace", "default")
        if each["kind"] != "Namespace" and place not in homes:
            yield f"{each['kind']} {name_of(each)}: is in namespace {place}, and the others are not"


def _accounts(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.ours():
        name = workload.pod.get("serviceAccountName", "default")
        if manifests.named("ServiceAccount", name) is None:
            yield f"{workload}: ServiceAccount {name} is not there"


def _services(manifests: Manifests) -> Iterator[str]:
    for service in manifests.of("Service"):
        taken = manifests.selected({"matchLabels": service["spec"]["selector"]})
        if len(taken) != 1:
            yield f"Service {name_of(service)}: takes the pods of {len(taken)} workloads"
        for workload in taken:
            for port in service["spec"]["ports"]:
                if workload.number_of(port["targetPort"]) is None:
                    yield f"Service {name_of(service)}: {workload} has no port {port['targetPort']}"
    for workload in manifests.workloads():
        governing = workload.spec.get("serviceName")
        if governing and manifests.named("Service", governing) is None:
            yield f"{workload}: Service {governing} is not there"


def _probes(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.services():
        for probe, path in _PROBES.items():
            asked = workload.container.get(probe, {}).get("httpGet")
            if asked is None:
                yield f"{workload}: no {probe}"
            elif asked["path"] != path:
                yield f"{workload}: {probe} asks {asked['path']}"
            elif workload.number_of(asked["port"]) is None:
                yield f"{workload}: {probe} asks port {asked['port']}, which is not there"


def _budgets(manifests: Manifests) -> Iterator[str]:
    guarded = set()
    for budget in manifests.of("PodDisruptionBudget"):
        taken = manifests.selected(budget["spec"]["selector"])
        guarded |= {each.name for each in taken}
        if not taken:
            yield f"PodDisruptionBudget {name_of(budget)}: guards nothing"
    for workload in manifests.services():
        if workload.name not in guarded:
            yield f"{workload}: no PodDisruptionBudget"


def _monitors(manifests: Manifests) -> Iterator[str]:
    monitors = manifests.of("ServiceMonitor")
    watched: dict[str, int] = {}
    for monitor in monitors:
        taken = [
            each
            for each in manifests.of("Service")
            if selects(monitor["spec"]["selector"], each["metadata"].get("labels", {}))
        ]
        if not taken:
            yield f"ServiceMonitor {name_of(monitor)}: watches nothing"
        for service in taken:
            job = service["metadata"]["labels"][JOB]
            watched[job] = watched.get(job, 0) + 1
            yield from _endpoints(monitor, service)
        yield from _kept_labels(monitor)
    if monitors and watched != dict.fromkeys(JOBS, 1):
        yield f"ServiceMonitors: watch {dict(sorted(watched.items()))}"


def _endpoints(monitor: Json, service: Json) -> Iterator[str]:
    ports = {each["name"] for each in service["spec"]["ports"]}
    if monitor["spec"].get("jobLabel") != JOB:
        yield f"ServiceMonitor {name_of(monitor)}: names jobs by another label than {JOB}"
    for endpoint in monitor["spec"]["endpoints"]:
        if endpoint["port"] not in ports or endpoint.get("path") != "/metrics":
            yield (
                f"ServiceMonitor {name_of(monitor)}: Service {name_of(service)} has no "
                f"{endpoint['port']}{endpoint.get('path')}"
            )


def _kept_labels(monitor: Json) -> Iterator[str]:
    """A label of the target that a figure has too would rename the figure's."""
    figures = {label for metric in METRICS for label in metric.labels}
    for endpoint in monitor["spec"]["endpoints"]:
        dropped = {
            label
            for each in endpoint.get("relabelings", ())
            if each["action"] == "labeldrop"
            for label in each["regex"].split("|")
        }
        for label in sorted((_ADDED & figures) - dropped):
            yield f"ServiceMonitor {name_of(monitor)}: label {label} of figures is hidden by the target's"


def _routes(manifests: Manifests) -> Iterator[str]:
    for route in manifests.of("HTTPRoute"):
        yield from _parents(manifests, route)
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                service = manifests.named("Service", backend["name"])
                ports = [each["port"] for each in service["spec"]["ports"]] if service else []
                if backend["port"] not in ports:
                    yield f"HTTPRoute {name_of(route)}: no {backend['name']}:{backend['port']}"


def _pages(manifests: Manifests) -> Iterator[str]:
    """The links in mails lead to the public name of the pages, and not to another."""
    public = {
        host
        for route in manifests.of("HTTPRoute")
        for rule in route["spec"]["rules"]
        if _PAGES in {(b["name"], b["port"]) for b in rule["backendRefs"]}
        for host in route["spec"]["hostnames"]
    }
    for workload in manifests.ours() if public else ():
        linked = urlsplit(manifests.environment(workload).get(_PAGES_VARIABLE, "")).hostname
        if linked and linked not in public:
            yield (
                f"{workload}: {_PAGES_VARIABLE} leads to {linked}, and the route of the pages is for "
                f"{', '.join(sorted(public))}"
            )


def _parents(manifests: Manifests, route: Json) -> Iterator[str]:
    for parent in route["spec"]["parentRefs"]:
        gateway = manifests.named("Gateway", parent["name"])
        listeners: list[Json] = gateway["spec"]["listeners"] if gateway else []
        there = [each for each in listeners if each["name"] == parent["sectionName"]]
        if [each["hostname"] for each in there] != route["spec"]["hostnames"]:
            yield f"HTTPRoute {name_of(route)}: no listener of its name and hosts"


def _certificates(manifests: Manifests) -> Iterator[str]:
    made = {
        each["spec"]["secretName"]: each["spec"]["dnsNames"] for each in manifests.of("Certificate")
    }
    if not made:
        return
    for gateway in manifests.of("Gateway"):
        for listener in gateway["spec"]["listeners"]:
            for secret in listener["tls"]["certificateRefs"]:
                if listener["hostname"] not in made.get(secret["name"], ()):
                    yield f"Gateway {name_of(gateway)}: no certificate for {listener['hostname']}"


def _external_secrets(manifests: Manifests) -> Iterator[str]:
    given = {
        (each["spec"]["target"]["name"], item["secretKey"])
        for each in manifests.of("ExternalSecret")
        for item in each["spec"]["data"]
    }
    if not given:
        return
    wanted = settings.secrets(manifests, settings.is_of_ours)
    yield from (f"secret {name}: nobody gives {key}" for name, key in sorted(wanted - given))
    yield from (f"secret {name}: nobody reads {key}" for name, key in sorted(given - wanted))
