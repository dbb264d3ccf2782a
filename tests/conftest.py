"""One Kafka and one PostgreSQL for the whole session; a prefix and a database for each test.

CARE_TEST_BACKEND says where they come from: `embedded` (the default: started here, gone afterwards),
`external` (KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL) or `containers` (CARE_TEST_KAFKA_IMAGE, and
CARE_TEST_POSTGRES_IMAGE if that is to be one too).

Hypothesis draws the same examples each time, so that a change fails for what it changed;
CARE_TEST_EXPLORE=1 lets it look for new ones.  How long one takes is the machine's business.
"""

import gc
import os
from collections.abc import Iterator
from shutil import disk_usage
from uuid import uuid4

import psycopg
import pytest
from hypothesis import settings
from psutil import virtual_memory
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from services.kit.exits import Unavailable
from services.local.account import unprivileged_account
from services.local.folders import MEMORY, TEMPORARY_VARIABLE, fits
from services.local.parts import DATABASE_VARIABLE, KAFKA_VARIABLE
from tests.backends import BACKENDS, Addresses

_ROOMY = 8 << 30


def _has_room() -> bool:
    """Return whether parts of ours can live in memory."""
    try:
        is_usable = MEMORY.is_dir() and fits(MEMORY, unprivileged_account())
    except Unavailable:
        # PostgreSQL cannot be started as whoever this is; not every test needs one, nor every backend.
        return False
    return is_usable and min(disk_usage(MEMORY).free, virtual_memory().available) >= _ROOMY


if _has_room():
    # Each test makes a database and topics, hundreds of files, on which some disks take half the time.
    os.environ.setdefault(TEMPORARY_VARIABLE, str(MEMORY))

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("exploring", derandomize=False, deadline=None)
settings.load_profile("exploring" if os.environ.get("CARE_TEST_EXPLORE") else "steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits for real parts: what only computes fills the gaps that this leaves."""
    items.sort(key=lambda item: item.get_closest_marker("connected") is None)


def pytest_collection_finish() -> None:
    """Leave what was collected alone: to look through it at every collection of garbage takes minutes."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def addresses() -> Iterator[Addresses]:
    """Where this session's Kafka and PostgreSQL answer."""
    chosen = os.environ.get("CARE_TEST_BACKEND") or "embedded"
    if chosen not in BACKENDS:
        pytest.fail(f"CARE_TEST_BACKEND={chosen}: set one of {', '.join(BACKENDS)}", pytrace=False)
    try:
        with BACKENDS[chosen]() as found:
            yield found
    except (Unavailable, KeyError) as error:
        pytest.fail(f"the {chosen} backend needs more: {error}", pytrace=False)


@pytest.fixture(scope="session")
def kafka_bootstrap(addresses: Addresses) -> str:
    """The broker's address, for `bootstrap.servers`."""
    return addresses.kafka_bootstrap


@pytest.fixture(scope="session")
def database_url(addresses: Addresses) -> str:
    """The server's address with a database that tests share; `fresh_database` is one's own."""
    return addresses.database_url


@pytest.fixture(scope="module")
def on_the_tests_parts(kafka_bootstrap: str, database_url: str) -> Iterator[None]:
    """Let every run of a module use the session's Kafka and PostgreSQL."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KAFKA_VARIABLE, kafka_bootstrap)
        patch.setenv(DATABASE_VARIABLE, database_url)
        yield


@pytest.fixture
def topic_prefix() -> str:
    """A prefix no other test uses, so that topics of one broker do not meet."""
    return f"t{uuid4().hex[:10]}-"


@pytest.fixture
def fresh_database(database_url: str) -> Iterator[str]:
    """The address of an empty database that goes after the test."""
    name = f"t{uuid4().hex[:10]}"
    _execute(database_url, "CREATE DATABASE {}", name)
    try:
        yield _with_database(database_url, name)
    finally:
        # Services that a test killed may not have left yet.
        _execute(database_url, "DROP DATABASE {} WITH (FORCE)", name)


def _execute(url: str, statement: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _with_database(url: str, name: str) -> str:
    shared = str(conninfo_to_dict(url)["dbname"])
    head, separator, rest = url.partition("?")
    return head.removesuffix(f"/{shared}") + f"/{name}" + separator + rest
