"""A database of one's own, and a desk over it."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from services.outreach import migrate, positions, said
from services.outreach.database import open_engine
from tests.component.outreach.caller import Caller, calling
from tests.component.outreach.desk import FOUND, ME, SAID, Desk, claim, execute
from tests.component.outreach.trouble import prepared
from tests.component.outreach.visitor import Visitor, visiting


@pytest.fixture(scope="module")
def migrated(database_url: str) -> Iterator[str]:
    """A database that is made once and copied for each test: copying is faster than migrating."""
    name = f"t{uuid4().hex[:10]}"
    url = database_url[: database_url.rindex("/")] + f"/{name}"
    execute(database_url, f"CREATE DATABASE {name}")
    migrate.upgrade(url)
    engine = open_engine(url)
    positions.check_topic_ids(engine, FOUND)
    with engine.begin() as connection:
        said.begin(connection, 4, SAID)
    claim(engine, ME)
    engine.dispose()
    yield name
    execute(database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def url(database_url: str, migrated: str) -> Iterator[str]:
    name = f"t{uuid4().hex[:10]}"
    execute(database_url, f"CREATE DATABASE {name} TEMPLATE {migrated}")
    # Whatever zone the server has, outreach reckons in UTC.
    execute(database_url, f"ALTER DATABASE {name} SET timezone TO 'America/Sao_Paulo'")
    yield database_url[: database_url.rindex("/")] + f"/{name}"
    execute(database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def desk(url: str) -> Iterator[Desk]:
    made = Desk(url)
    yield made
    made.engine.dispose()


@pytest.fixture
def visitor(url: str, tmp_path: Path) -> Iterator[Visitor]:
    with visiting(url, tmp_path) as made:
        yield made


@pytest.fixture
def troubled(desk: Desk) -> Desk:
    """A desk whose playbook gives up to a person, and whose provider behaves as the recipient says."""
    return prepared(desk)


@pytest.fixture
def caller(troubled: Desk, tmp_path: Path) -> Iterator[Caller]:
    with calling(troubled.url, tmp_path, troubled.out.rules) as made:
        yield made
