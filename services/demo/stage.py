"""The stage a demo plays on: Kafka and PostgreSQL, topics, database, services, mail sink."""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from psycopg import sql

from services.contracts.topics import TOPICS
from services.demo.mail_sink import MailSink
from services.demo.supervisor import SERVICES, Limits, Supervisor
from services.kit import api_keys, key_file
from services.kit.exits import Unavailable
from services.kit.kafka_admin import apply_topics, delete_topics
from services.kit.settings import assume_development
from services.local import parts
from services.local.parts import Parts
from services.outreach import migrate

PARTITIONS = 4
_KEYS_FILE = "keys.json"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who plays."""

    posts: Sequence[str] = SERVICES
    """Services and their replicas (`churn_predictor-2`) that are up from the beginning."""
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Service → command, where it is not `python -m services.<name>`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings beyond the stage's own."""
    limits: Limits = field(default_factory=Limits)
    partitions: int = PARTITIONS


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that is up."""

    kafka_bootstrap: str
    topic_prefix: str
    database_url: str
    folder: Path
    mails: MailSink
    services: Supervisor
    parts: Parts
    publishing_key: str
    """The API key of whoever publishes on this stage; made anew for each."""
    partitions: int = PARTITIONS

    @property
    def mail_folder(self) -> Path:
        """Where the sink keeps the mails."""
        return self.folder / "mails"


@contextmanager
def standing(folder: Path, say: Say, cast: Cast) -> Iterator[Stage]:
    """Yield a stage of its own topics and database; take everything down afterwards.

    Args:
        folder: Where mails, logs and addresses are written.
        say: Told what is being done, a line each.
        cast: Who plays.

    Raises:
        Unavailable: Kafka or PostgreSQL cannot be started or reached.
        ServiceLost: a service does not come up.
    """
    assume_development()
    name = f"demo-{secrets.token_hex(3)}"
    _clear(folder)
    with ExitStack() as stack:
        say("starting Apache Kafka and PostgreSQL")
        found = stack.enter_context(parts.running(progress=say))
        say("creating topics and the database")
        prefix = stack.enter_context(_topics(found.kafka_bootstrap, f"{name}-", cast.partitions))
        url = stack.enter_context(_database(found.database_url, name.replace("-", "_")))
        migrate.upgrade(url)
        sink = MailSink(folder / "mails").start()
        stack.callback(sink.close)
        say(f"starting {', '.join(cast.posts[:-1])} and {cast.posts[-1]}")
        told = environment(found.kafka_bootstrap, prefix, url, sink.address, cast.partitions)
        key = _publishing_key(folder / _KEYS_FILE)
        told |= {"CARE_INGEST_API_KEYS_FILE": str((folder / _KEYS_FILE).resolve())}
        services = Supervisor(
            {**told, **cast.settings},
            folder,
            services=cast.posts,
            commands=cast.commands,
            limits=cast.limits,
        )
        stack.callback(services.close)
        services.start().wait_until_live()
        yield Stage(
            found.kafka_bootstrap, prefix, url, folder, sink, services, found, key, cast.partitions
        )
        say("stopping")


def environment(
    bootstrap: str,
    prefix: str,
    database_url: str,
    smtp: tuple[str, int],
    partitions: int = PARTITIONS,
) -> dict[str, str]:
    """Return the settings of every service on this stage."""
    return {
        parts.KAFKA_VARIABLE: bootstrap,
        parts.DATABASE_VARIABLE: database_url,
        "CARE_TOPIC_PREFIX": prefix,
        "CARE_PARTITIONS": str(partitions),
        "CARE_CLOCK": "ticks",
        # What repeats come to must not depend on what a replica that was killed had remembered.
        "CARE_INGEST_REMEMBERED_EVENTS": "0",
        "CARE_LOG_FORMAT": "json",
        # The shortest a broker allows: whoever is killed is missed soon.
        "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "6",
        "CARE_OUTREACH_SESSION_SECONDS": "6",
        "CARE_OUTREACH_MODE": "live",
        "CARE_OUTREACH_SMTP_HOST": smtp[0],
        "CARE_OUTREACH_SMTP_PORT": str(smtp[1]),
    }


def _publishing_key(path: Path) -> str:
    """Make the only key there is, as fast as the shop is, and return it; its hash alone is in the file."""
    key, text = api_keys.made(secrets.token_bytes, "demo-shop", ["publish:*"])
    key_file.write(path, [replace(key, events_per_second=1e6, burst=10_000_000)])
    return text


def _clear(folder: Path) -> None:
    """Remove what an earlier demo left: only files of the kinds it writes."""
    for pattern in ("mails/*.eml", "mails/mails.jsonl", "report.json"):
        for old in folder.glob(pattern):
            old.unlink()
    folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def _topics(bootstrap: str, prefix: str, partitions: int) -> Iterator[str]:
    apply_topics(bootstrap, partitions=partitions, prefix=prefix)
    try:
        yield prefix
    finally:
        if os.environ.get(parts.KAFKA_VARIABLE):
            # Somebody else's broker gets back what it lent.
            delete_topics(bootstrap, [topic.physical(prefix) for topic in TOPICS])


@contextmanager
def _database(server_url: str, name: str) -> Iterator[str]:
    _execute(server_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield _with_database(server_url, name)
    finally:
        if os.environ.get(parts.DATABASE_VARIABLE):
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            _execute(server_url, drop.format(sql.Identifier(name)))


def _with_database(url: str, name: str) -> str:
    start, _, options = url.partition("?")
    scheme, _, rest = start.partition("://")
    server = rest.partition("/")[0]
    return f"{scheme}://{server}/{name}" + (f"?{options}" if options else "")


def _execute(url: str, statement: sql.Composed) -> None:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement)
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"PostgreSQL does not answer ({type(error).__name__}): start it, or set DATABASE_URL"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise Unavailable(
            "the user of DATABASE_URL may not create databases: the demo makes one of its own, "
            "so grant it CREATEDB"
        ) from error
