"""The demo's story on real nodes: all are replaced and a node is drained meanwhile, and nothing is lost.

The tests are one story: each goes on where the one before ended.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from services.verifier.verdict import CLASSES, Verdict
from tests.cluster import images
from tests.cluster.deployed import (
    OURS,
    READY_SECONDS,
    WORKLOADS,
    Deployed,
    deployed,
    eventually,
    name_and_node,
    nodes,
)
from tests.cluster.kubectl import Cluster, Refused

pytestmark = pytest.mark.timeout(3 * READY_SECONDS)

REPLICAS = {"ingest": 2, "churn-predictor": 2, "outreach": 2, "metrics": 1, "tools": 1}
STEPS_BETWEEN = 3
"""Of the story, after each thing that is done to the services."""
SAYS_ENOUGH = "open('/tmp/enough', 'w').close()"
NOBODY_ANSWERED = ("ConnectError", "ReadError", "RemoteProtocolError", "WriteError")


@pytest.fixture(scope="module")
def product(cluster: Cluster) -> Iterator[Deployed]:
    """The product as the production overlay has it with tools, with the users and secrets it asks for."""
    try:
        found = images.ready()
    except images.NoImage as error:
        pytest.fail(str(error), pytrace=False)
    with deployed(cluster, found) as running:
        yield running


@pytest.fixture(scope="module")
def shop(product: Deployed) -> Deployed:
    """The simulated shop, which has begun to publish."""
    product.put_beside("shop")
    wait_for_steps(product)
    return product


@pytest.fixture(scope="module")
def ending(shop: Deployed) -> dict[str, Any]:
    """What the shop found in the end, told that it is enough."""
    shop.tell("exec", "job/shop", "--", "python", "-c", SAYS_ENOUGH)
    shop.finish("shop")
    found: dict[str, Any] = shop.printed("shop")[-1]
    return found


def wait_for_steps(product: Deployed) -> None:
    """Return when the story has gone on by some steps."""
    least = steps_of(product) + STEPS_BETWEEN
    eventually(lambda: steps_of(product) >= least, f"step {least}")


def steps_of(product: Deployed) -> int:
    """Return how far the story is; 0: the shop is not there yet."""
    try:
        told = product.printed("shop")
    except Refused:
        return 0
    return int(told[-1].get("step", 0)) if told else 0


def test_every_replica_is_ready_and_held_to_the_restricted_standard(product: Deployed) -> None:
    namespace = product.cluster.get("namespace", "care-cluster-test")
    labels = namespace["metadata"]["labels"]

    assert Counter(name_and_node(pod)[0] for pod in product.pods()) == REPLICAS
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in product.pods():
        (status,) = pod["status"]["containerStatuses"]
        assert status["ready"], name_and_node(pod)


def test_all_are_replaced_while_events_come(shop: Deployed) -> None:
    """Onto one node, so that the next test has something to drain."""
    before = {pod["metadata"]["uid"] for pod in shop.pods()}
    with only(shop.cluster, nodes(shop.cluster)[-1]):
        shop.tell("rollout", "restart", *WORKLOADS)
        shop.wait_until_ready()
    after = shop.pods()

    assert Counter(name_and_node(pod)[0] for pod in after) == REPLICAS
    assert not before & {pod["metadata"]["uid"] for pod in after}
    wait_for_steps(shop)


@contextmanager
def only(cluster: Cluster, node: str) -> Iterator[None]:
    """Let new pods go to this node alone for a while."""
    others = [each for each in nodes(cluster) if each != node]
    try:
        for each in others:
            cluster.tell("cordon", each)
        yield
    finally:
        for each in others:
            cluster.tell("uncordon", each)


def test_a_node_is_drained_within_the_budgets_while_events_come(shop: Deployed) -> None:
    places = Counter(name_and_node(pod)[1] for pod in shop.pods())
    (node, there), *_ = places.most_common(1)
    if len(nodes(shop.cluster)) < 2:
        pytest.skip("only one node takes pods: what is drained from it has nowhere to go")
    try:
        # Kafka and PostgreSQL have but one copy here: they stay.
        said = shop.cluster.run(
            "drain", node, f"--pod-selector={OURS}", "--delete-emptydir-data",
            f"--timeout={READY_SECONDS}s", seconds=READY_SECONDS + 60,
        )  # fmt: skip
        assert said.code == 0, f"{said.error}\n{shop.state()}"
        shop.wait_until_ready()
        assert node not in {name_and_node(pod)[1] for pod in shop.pods()}
        wait_for_steps(shop)
    finally:
        shop.cluster.tell("uncordon", node)

    assert there == sum(REPLICAS.values())
    # With every replica of a service on it, a node is let go one by one.
    assert "violate the pod's disruption budget" in said.error


def test_the_story_ends_well(ending: dict[str, Any]) -> None:
    """By the demo's own report, which recounts what the metrics service exports."""
    report = ending["report"]

    assert ending["faults"] == []
    assert report["problems"]["opened"] > report["problems"]["cleared"] > 0
    assert report["contacts"]["sent"] > 0
    assert report["metrics"]["series"] > 50
    assert report["metrics"]["differing"] == []


def test_every_event_that_was_acknowledged_is_on_its_topic(ending: dict[str, Any]) -> None:
    assert ending["acknowledged"] > 1000
    assert ending["missing"] == []


def test_nobody_is_written_to_twice_and_no_send_is_in_doubt(ending: dict[str, Any]) -> None:
    contacts = ending["report"]["contacts"]

    # Each decision to write is one mail, or says what became of it.
    ended = sum(contacts[how] for how in ("in_shadow", "sent", "failed", "withdrawn"))
    assert contacts["contact"] == ended
    assert (contacts["double"], contacts["unlabelled"], contacts["unknown"]) == (0, 0, 0)


def test_somebody_answered_at_every_moment(ending: dict[str, Any]) -> None:
    """Connections of their own, four a second, through replacement and drain."""
    knocks = Counter(ending["knocks"])

    assert knocks["200"] > 100
    assert {what: knocks[what] for what in NOBODY_ANSWERED if knocks[what]} == {}


def test_the_verifier_finds_nothing(ending: dict[str, Any], shop: Deployed) -> None:
    """Typed where a person types it, as the operator's Kafka user."""
    said = shop.typed("verify", "--json")
    assert said.code == 0, f"{said.out}\n{said.error}"
    verdict = Verdict.model_validate_json(said.out)

    assert {name: getattr(verdict, name) for name in CLASSES if getattr(verdict, name)} == {}
    # It has looked at all that the predictor's accounts count as read.
    events = ending["report"]["events"]
    assert verdict.counts["events"] == sum(events[how] for how in ("applied", "duplicate", "late"))
    assert verdict.facts_digest == verdict.recomputed_digest
