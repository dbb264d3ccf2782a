"""What a running Faust does by itself, seen from outside on a real Kafka.

One worker of Faust's own and one of ours run once for the whole module; each test looks at one fact.
"""

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from services.local.ports import free_port
from tests.support.topics import wait_for
from tests.upstream.conftest import create_topic

pytestmark = pytest.mark.connected

ROOT = Path(__file__).parents[2]
BAD_OFFSET = 2
SIX = [str(n).encode() for n in range(6)]
NO_NUMBER, NO_JSON = b'{"number": "zz"}', b'{"number": '
ORDERS = [b'{"number": 0}', NO_NUMBER, NO_JSON, b'{"number": 3}']
SENT = {"raised": SIX, "manual": SIX, "overtaken": SIX, "typed": ORDERS, "cancelled": [b"0"]}
ABORTED, COMMITTED = 0, 2
"""Offsets on the topic `aborted`; between them stands a marker."""


@dataclass(frozen=True)
class Observed:
    """What was seen of both workers."""

    seen: Mapping[str, list[int]]
    """Agent → offsets of the records it was given."""
    committed: Mapping[str, int]
    """Topic → the group's offset while the worker ran."""
    committed_at_end: Mapping[str, int]
    """The same after SIGTERM."""
    listening: list[tuple[str, int]]
    listening_ours: list[tuple[str, int]]
    port: int
    log: str


@pytest.fixture(scope="module")
def observed(kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    folder = tmp_path_factory.mktemp("faust")
    return _observe(kafka_bootstrap, f"t{uuid4().hex[:10]}-", folder)


def _observe(bootstrap: str, prefix: str, folder: Path) -> Observed:
    _publish(bootstrap, prefix)
    port = free_port()
    environment = {
        "UPSTREAM_BOOTSTRAP": bootstrap,
        "UPSTREAM_PREFIX": prefix,
        "UPSTREAM_PORT": str(port),
        "UPSTREAM_BAD_OFFSET": str(BAD_OFFSET),
    }
    theirs = ["faust", "-A", "tests.upstream.faust_defects", "worker", "-l", "warn"]
    with ExitStack() as stack:
        enter = stack.enter_context
        group = enter(closing(_Group(bootstrap, prefix)))
        faust = enter(_running(theirs, environment, folder / "theirs"))
        ours = enter(_running(["tests.upstream.our_worker"], environment, folder / "ours"))
        # Looked for until it is so; where an upgrade mends it, the tests say what is different.
        try:
            wait_for(lambda: _is_done(folder, group), "all records", seconds=20)
        except AssertionError as late:
            print(late)
        committed = group.committed()
        listening, listening_ours = _listening(faust), _listening(ours)
        for process in (faust, ours):
            process.terminate()
            process.wait(30)
        return Observed(
            _seen(folder),
            committed,
            group.committed(),
            listening,
            listening_ours,
            port,
            (folder / "theirs" / "log").read_text(),
        )


def _publish(bootstrap: str, prefix: str) -> None:
    for name in (*SENT, "aborted"):
        create_topic(bootstrap, prefix + name)
    producer = Producer({"bootstrap.servers": bootstrap})
    for name, values in SENT.items():
        for value in values:
            producer.produce(prefix + name, value)
    producer.flush(30)
    writer = Producer({"bootstrap.servers": bootstrap, "transactional.id": prefix})
    writer.init_transactions(30)
    for end in (writer.abort_transaction, writer.commit_transaction):
        writer.begin_transaction()
        writer.produce(f"{prefix}aborted", b"0")
        writer.flush(30)
        end(30)


@contextmanager
def _running(
    command: list[str], environment: Mapping[str, str], folder: Path
) -> "Iterator[subprocess.Popen[bytes]]":
    folder.mkdir()
    (folder / "seen").touch()
    mine = {**os.environ, **environment, "UPSTREAM_SEEN": str(folder / "seen")}
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", *command], env=mine, cwd=ROOT, stdout=log, stderr=log
        )
        try:
            yield started
        finally:
            if started.poll() is None:
                started.kill()
                started.wait()


_patient = Retrying(
    # A group's coordinator of a broker that has just started loads for a moment.
    retry=retry_if_exception_type(KafkaException),
    wait=wait_fixed(0.1),
    stop=stop_after_delay(30),
    reraise=True,
)


class _Group:
    """What Faust's group has committed; the consumer never joins it."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._prefix = prefix
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"{prefix}defects"})

    def close(self) -> None:
        self._consumer.close()

    def committed(self) -> dict[str, int]:
        asked = [TopicPartition(self._prefix + name, 0) for name in SENT]
        found = _patient(self._consumer.committed, asked, 10)
        return {p.topic.removeprefix(self._prefix): p.offset for p in found if p.offset >= 0}


def _seen(folder: Path) -> dict[str, list[int]]:
    seen: dict[str, list[int]] = defaultdict(list)
    for owner in ("theirs", "ours"):
        for line in (folder / owner / "seen").read_text().splitlines():
            agent, offset = line.split()
            seen[agent].append(int(offset))
    return seen


def _is_done(folder: Path, group: _Group) -> bool:
    seen, committed = _seen(folder), group.committed()
    return (
        all(committed.get(name) == len(SENT[name]) for name in SENT if name != "cancelled")
        and bool(seen["cancelled"])
        and COMMITTED in seen["aborted"]
        and COMMITTED in seen["ours"]
    )


def _listening(process: "subprocess.Popen[bytes]") -> list[tuple[str, int]]:
    connections = psutil.Process(process.pid).net_connections(kind="inet")
    return [c.laddr[:2] for c in connections if c.status == psutil.CONN_LISTEN]


def test_an_error_in_an_agent_acknowledges_the_record_it_failed_on(observed: Observed) -> None:
    """Avoided: any error in a slice ends the process (`faust_slices._deadly`)."""
    assert observed.seen["raised"] == [n for n in range(6) if n != BAD_OFFSET]
    assert observed.committed["raised"] == 6


def test_acknowledging_by_hand_does_not_keep_what_was_not_acknowledged(observed: Observed) -> None:
    """Avoided: the host's own state says where to read on (`_SliceConsumer.perform_seek`)."""
    assert observed.seen["manual"] == [n for n in range(6) if n != BAD_OFFSET]
    assert observed.committed["manual"] == 6


def test_a_typed_topic_drops_a_malformed_record_and_crashes_its_agent(observed: Observed) -> None:
    """Avoided: bytes are read by `records.read_event`; the unreadable are dead letters."""
    assert observed.seen["typed"] == [0, 1, 3]
    assert observed.committed["typed"] == 4
    assert "Crashed reason=ValueDecodeError" in observed.log


def test_a_typed_topic_lets_a_wrong_type_through(observed: Observed) -> None:
    """Avoided: `records.read_event` validates strictly."""
    assert ORDERS.index(NO_NUMBER) in observed.seen["typed"]


def test_with_concurrency_the_group_is_told_of_a_record_that_is_in_work(observed: Observed) -> None:
    """Avoided: one agent works a partition's slices in order (`concurrency=1` in `create_app`)."""
    assert observed.seen["overtaken"][0] == 0
    assert observed.committed["overtaken"] == 6


def test_without_waiting_sigterm_cancels_a_record_and_commits_it(observed: Observed) -> None:
    """Avoided: `stream_wait_empty=True` in `create_app`."""
    assert observed.seen["cancelled"] == [0]
    assert "cancelled" not in observed.committed
    assert observed.committed_at_end["cancelled"] == 1


def test_records_of_an_aborted_transaction_are_read(observed: Observed) -> None:
    """Avoided: `faust_slices._ConsumerThread` asks for committed records."""
    assert observed.seen["aborted"] == [ABORTED, COMMITTED]
    assert observed.seen["ours"] == [COMMITTED]


def test_the_command_opens_a_port_to_the_world_although_the_web_is_off(observed: Observed) -> None:
    """Avoided: the predictor starts `faust.Worker` itself (`churn_predictor.app.run`)."""
    assert observed.listening == [("0.0.0.0", observed.port)]
    assert observed.listening_ours == []
