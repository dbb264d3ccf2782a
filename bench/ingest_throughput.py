"""How many events per second ingest takes, against the least a door can do, in one run.

`bare` parses JSON, produces with acks=all and answers (bench/bare_door.py).  `ingest` is the service as a
process, with an API key and its memory of earlier events; `ingest, open` has both switched off.  All run in
turn on the same broker, once per round, under a client in a process of its own (bench/ingest_load.py); the
median over the rounds counts, per second and per second of the server's own CPU time.  Afterwards the topic
must hold at least as many records as events got 202.  Then the time to a 202 at half of what ingest took.

    python -m bench.ingest_throughput --seconds 5 --rounds 3
    python -m bench.ingest_throughput --events 100 --json
"""

import json
import os
import secrets
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import psutil

from services.contracts.topics import PURCHASES
from services.kit import api_keys, key_file
from services.kit.clock import monotonic
from services.kit.kafka_clients import end_offsets, open_consumer
from services.local import parts
from services.local.ports import free_port
from tests.support.door import open_door
from tests.support.service import running
from tests.support.topics import Deployment, wait_for

RATIO = 0.6
"""Of the bare handler's events per second that ingest must reach."""
_OPEN = {"CARE_INGEST_REMEMBERED_EVENTS": "0"}


@dataclass(frozen=True, slots=True)
class Told:
    """How much of what."""

    seconds: float
    rounds: int
    connections: int
    warm_up: float = 1.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running door."""

    name: str
    pid: int
    port: int
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement of one door."""

    door: str
    events: int
    """A request."""
    events_per_second: float
    statuses: Mapping[str, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu: Mapping[str, float] = field(default_factory=dict)
    """Cores used by each process while it was measured; `all`: by the whole machine, others included."""
    server_rss_mib: float = 0.0

    @property
    def events_per_cpu_second(self) -> float:
        """Events taken per second of the server's own CPU time: what a busy machine tells most fairly."""
        return self.events_per_second / self.cpu["server"]


@contextmanager
def bare(deployment: Deployment, folder: Path) -> Iterator[Server]:
    """Yield the bare handler."""
    port = free_port()
    environment = {**deployment.environment(), "CARE_BARE_PORT": str(port)}
    with running("bare", environment, folder / "bare.log", module="bench.bare_door") as service:
        pid = service.process.pid
        wait_for(lambda: _listens(pid, port), "the bare handler to listen")
        yield Server("bare", pid, port)


@contextmanager
def ingest(deployment: Deployment, folder: Path, *, is_open: bool) -> Iterator[Server]:
    """Yield ingest."""
    key, text = api_keys.made(secrets.token_bytes, "bench", ["publish:*"])
    # Its own limit is not what is measured.
    unlimited = replace(key, events_per_second=1_000_000, burst=10_000_000)
    key_file.write(folder / "keys.json", [unlimited])
    closed = {
        "CARE_INGEST_AUTHENTICATION": "api_keys",
        "CARE_INGEST_API_KEYS_FILE": str(folder / "keys.json"),
    }
    environment = deployment.environment(CARE_CLOCK="system", **(_OPEN if is_open else closed))
    with open_door(environment, folder) as (service, address):
        port = int(address.rpartition(":")[2])
        name = "ingest, open" if is_open else "ingest"
        yield Server(name, service.process.pid, port, None if is_open else text)


def _listens(pid: int, port: int) -> bool:
    found = psutil.Process(pid).net_connections("tcp")
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in found)


def measure(
    server: Server, told: Told, events: int, kafka_pid: int, pace: float | None = None
) -> Round:
    """Load a door once; `pace`: with so many requests a second at most."""
    command = [sys.executable, "-m", "bench.ingest_load", f"--port={server.port}"]
    command += [f"--connections={told.connections}", f"--events={events}"]
    command += [f"--warm-up={told.warm_up}", f"--seconds={told.seconds}"]
    command += [f"--source=/shop/{secrets.token_hex(4)}", *([f"--pace={pace}"] if pace else [])]
    environment = {**os.environ, **({"CARE_BENCH_KEY": server.key} if server.key else {})}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as client:
        pids = {"server": server.pid, "client": client.pid, "kafka": kafka_pid}
        lines = iter(client.stdout or ())
        _expect(lines, "begin")
        before, began = _cpu_seconds(pids), monotonic()
        _expect(lines, "end")
        after, wall = _cpu_seconds(pids), monotonic() - began
        figures = json.loads(next(lines))
    cpu = {name: (after[name] - before[name]) / wall for name in after}
    rss = psutil.Process(server.pid).memory_info().rss / 2**20
    return Round(server.name, events, **figures, cpu=cpu, server_rss_mib=rss)


def _expect(lines: Iterator[str], word: str) -> None:
    line = next(lines, "").strip()
    if line != word:
        raise RuntimeError(f"the client ended before it said {word!r}: see what it printed")


def _cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    used = {}
    for name, pid in pids.items():
        times = psutil.Process(pid).cpu_times()
        used[name] = times.user + times.system
    machine = psutil.cpu_times()
    return {**used, "all": machine.user + machine.nice + machine.system + machine.softirq}


def on_topic(deployment: Deployment) -> int:
    """Return how many records the topic holds."""
    name = PURCHASES.physical(deployment.prefix)
    consumer = open_consumer(deployment.bootstrap)
    try:
        return sum(end_offsets(consumer, [name], deployment.partitions)[name])
    finally:
        consumer.close()


def rounds_of(
    deployment: Deployment, told: Told, sizes: Sequence[int], kafka_pid: int
) -> list[Round]:
    """Measure every door with every size of request in turn, then ingest at half its best."""
    found: list[Round] = []
    with (
        TemporaryDirectory() as first,
        TemporaryDirectory() as second,
        bare(deployment, Path(first)) as least,
        ingest(deployment, Path(first), is_open=False) as whole,
        ingest(deployment, Path(second), is_open=True) as unlocked,
    ):
        for number in range(told.rounds):
            for events in sizes:
                for server in (least, whole, unlocked):
                    one = measure(server, told, events, kafka_pid)
                    found.append(one)
                    _tell(f"round {number + 1}", one)
        for events in sizes:
            pace = rate_of(found, "ingest", events) / events / 2
            half = measure(whole, told, events, kafka_pid, pace)
            found.append(replace(half, door="ingest, half load"))
            _tell("half load", half)
    return found


def _tell(what: str, one: Round) -> None:
    cpu = "  ".join(f"{name} {cores:4.2f}" for name, cores in one.cpu.items())
    click.echo(
        f"{what:10} {one.door:13} {one.events:4} a request {one.events_per_second:8.0f} events/s  "
        f"p50 {one.p50_ms:6.1f}  p99 {one.p99_ms:6.1f} ms  cores: {cpu}  {dict(one.statuses)}",
        err=True,
    )


def rate_of(
    found: Sequence[Round], door: str, events: int, figure: str = "events_per_second"
) -> float:
    """Return the median of a figure of a door."""
    return statistics.median(
        float(getattr(one, figure)) for one in found if (one.door, one.events) == (door, events)
    )


def summary(found: Sequence[Round], sizes: Sequence[int]) -> dict[str, Any]:
    """Return the medians, and ingest's share of the bare handler's."""
    told: dict[str, Any] = {}
    for events in sizes:
        doors = dict.fromkeys(one.door for one in found)
        rates = {door: rate_of(found, door, events) for door in doors}
        by_cpu = {door: rate_of(found, door, events, "events_per_cpu_second") for door in doors}
        half = next(o for o in found if o.door == "ingest, half load" and o.events == events)
        told[f"{events} a request"] = {
            "events_per_second": rates,
            "events_per_cpu_second": by_cpu,
            "ratio": rates["ingest"] / rates["bare"],
            "ratio_open": rates["ingest, open"] / rates["bare"],
            "ratio_by_cpu": by_cpu["ingest"] / by_cpu["bare"],
            "ratio_open_by_cpu": by_cpu["ingest, open"] / by_cpu["bare"],
            "half_load_ms": {"p50": half.p50_ms, "p95": half.p95_ms, "p99": half.p99_ms},
        }
    return told


@click.command()
@click.option("--seconds", default=5.0, show_default=True, help="Of each measurement.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--connections", default=32, show_default=True)
@click.option(
    "--events", "sizes", type=int, multiple=True, default=(1, 100), show_default=True,
    help="A request; may be given several times.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print every round too.")
def main(
    seconds: float, rounds: int, connections: int, sizes: tuple[int, ...], as_json: bool
) -> None:
    """Compare ingest with a bare handler on a broker of this machine; exit 1 below the ratio."""
    told = Told(seconds, rounds, connections)
    with parts.running() as found:
        deployment = Deployment(found.kafka_bootstrap, f"bench-{secrets.token_hex(3)}-")
        try:
            measured = rounds_of(deployment, told, sizes, _kafka_pid(found))
            accepted = sum(one.statuses.get("202", 0) * one.events for one in measured)
            lying = on_topic(deployment) >= accepted
        finally:
            deployment.close()
    medians = summary(measured, sizes)
    rounds_told = {"rounds": [asdict(one) for one in measured]} if as_json else {}
    click.echo(json.dumps({**rounds_told, "medians": medians, "all_on_topic": lying}, indent=2))
    reached = all(each["ratio"] >= RATIO for each in medians.values())
    raise SystemExit(0 if reached and lying else 1)


def _kafka_pid(found: parts.Parts) -> int:
    """Return the broker's process: the one that listens where its clients connect."""
    port = int(found.kafka_bootstrap.rpartition(":")[2])
    for process in psutil.process_iter():
        if process.name().startswith("java") and _listens(process.pid, port):
            return process.pid
    raise RuntimeError("the broker is not a process of this machine")


if __name__ == "__main__":
    main()
