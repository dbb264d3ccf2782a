"""Both parts at once: `with running() as parts:` gives the addresses, and leaves nothing behind."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.kit.exits import Unavailable
from services.local import folders, leftovers
from services.local.account import unprivileged_account
from services.local.kafka.broker import Broker
from services.local.kafka.jars import class_path, locked_jars
from services.local.leftovers import Ledger
from services.local.part import Part
from services.local.ports import answers
from services.local.postgres.server import Server

KAFKA_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
DATABASE_VARIABLE = "DATABASE_URL"
KAFKA_PORT_VARIABLE = "CARE_LOCAL_KAFKA_PORT"
POSTGRES_PORT_VARIABLE = "CARE_LOCAL_POSTGRES_PORT"

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where Kafka and PostgreSQL answer, and the parts themselves as far as they are ours."""

    kafka_bootstrap: str
    database_url: str
    folder: Path | None
    _broker: Broker | None
    _server: Server | None

    @property
    def kafka(self) -> Broker:
        """The broker, to stop, start, pause or kill; raises Unavailable where it is not ours."""
        if self._broker is None:
            raise Unavailable(f"Kafka is not ours to control: unset {KAFKA_VARIABLE}")
        return self._broker

    @property
    def postgres(self) -> Server:
        """The database server, to stop, start, pause or kill; raises Unavailable where it is not ours."""
        if self._server is None:
            raise Unavailable(f"PostgreSQL is not ours to control: unset {DATABASE_VARIABLE}")
        return self._server

    def check(self) -> None:
        """Return while what we started runs; raises Unavailable with the last words of what ended."""
        for part in (self._broker, self._server):
            if part is not None and not part.is_running():
                raise Unavailable(f"{part.name} ended by itself; it said: {part.last_words()}")


@contextmanager
def running(
    directory: Path | None = None,
    *,
    kafka_port: int | None = None,
    postgres_port: int | None = None,
    progress: Progress = silent,
    environment: Mapping[str, str] = os.environ,
) -> Iterator[Parts]:
    """Yield running parts and end them afterwards; without `directory` their data goes with them.

    Addresses in the environment (KAFKA_BOOTSTRAP_SERVERS, DATABASE_URL) take the place of a part,
    which then is not started; CARE_LOCAL_KAFKA_PORT and CARE_LOCAL_POSTGRES_PORT set ports.

    Raises:
        Unavailable: a part cannot be started; the message says what to do.
    """
    bootstrap = environment.get(KAFKA_VARIABLE, "")
    url = environment.get(DATABASE_VARIABLE, "")
    for variable, address in ((KAFKA_VARIABLE, bootstrap), (DATABASE_VARIABLE, url)):
        if address:
            _require_answer(variable, address)
            progress(f"{variable} is set: using what runs there, starting none")
    if bootstrap and url:
        yield Parts(bootstrap, url, None, None, None)
        return
    kafka_port = kafka_port or _port(environment, KAFKA_PORT_VARIABLE)
    postgres_port = postgres_port or _port(environment, POSTGRES_PORT_VARIABLE)
    with ExitStack() as stack:
        ledger = _open_folder(stack, directory, needs_account=not url, progress=progress)
        broker = None if bootstrap else _broker(ledger, kafka_port, progress)
        server = None if url else Server(ledger, unprivileged_account(), postgres_port)
        stack.callback(_stop_all, broker, server)
        _start_all(broker, server, progress=progress)
        yield Parts(
            broker.bootstrap if broker else bootstrap,
            server.url if server else url,
            ledger.folder,
            broker,
            server,
        )


def _require_answer(variable: str, address: str) -> None:
    # A shell that still holds the addresses of parts that were ended is the usual reason.
    if not any(answers(one) for one in address.split(",")):
        raise Unavailable(
            f"{variable} is set and nothing answers there: unset it to have one started here, or "
            "start what it names"
        )


def _port(environment: Mapping[str, str], variable: str) -> int | None:
    text = environment.get(variable, "")
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise Unavailable(
            f"{variable}={text} is no port: set a number from 1 to 65535, or unset it"
        )
    return int(text)


def _open_folder(
    stack: ExitStack, directory: Path | None, *, needs_account: bool, progress: Progress
) -> Ledger:
    for gone in leftovers.reap(folders.former_bases()):
        progress(f"ended what a killed owner had left in {gone}")
    account = unprivileged_account() if needs_account else None
    opened = folders.fresh(account) if directory is None else folders.kept(directory, account)
    return stack.enter_context(opened)


def _broker(ledger: Ledger, port: int | None, progress: Progress) -> Broker:
    jars = class_path(folders.cache_folder() / "kafka", locked_jars(), progress)
    return Broker(ledger, jars, port)


def _start_all(*parts: Part | None, progress: Progress) -> None:
    started = [part for part in parts if part is not None]
    with ThreadPoolExecutor(len(started)) as pool:
        for part, done in [(part, pool.submit(part.start)) for part in started]:
            done.result()
            progress(f"{part.name} is up")


def _stop_all(*parts: Part | None) -> None:
    started = [part for part in parts if part is not None]
    with ThreadPoolExecutor(len(started)) as pool:
        for done in [pool.submit(part.stop) for part in started]:
            done.result()
