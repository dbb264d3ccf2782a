"""The real parts: what they are, that they end with their owner, and that nothing else is touched."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
from kafka import KafkaAdminClient

from services.kit.exits import Unavailable
from services.local import leftovers
from services.local.account import unprivileged_account
from services.local.folders import fresh, temporary_bases
from services.local.kafka import jars
from services.local.part import Part
from services.local.parts import Parts, running
from services.local.postgres import server as postgres_server
from services.local.postgres.programs import wheel
from services.local.postgres.server import Server

pytestmark = pytest.mark.connected

OWNER = """
import time
from services.local.parts import running
with running(environment={}) as parts:
    print(parts.kafka.pid, parts.postgres.pid, parts.folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def parts(disposable_parts: Parts) -> Parts:
    return disposable_parts


def each(parts: Parts, act: Callable[[Part], None]) -> None:
    """Do this to both at the same time."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(act, (parts.kafka, parts.postgres)))


def modes_outside() -> dict[str, int]:
    """Modes that the wheel's own start for root would change: its folders and all above them."""
    package = wheel()
    watched = [package, *package.parents, *(package / "pginstall18").rglob("*")]
    return {str(path): path.lstat().st_mode for path in watched}


def topics(bootstrap: str) -> list[str]:
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        return list(client.list_topics())
    finally:
        client.close()


def make_topic(bootstrap: str, name: str) -> None:
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    client.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
    client.close()


def value(url: str, statement: str) -> str:
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return str(row[0])


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, connect_timeout=5) as connection:
        connection.execute(statement.encode())


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_gone(*pids: int, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if not gone(pid)]:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


def start_owner() -> tuple["subprocess.Popen[str]", int, int, Path]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    kafka, postgres, folder = owner.stdout.readline().split(maxsplit=2)
    return owner, int(kafka), int(postgres), Path(folder.strip())


def test_they_are_what_production_runs(parts: Parts) -> None:
    assert "kafka_2.13-4.4.0.jar" in " ".join(psutil.Process(parts.kafka.pid).cmdline())
    assert value(parts.database_url, "SHOW server_version").startswith("18.")


def test_they_listen_on_the_loopback_alone(parts: Parts) -> None:
    for part in (parts.kafka, parts.postgres):
        process = psutil.Process(part.pid)
        listening = [c.laddr.ip for c in process.net_connections() if c.status == "LISTEN"]
        assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


def test_a_wrong_password_is_refused(parts: Parts) -> None:
    password = parts.database_url.split(":")[2].split("@")[0]

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        value(parts.database_url.replace(password, "guessed"), "SELECT 1")


def test_postgres_runs_as_an_ordinary_user(parts: Parts) -> None:
    user = psutil.Process(parts.postgres.pid).username()

    assert user == ("nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)


def test_the_dynamic_shared_memory_of_postgres_lies_in_its_folder(parts: Parts) -> None:
    assert list((parts.postgres.folder / "data" / "pg_dynshmem").iterdir())


def test_a_restart_keeps_port_and_data(parts: Parts) -> None:
    make_topic(parts.kafka_bootstrap, "kept-over-a-restart")
    execute(parts.database_url, "CREATE TABLE kept AS SELECT 1")
    addresses = (parts.kafka.bootstrap, parts.postgres.url)

    def restart(part: Part) -> None:
        part.stop()
        assert not part.is_running()
        part.start()

    each(parts, restart)

    assert (parts.kafka.bootstrap, parts.postgres.url) == addresses
    assert "kept-over-a-restart" in topics(parts.kafka_bootstrap)
    assert value(parts.database_url, "SELECT count(*) FROM kept") == "1"


def test_a_crash_loses_nothing_that_was_acknowledged(parts: Parts) -> None:
    make_topic(parts.kafka_bootstrap, "kept-over-a-crash")
    execute(parts.database_url, "CREATE TABLE crashed (n int)")
    with psycopg.connect(parts.database_url, autocommit=True) as connection:
        for n in range(50):
            connection.execute("INSERT INTO crashed VALUES (%s)", (n,))
        # At once: a moment later even a commit that was not written yet would be on the disk.
        parts.postgres.kill()

    def crash(part: Part) -> None:
        if part.is_running():
            part.kill()
        part.start()

    each(parts, crash)

    assert "kept-over-a-crash" in topics(parts.kafka_bootstrap)
    assert value(parts.database_url, "SELECT count(*) FROM crashed") == "50"


def test_a_paused_part_stays_silent_and_then_goes_on(parts: Parts) -> None:
    parts.postgres.pause()
    try:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(parts.database_url, connect_timeout=2)
    finally:
        parts.postgres.resume()

    assert value(parts.database_url, "SELECT 1") == "1"


def test_both_end_soon_after_their_owner_is_killed() -> None:
    owner, kafka, postgres, _ = start_owner()
    owner.kill()
    owner.communicate()

    wait_until_gone(kafka, postgres)


def test_the_next_start_reaps_what_even_a_killed_keeper_left() -> None:
    owner, kafka, postgres, folder = start_owner()
    keepers = [psutil.Process(pid).parent() for pid in (kafka, postgres)]
    # Owner first, then keepers at once: the programs have nobody left.
    for process in [psutil.Process(owner.pid), *keepers]:
        assert process is not None
        process.send_signal(signal.SIGSTOP)
    for process in [psutil.Process(owner.pid), *keepers]:
        assert process is not None
        process.kill()
    owner.communicate()
    assert not gone(kafka)
    assert not gone(postgres)

    assert folder in leftovers.reap(temporary_bases())

    wait_until_gone(kafka, postgres)
    assert not folder.exists()


def test_no_user_is_made_and_no_mode_outside_is_changed() -> None:
    users, modes = Path("/etc/passwd").read_bytes(), modes_outside()

    with running(environment={"KAFKA_BOOTSTRAP_SERVERS": "unix://"}) as found:
        assert value(found.database_url, "SELECT 1") == "1"
        assert found.folder is not None
        folder = found.folder

    assert not folder.exists()
    assert Path("/etc/passwd").read_bytes() == users
    assert modes_outside() == modes


def test_it_runs_from_a_wheel_that_others_cannot_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(wheel(), home / wheel().name)
    libraries = wheel().with_name(f"{wheel().name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, home / libraries.name)
    home.chmod(0o700)
    monkeypatch.setattr(postgres_server, "wheel", lambda: home / wheel().name)

    with fresh(unprivileged_account()) as ledger:
        started = Server(ledger, unprivileged_account())
        started.start()
        try:
            assert value(started.url, "SELECT 1") == "1"
        finally:
            started.stop()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_falsified_sum_keeps_kafka_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = jars.locked_jars()[0]
    falsified = tmp_path / "jgo.lock.toml"
    falsified.write_text(jars.LOCK.read_text().replace(first.sha256, "0" * 64))
    monkeypatch.setattr("services.local.parts.locked_jars", lambda: jars.locked_jars(falsified))

    with (
        pytest.raises(Unavailable, match=f"is not the {first.coordinate}"),
        running(environment={}),
    ):
        pytest.fail("it started")


def test_what_runs_already_takes_the_place_of_a_part(parts: Parts) -> None:
    told: list[str] = []
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": parts.kafka_bootstrap,
        "DATABASE_URL": parts.database_url,
    }
    with running(environment=environment, progress=told.append) as found:
        assert (found.kafka_bootstrap, found.database_url) == tuple(environment.values())
        assert found.folder is None
        with pytest.raises(Unavailable, match="unset KAFKA_BOOTSTRAP_SERVERS"):
            found.kafka.stop()
        with pytest.raises(Unavailable, match="unset DATABASE_URL"):
            found.postgres.stop()
    assert [line.split()[0] for line in told] == list(environment)


def test_one_part_alone_can_be_ours(parts: Parts) -> None:
    with running(environment={"KAFKA_BOOTSTRAP_SERVERS": parts.kafka_bootstrap}) as found:
        assert found.kafka_bootstrap == parts.kafka_bootstrap
        assert value(found.database_url, "SELECT 1") == "1"
        assert found.database_url != parts.database_url


def test_a_set_port_that_is_taken_is_told(parts: Parts) -> None:
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": parts.kafka_bootstrap,
        "CARE_LOCAL_POSTGRES_PORT": str(parts.postgres.port),
    }
    with (
        pytest.raises(Unavailable, match=f"port {parts.postgres.port}, wanted for postgres, is"),
        running(environment=environment),
    ):
        pytest.fail("it started")


@pytest.mark.parametrize("text", ["x", "0", "70000", "-1"])
def test_a_set_port_that_is_none_is_told(text: str) -> None:
    with (
        pytest.raises(Unavailable, match=f"CARE_LOCAL_KAFKA_PORT={text} is no port"),
        running(environment={"CARE_LOCAL_KAFKA_PORT": text}),
    ):
        pytest.fail("it started")


def test_a_kept_folder_brings_its_data_back() -> None:
    base = next(base for base in temporary_bases() if os.access(base, os.W_OK))
    folder = base / f"care-kept-{os.getpid()}"
    try:
        with running(folder, environment={}) as found:
            make_topic(found.kafka_bootstrap, "kept-in-a-folder")
            execute(found.database_url, "CREATE TABLE kept AS SELECT 1")
            with (
                pytest.raises(Unavailable, match="in use by process"),
                running(folder, environment={}),
            ):
                pytest.fail("it started twice")
        with running(folder, environment={}) as found:
            assert "kept-in-a-folder" in topics(found.kafka_bootstrap)
            assert value(found.database_url, "SELECT count(*) FROM kept") == "1"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
