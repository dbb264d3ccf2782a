"""The metrics service as a process on a real Kafka: a story by hand, its figures, and its ends."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.structs import OffsetAndMetadata

from services.contracts import topics as t
from services.contracts.stream import Account
from services.kit.dead_letters import headers_for
from services.kit.exits import Unavailable
from services.kit.kafka_admin import apply_topics
from services.metrics.figures.outreach_steps import STAGES
from services.metrics.service import serve
from services.metrics.settings import Settings
from tests.support.metrics_process import PARTITIONS, Broker, Service, run, until
from tests.unit.metrics.stories import (
    barrier,
    cleared,
    complained,
    decided,
    opened,
    placed,
    sent,
    started,
)

pytestmark = pytest.mark.connected

LAG_SECONDS = 3_600


Start = Callable[[], Service]


@pytest.fixture
def broker(kafka_bootstrap: str, topic_prefix: str) -> Iterator[Broker]:
    """A broker that has the topics."""
    apply_topics(kafka_bootstrap, partitions=PARTITIONS, prefix=topic_prefix)
    found = Broker(kafka_bootstrap, topic_prefix)
    yield found
    for producer in found.producers:
        producer.close(timeout=5)


@pytest.fixture
def start(broker: Broker, tmp_path: Path) -> Iterator[Start]:
    """A way to start the service and wait until it is ready."""
    started: list[Service] = []

    def begin() -> Service:
        address_file = tmp_path / f"address-{len(started)}"
        process = run(
            broker.bootstrap, broker.prefix, more={"CARE_METRICS_ADDRESS_FILE": str(address_file)}
        )
        started.append(Service(process, address_file))
        until(lambda: started[-1].get("/readyz")[0] == 200)
        return started[-1]

    yield begin
    for service in started:
        service.process.kill()
        service.process.communicate()


def write_story(broker: Broker) -> None:
    """o-1 (partition 0): opened 06:00, we write 07:00, complaint 12:00, cleared 20:00.
    o-2 (partition 1): complaint 03:00, nobody wrote.  Both settled by the barriers of 24:00."""
    plain = broker.producer()
    broker.write(plain, placed("o-1"), complained("o-1", 12), complained("o-2", 3, partition=1))
    broker.raw(plain, t.PURCHASES, key=b"c-1", value=b"{", partition=0)
    broker.raw(
        plain, t.TICKS, value=b'{"number":1,"at":"2026-03-02T00:00:00Z","ends":{}}', partition=0
    )
    letter = headers_for(
        service="churn_predictor",
        reason="not_json",
        detail="",
        topic=t.PURCHASES,
        partition=0,
        offset=1,
    )
    broker.raw(plain, t.dead_letter(t.PURCHASES), value=b"{", headers=letter, partition=0)
    broker.write(plain, decided("o-1", 7), started("o-1", 7), sent("o-1", 7))
    broker.write(plain, barrier(24), barrier(24, partition=1))

    predictor = broker.producer(transactional_id=f"{broker.prefix}predictor")
    predictor.init_transactions()
    account = Account(topic="purchases", partition=0, next_offset=2, applied=1, dead_lettered=1)
    predictor.begin_transaction()
    broker.write(predictor, opened("o-1", 6), barrier(24, t.PROBLEMS))
    broker.raw(
        predictor, t.ACCOUNTS, key=account.key.encode(), value=account.model_dump_json().encode()
    )
    predictor.commit_transaction()
    predictor.begin_transaction()
    broker.write(predictor, opened("o-2", 6))
    predictor.abort_transaction()
    predictor.begin_transaction()
    broker.write(predictor, cleared("o-1", 20))
    predictor.commit_transaction()


def buckets(name: str, *bounds: str, labels: str = "") -> dict[str, float]:
    """Return one observation in each of these buckets."""
    return {f"{name}_bucket{{{labels}le={bound}}}": 1 for bound in (*bounds, "+Inf")}


STORY = {
    "care_events_total{topic=purchases,type=care.order.placed.v1}": 1,
    "care_events_total{topic=purchases,type=unreadable}": 1,
    "care_events_total{topic=contacts,type=care.contact.opened.v1}": 2,
    "care_events_total{topic=problems,type=care.problem.opened.v1}": 1,
    "care_events_total{topic=problems,type=care.problem.cleared.v1}": 1,
    "care_events_total{topic=outreach,type=care.outreach.decided.v1}": 1,
    "care_events_total{topic=outreach,type=care.outreach.started.v1}": 1,
    "care_events_total{topic=outreach,type=care.outreach.sent.v1}": 1,
    **{f"care_outreach_steps_total{{stage={stage}}}": 1 for stage in STAGES},
    "care_problems_opened_total{kind=delivery_delay}": 1,
    "care_problems_cleared_total{clearing=solved,kind=delivery_delay}": 1,
    "care_decisions_total{outcome=contact,playbook=delivery_late}": 1,
    "care_contacts_total{channel=email,outcome=sent,playbook=delivery_late}": 1,
    "care_complaints_total{reached_first=true}": 1,
    "care_complaints_total{reached_first=false}": 1,
    **buckets(
        "care_lead_time_seconds",
        *("21600.0", "43200.0", "86400.0", "172800.0", "259200.0", "432000.0", "604800.0"),
        "1.2096e+06",
    ),
    **buckets(
        "care_problem_to_contact_seconds",
        *("3600.0", "21600.0", "43200.0", "86400.0", "259200.0"),
        labels="held=false,",
    ),
    "care_problem_to_contact_seconds_count{held=false}": 1,
    "care_problem_to_contact_seconds_sum{held=false}": 3600,
    "care_dead_letters_total{reason=not_json,topic=purchases}": 1,
    "care_accounted_records{outcome=applied,topic=purchases}": 1,
    "care_accounted_records{outcome=dead_lettered,topic=purchases}": 1,
}


def test_a_story_by_hand_gives_its_figures_also_after_a_kill(broker: Broker, start: Start) -> None:
    write_story(broker)
    first = start()
    before = first.figures()
    assert of_the_story(before) == STORY

    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    second = start()
    assert second.figures() == before

    broker.write(broker.producer(), complained("o-3", 5), barrier(48))
    wanted = STORY | {
        "care_events_total{topic=contacts,type=care.contact.opened.v1}": 3,
        "care_complaints_total{reached_first=false}": 2,
    }
    until(lambda: of_the_story(second.figures()) == wanted)
    assert second.end(signal.SIGTERM) == 0


def of_the_story(figures: dict[str, float]) -> dict[str, float]:
    """Return the figures of the metrics that the story names; each family has golden tests of its own."""
    named = {name.split("{")[0] for name in STORY}
    return {name: n for name, n in figures.items() if name.split("{")[0] in named}


def test_lag_is_the_age_of_the_oldest_record_a_service_has_not_committed(
    broker: Broker, start: Start
) -> None:
    """Contacts: two records, the first an hour old, the second fresh.  The predictor has committed
    the first, outreach none; problems end in a transaction's marker that outreach has not passed."""
    writer = broker.producer()
    broker.write(writer, complained("o-1", 1), age_seconds=LAG_SECONDS)
    broker.write(writer, complained("o-2", 2))
    predictor = broker.producer(transactional_id=f"{broker.prefix}predictor")
    predictor.init_transactions()
    predictor.begin_transaction()
    broker.write(predictor, opened("o-1", 6), age_seconds=LAG_SECONDS)
    predictor.commit_transaction()
    commit(broker, "churn-predictor", t.CONTACTS, 1)
    commit(broker, "outreach", t.PROBLEMS, 1)

    service = start()
    behind = {
        "care_lag_seconds{service=outreach,topic=contacts}",
        "care_lag_seconds{service=churn_predictor,topic=contacts}",
    }
    until(lambda: lags(service).keys() == behind)
    lag = lags(service)

    assert lag["care_lag_seconds{service=outreach,topic=contacts}"] == pytest.approx(
        LAG_SECONDS, abs=60
    )
    assert lag["care_lag_seconds{service=churn_predictor,topic=contacts}"] < 60

    commit(broker, "outreach", t.CONTACTS, 2)
    commit(broker, "churn-predictor", t.CONTACTS, 2)
    until(lambda: not lags(service))


def lags(service: Service) -> dict[str, float]:
    """Return the lags that are not 0."""
    return {name: age for name, age in service.samples().items() if name.startswith("care_lag")}


def commit(broker: Broker, group: str, topic: t.Topic, offset: int) -> None:
    """Commit this offset of partition 0 for a group of the deployment."""
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    place = TopicPartition(topic.physical(broker.prefix), 0)
    admin.alter_group_offsets(f"{broker.prefix}{group}", {place: OffsetAndMetadata(offset, "", -1)})
    admin.close()


def last_words(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Return exit code and output."""
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def test_without_a_broker_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a client looks for one, and how a service then ends, ingest's tests show."""
    monkeypatch.setattr("services.kit.kafka_clients.BOOTSTRAP_MS", 200)
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1")

    with pytest.raises(Unavailable, match="KAFKA_BOOTSTRAP_SERVERS"):
        serve(settings)


def test_without_topics_it_says_how_to_make_them_and_ends_with_75(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    code, output = last_words(run(kafka_bootstrap, topic_prefix))

    assert code == 75
    assert "care topics apply" in output
    assert "Traceback" not in output


def test_with_another_partition_count_it_refuses_and_ends_with_75(broker: Broker) -> None:
    code, output = last_words(run(broker.bootstrap, broker.prefix, partitions=PARTITIONS + 1))

    assert code == 75
    assert f"CARE_PARTITIONS={PARTITIONS}" in output
    assert "Traceback" not in output


def test_a_topic_made_anew_under_it_ends_it_with_75(broker: Broker, start: Start) -> None:
    """To read on from the new topic's beginning would count on top of what no longer exists."""
    broker.write(broker.producer(), placed("o-1"), placed("o-2"))
    service = start()

    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.delete_topics([t.PURCHASES.physical(broker.prefix)])
    until(lambda: t.PURCHASES.physical(broker.prefix) not in admin.list_topics())
    admin.close()
    apply_topics(broker.bootstrap, partitions=PARTITIONS, prefix=broker.prefix)
    broker.write(broker.producer(), placed("o-3"))

    code, output = last_words(service.process)
    assert code == 75, output
    assert "delete the topic metrics-state" in output
