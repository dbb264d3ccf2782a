"""What names something else: each name led astray once."""

from typing import Any

import pytest

from deploy.kubernetes.inspection import wiring
from deploy.kubernetes.inspection.objects import Manifests
from tests.deploy.house_rules import JOBS
from tests.deploy.kubernetes.changes import (
    at,
    changed,
    config,
    container,
    environment,
    everything,
    pod,
    spec,
    without,
)

METRICS = ("ServiceMonitor", "care-metrics")


def no_account(m: Manifests) -> None:
    pod(m, "Deployment", "ingest")["serviceAccountName"] = "absent"


def other_pods(m: Manifests) -> None:
    spec(m, "Service", "ingest")["selector"] = {"app.kubernetes.io/name": "absent"}


def other_port(m: Manifests) -> None:
    spec(m, "Service", "outreach")["ports"][1]["targetPort"] = "desk"


def no_governing_service(m: Manifests) -> None:
    spec(m, "StatefulSet", "churn-predictor")["serviceName"] = "absent"


def probe(name: str, **values: Any) -> Any:
    return lambda m: container(m, "Deployment", "metrics")[name]["httpGet"].update(values)


def no_probe(m: Manifests) -> None:
    del container(m, "Deployment", "metrics")["livenessProbe"]


def guards_nothing(m: Manifests) -> None:
    spec(m, "PodDisruptionBudget", "outreach")["selector"] = {"matchLabels": {"a": "b"}}


def other_job(m: Manifests) -> None:
    at(m, "Service", "outreach")["metadata"]["labels"][wiring.JOB] = "writer"


def twice_watched(m: Manifests) -> None:
    spec(m, "ServiceMonitor", "care")["selector"]["matchExpressions"][0]["values"].append("metrics")


def other_label(m: Manifests) -> None:
    spec(m, *METRICS)["jobLabel"] = "app"


def other_path(m: Manifests) -> None:
    spec(m, *METRICS)["endpoints"][0]["path"] = "/figures"


def no_relabelling(m: Manifests) -> None:
    del spec(m, *METRICS)["endpoints"][0]["relabelings"][0]


def watches_nothing(m: Manifests) -> None:
    spec(m, *METRICS)["selector"] = {"matchLabels": {"a": "b"}}


def other_backend(m: Manifests) -> None:
    spec(m, "HTTPRoute", "pages")["rules"][0]["backendRefs"][0]["port"] = 8003


def other_host(m: Manifests) -> None:
    spec(m, "HTTPRoute", "ingest")["hostnames"] = ["other.example.com"]


def other_pages(m: Manifests) -> None:
    config(m, "outreach")["CARE_OUTREACH_PAGES_BASE_URL"] = "https://care.shop.example.com"


def other_names(m: Manifests) -> None:
    spec(m, "Certificate", "care")["dnsNames"].remove("care.example.com")


def other_key(m: Manifests) -> None:
    spec(m, "ExternalSecret", "outreach-pages")["data"][0]["secretKey"] = "secret"


def unwanted_secret(m: Manifests) -> None:
    container(m, "Deployment", "ingest")["env"].remove(
        environment(m, "Deployment", "ingest", "CARE_INGEST_API_KEYS_FILE")
    )


def elsewhere(m: Manifests) -> None:
    at(m, "Service", "ingest")["metadata"]["namespace"] = "other"


def nowhere(m: Manifests) -> None:
    del at(m, "ServiceMonitor", "care")["metadata"]["namespace"]


BROKEN = [
    (elsewhere, "Service ingest: is in namespace other, and the others are not"),
    (nowhere, "ServiceMonitor care: is in namespace default, and the others are not"),
    (no_account, "Deployment ingest: ServiceAccount absent is not there"),
    (other_pods, "Service ingest: takes the pods of 0 workloads"),
    (other_port, "Service outreach: Deployment outreach has no port desk"),
    (no_governing_service, "StatefulSet churn-predictor: Service absent is not there"),
    (probe("readinessProbe", path="/ready"), "readinessProbe asks /ready"),
    (probe("startupProbe", port="metrics"), "startupProbe asks port metrics"),
    (probe("startupProbe", port=8001), "startupProbe asks port 8001"),
    (no_probe, "Deployment metrics: no livenessProbe"),
    (guards_nothing, "PodDisruptionBudget outreach: guards nothing"),
    (guards_nothing, "Deployment outreach: no PodDisruptionBudget"),
    (other_job, "ServiceMonitors: watch"),
    (twice_watched, "ServiceMonitors: watch"),
    (other_label, "ServiceMonitor care-metrics: names jobs by another label"),
    (other_path, "Service metrics has no http/figures"),
    (no_relabelling, "label service of figures is hidden"),
    (watches_nothing, "ServiceMonitor care-metrics: watches nothing"),
    (other_backend, "HTTPRoute pages: no outreach:8003"),
    (other_host, "HTTPRoute ingest: no listener of its name and hosts"),
    (
        other_pages,
        "leads to care.shop.example.com, and the route of the pages is for care.example.com",
    ),
    (other_names, "Gateway care: no certificate for care.example.com"),
    (other_key, "secret outreach-pages: nobody gives secrets"),
    (other_key, "secret outreach-pages: nobody reads secret"),
    (unwanted_secret, "secret ingest-api-keys: nobody reads api-keys.json"),
]


@pytest.mark.parametrize(("change", "fault"), BROKEN, ids=[fault for _, fault in BROKEN])
def test_each_name_leads_astray_once(change: Any, fault: str) -> None:
    found = list(wiring.faults(changed(change)))

    assert any(fault in each for each in found), found


def test_a_certificate_may_come_from_elsewhere() -> None:
    assert list(wiring.faults(without(everything(), "Certificate", "care"))) == []


def test_jobs_are_those_that_rules_ask_for() -> None:
    assert set(JOBS) == wiring.JOBS


def test_figures_of_the_topics_are_one_series_through_every_restart() -> None:
    """As in deploy/prometheus/prometheus.yml: the same instance, and no label of the pod."""
    (endpoint,) = spec(everything(), *METRICS)["endpoints"]
    dropped, replaced = endpoint["relabelings"]

    assert {"pod", "node"} <= set(dropped["regex"].split("|"))
    assert (replaced["targetLabel"], replaced["replacement"]) == ("instance", "metrics:8000")
