"""Network policies: a way too few, a way too many."""

from typing import Any

import pytest

from deploy.kubernetes.inspection import network
from deploy.kubernetes.inspection.objects import Json, Manifests
from tests.deploy.kubernetes.changes import bare, changed, config, everything, spec, without

POLICY = "NetworkPolicy"


def rule(m: Manifests, name: str, way: str) -> Json:
    found: Json = spec(m, POLICY, name)[way][0]
    return found


def kafka_elsewhere(m: Manifests) -> None:
    config(m, "care")["KAFKA_BOOTSTRAP_SERVERS"] = "kafka:9093,kafka:9094"


def mail_elsewhere(m: Manifests) -> None:
    config(m, "outreach")["CARE_OUTREACH_SMTP_PORT"] = "465"


def kafka_for_the_database_job(m: Manifests) -> None:
    spec(m, POLICY, "kafka")["podSelector"]["matchExpressions"][0]["values"].append("db-upgrade")


def metrics_in_the_open(m: Manifests) -> None:
    del spec(m, POLICY, "default-deny")["podSelector"]["matchLabels"]
    spec(m, POLICY, "default-deny")["podSelector"]["matchExpressions"] = [
        {"key": "app.kubernetes.io/name", "operator": "NotIn", "values": ["metrics"]}
    ]


def about_nobody(m: Manifests) -> None:
    spec(m, POLICY, "ingest")["podSelector"] = {"matchLabels": {"app.kubernetes.io/name": "absent"}}


def unasked(m: Manifests) -> None:
    del spec(m, POLICY, "monitoring")["ingress"]


def own_networks(m: Manifests) -> None:
    rule(m, "outreach", "egress")["to"][0]["ipBlock"]["except"].remove("169.254.0.0/16")


def anywhere(m: Manifests) -> None:
    del rule(m, "postgresql", "egress")["to"]


def kafka_by_other_addresses_and_port(m: Manifests) -> None:
    rule(m, "kafka", "egress").update(
        to=[{"ipBlock": {"cidr": "192.0.2.0/28"}}], ports=[{"protocol": "TCP", "port": 9096}]
    )


def database_everywhere(m: Manifests) -> None:
    rule(m, "postgresql", "egress")["to"] = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]


def database_in_half_of_the_world(m: Manifests) -> None:
    rule(m, "postgresql", "egress")["to"] = [{"ipBlock": {"cidr": "0.0.0.0/1"}}]


def metadata_of_clouds(m: Manifests) -> None:
    rule(m, "outreach", "egress")["to"] = [{"ipBlock": {"cidr": "169.254.169.254/32"}}]


def figures_for_the_world(m: Manifests) -> None:
    rule(m, "outreach", "ingress")["ports"].append({"protocol": "TCP", "port": "http"})


def tools_cut_off(m: Manifests) -> None:
    rule(m, "tools", "egress")["to"].pop()


def tools_to_another_port(m: Manifests) -> None:
    rule(m, "tools", "egress")["ports"][0]["port"] = 8001


def unheard(m: Manifests) -> None:
    spec(m, POLICY, "asked-by-tools")["podSelector"]["matchExpressions"][0]["values"] = ["metrics"]


def outreach_for_tools(m: Manifests) -> None:
    spec(m, POLICY, "asked-by-tools")["podSelector"]["matchExpressions"][0]["values"].append(
        "outreach"
    )


def no_database_for_tools(m: Manifests) -> None:
    spec(m, POLICY, "postgresql")["podSelector"]["matchExpressions"][0]["values"].remove("tools")


BROKEN = [
    (tools_cut_off, "Deployment tools: cannot get out to metrics 8000"),
    (tools_to_another_port, "Deployment tools: may get out to ingest 8001, and need not"),
    (unheard, "Deployment ingest: cannot get in from tools http"),
    (outreach_for_tools, "Deployment outreach: may get in from tools http, and need not"),
    (no_database_for_tools, "Deployment tools: cannot get out to postgresql 5432"),
    (kafka_elsewhere, "Deployment ingest: cannot get out to kafka 9094"),
    (mail_elsewhere, "Deployment outreach: cannot get out to internet 465"),
    (mail_elsewhere, "Deployment outreach: may get out to internet 587, and need not"),
    (kafka_for_the_database_job, "Job db-upgrade: may get out to kafka 9093, and need not"),
    (metrics_in_the_open, "Deployment metrics: is open to all that no policy names"),
    (about_nobody, "NetworkPolicy ingest: is about nobody"),
    (about_nobody, "Deployment ingest: cannot get in from gateway http"),
    (unasked, "StatefulSet churn-predictor: cannot get in from monitoring http"),
    (own_networks, "NetworkPolicy outreach: the internet is let go to networks of its own"),
    (anywhere, "NetworkPolicy postgresql: lets go everywhere"),
    (kafka_by_other_addresses_and_port, "Deployment ingest: cannot get out to kafka 9093"),
    (kafka_by_other_addresses_and_port, "Deployment ingest: may get out to kafka 9096, and need"),
    (database_everywhere, "NetworkPolicy postgresql: the internet is let go to networks of its"),
    (database_everywhere, "Job db-upgrade: may get out to internet 5432, and need not"),
    (database_in_half_of_the_world, "NetworkPolicy postgresql: the internet is let go to networks"),
    (metadata_of_clouds, "NetworkPolicy outreach: the internet is let go to networks of its own"),
    (figures_for_the_world, "Deployment outreach: may get in from gateway http, and need not"),
]


@pytest.mark.parametrize(("change", "fault"), BROKEN, ids=[fault for _, fault in BROKEN])
def test_each_way_is_told(change: Any, fault: str) -> None:
    found = list(network.faults(changed(change)))

    assert any(fault in each for each in found), found


def test_without_policies_there_is_nothing_to_say() -> None:
    assert list(network.faults(bare())) == []


def test_what_is_open_to_tools_is_open_before_they_are_there() -> None:
    assert list(network.faults(without(everything(), "Deployment", "tools"))) == []


def test_without_names_nothing_is_found() -> None:
    found = list(network.faults(without(everything(), POLICY, "dns")))

    assert "Deployment ingest: cannot get out to dns 53" in found
