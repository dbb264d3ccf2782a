"""The verifier over the real predictor on real Kafka: all is good, until somebody tampers with it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result

from services.cli.__main__ import care
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.topics import Topic
from services.kit.kafka_clients import partition_of
from services.verifier.verify import CLASSES, Unreachable, Verdict, read, verify
from tests.factories import DAY, HOUR, START, delivered, handed_over, placed, promised, scanned
from tests.support.service import running
from tests.support.topics import Deployment

pytestmark = pytest.mark.connected

CUSTOMERS = 24
STEPS = 14
PROMISE = START + 5 * DAY


def story(step: int) -> list[Event[Any]]:
    """Return what happens in one step of twelve hours: some parcels come late, some never."""
    at = START + step * 12 * HOUR
    told: list[Event[Any]] = [scanned("sh-x", "o-x", customer="c-x", at=at - HOUR)]
    for n in range(CUSTOMERS):
        who: dict[str, Any] = {"customer": f"c-{n}", "at": at - HOUR}
        names: dict[str, Any] = {"shipment": f"sh-{n}", "order": f"o-{n}"}
        if step == 1:
            told += [placed(f"o-{n}", event_id=f"p-{n}", **who)] * (1 + n % 2)
            told += [promised(**names, by=PROMISE, event_id=f"s-{n}", **who)]
        if step == 2 + n % 7:
            told += [handed_over(**names, event_id=f"h-{n}", **who)]
        if step == 6 + n % 11:
            told += [delivered(**names, event_id=f"d-{n}", **who)]
    return told


@pytest.fixture(scope="module")
def played(kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment at rest: the story was told, and the predictor has left."""
    deployment = Deployment(kafka_bootstrap, f"v{uuid4().hex[:10]}-")
    environment = deployment.environment(CARE_CHURN_PREDICTOR_SESSION_SECONDS="6")
    log: Path = tmp_path_factory.mktemp("predictor") / "log"
    with running("churn_predictor", environment, log) as service:
        deployment.await_barrier(deployment.tick(START))
        for step in range(1, STEPS):
            deployment.publish(*story(step))
            if step == 3:
                deployment.put(t.PURCHASES, b"{", b"c-1")
            number = deployment.tick(START + step * 12 * HOUR)
            if step == 8:
                service.kill()
                service.restart()
            deployment.await_barrier(number)
        assert service.terminate() == 0
    yield deployment
    deployment.close()


def judged(deployment: Deployment) -> Verdict:
    evidence = read(
        deployment.bootstrap, prefix=deployment.prefix, partitions=deployment.partitions
    )
    return verify(evidence)


def command(deployment: Deployment, *more: str) -> Result:
    words = ["verify", "--bootstrap", deployment.bootstrap, "--prefix", deployment.prefix]
    words += ["--partitions", str(deployment.partitions), "--clock", "ticks", *more]
    return CliRunner().invoke(care, words, prog_name="care")


def found(verdict: Verdict) -> dict[str, tuple[str, ...]]:
    return {name: getattr(verdict, name) for name in CLASSES if getattr(verdict, name)}


def test_a_predictor_that_was_killed_is_found_good_and_then_each_forgery_is_found(
    played: Deployment,
) -> None:
    before = judged(played)

    assert found(before) == {}
    assert before.facts_digest == before.recomputed_digest
    assert before.counts["customers"] == CUSTOMERS + 1
    assert before.counts["problem_records"] > 10
    shown = command(played)
    assert (shown.exit_code, shown.output.splitlines()[-1]) == (0, "nothing differs")

    forged = json.loads(_first(played, t.PROBLEMS, "problem.opened").value)
    forged |= {"id": "forged"}
    forged["data"] |= {"problem_id": str(UUID(int=1)), "subject": "sh-forged"}
    customer = forged["partitionkey"].encode()
    played.put(t.PROBLEMS, json.dumps(forged).encode(), customer)
    account = _first(played, t.ACCOUNTS, '"topic":"deliveries"')
    played.put(t.ACCOUNTS, None, account.key, partition=account.partition)
    new = placed("o-new", customer="c-0", at=START + STEPS * 12 * HOUR, event_id="p-new")
    played.publish(new)

    after = judged(played)

    number = partition_of(b"c-0", played.partitions)
    (extra,) = after.problems_extra
    assert extra.startswith(
        f"customer {customer.decode()} {forged['data']['kind']} sh-forged opened"
    )
    assert extra.endswith(f"problem {UUID(int=1)}")
    assert f"deliveries-{account.partition}: no account was published" in after.accounts
    assert any(words.startswith(f"purchases-{number}: ") for words in after.accounts)
    assert [words for words in after.lost if "p-new" in words] == list(after.lost)
    assert found(after).keys() == {"problems_extra", "accounts", "lost", "wrong", "barriers"}
    shown = command(played, "--json")
    assert shown.exit_code == 1
    assert Verdict.model_validate_json(shown.output) == after


def _first(deployment: Deployment, topic: Topic, words: str) -> Any:
    return next(r for r in deployment.records(topic) if words.encode() in (r.value or b""))


def test_a_missing_topic_and_a_wrong_partition_count_are_told(
    played: Deployment, topic_prefix: str
) -> None:
    with pytest.raises(Unreachable, match="there is no topic"):
        read(played.bootstrap, prefix=topic_prefix, partitions=4)
    with pytest.raises(Unreachable, match="has 4 partitions, not 3"):
        read(played.bootstrap, prefix=played.prefix, partitions=3)


def test_no_broker_ends_with_75_and_one_line() -> None:
    words = [sys.executable, "-m", "services.cli", "verify", "--bootstrap", "127.0.0.1:9"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 75
    assert "Kafka does not answer at 127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
