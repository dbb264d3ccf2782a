"""From one schema to the next, with rows in the tables and a replica at work."""

import ast
import threading
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy.exc
from alembic import command
from sqlalchemy import Engine, make_url

from services.kit.exits import Unavailable
from services.outreach import migrate
from services.outreach.database import Refused, open_engine
from tests.component.outreach.desk import REVISIONS, execute
from tests.support.outreach import query

pytestmark = pytest.mark.connected

BEFORE = """
INSERT INTO problems VALUES ('00000000-0000-0000-0000-000000000001', 'c-1', 'delivery_delay', 'sh-1',
    'o-1', now(), 'late', now(), '2026-01-02T00:00Z', 'us', 0.5);
INSERT INTO agenda VALUES ('00000000-0000-0000-0000-000000000002', 'c-1', 0,
    '00000000-0000-0000-0000-000000000001', 'delivery_late', 'notice', now());
INSERT INTO decisions VALUES ('00000000-0000-0000-0000-000000000003',
    '00000000-0000-0000-0000-000000000002', now(), 'c-1', 0, '00000000-0000-0000-0000-000000000001',
    'o-1', 'delivery_late', 1, 'notice', 'email', 'service', 'live', 'contact', NULL, NULL, '[]');
INSERT INTO sends VALUES ('00000000-0000-0000-0000-000000000002',
    '00000000-0000-0000-0000-000000000003', 'c-1', 0, '00000000-0000-0000-0000-000000000001', 'o-1',
    'delivery_late', 1, 'notice', 'email', now(), now(), now(), 'pending', 0, now(), NULL, now());
"""
"""A delivery that was decided about, as version 0001 wrote it."""

NAMELESS = ("problems.order_id", "problems.promised_by", "decisions.order_id", "sends.order_id")


@pytest.fixture
def before(fresh_database: str) -> str:
    """A database of version 0001 with rows in it."""
    engine = open_engine(fresh_database)
    to(engine, "0001")
    engine.dispose()
    execute(fresh_database, BEFORE)
    return fresh_database


def to(engine: Engine, revision: str, way: Any = command.upgrade) -> None:
    config = migrate._config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        way(config, revision)
        connection.commit()


def everything(url: str) -> list[list[tuple[Any, ...]]]:
    return [query(url, f"SELECT * FROM {t}") for t in ("problems", "agenda", "decisions", "sends")]


def as_wide_as(
    found: list[list[tuple[Any, ...]]], later: list[list[tuple[Any, ...]]]
) -> list[list[tuple[Any, ...]]]:
    """Return the later rows without the columns that came since."""
    return [
        [row[: len(old)] for row, old in zip(rows, olds, strict=True)]
        for rows, olds in zip(later, found, strict=True)
    ]


def test_what_is_there_stays_and_may_be_without_an_order_from_now_on(before: str) -> None:
    found = everything(before)
    with pytest.raises(psycopg.errors.NotNullViolation):
        execute(before, "UPDATE problems SET promised_by = NULL")

    assert migrate.upgrade(before) == REVISIONS[1:]

    assert as_wide_as(found, everything(before)) == found
    for table, column in (name.split(".") for name in NAMELESS):
        execute(before, f"UPDATE {table} SET {column} = NULL")
        assert query(before, f"SELECT {column} FROM {table}") == [(None,)]


def test_the_way_back_is_refused_while_a_row_would_be_falsified(before: str) -> None:
    migrate.upgrade(before)
    engine = open_engine(before)
    execute(before, "UPDATE sends SET order_id = NULL")
    with pytest.raises(Exception, match="contains null values"):
        to(engine, "0001", command.downgrade)

    execute(before, "UPDATE sends SET order_id = 'o-1'")
    to(engine, "0001", command.downgrade)
    with pytest.raises(psycopg.errors.NotNullViolation):
        execute(before, "UPDATE sends SET order_id = NULL")
    engine.dispose()


def test_a_replica_in_the_middle_of_a_send_goes_on_reading_while_the_schema_changes(
    before: str,
) -> None:
    """It holds a row of `sends` and then wants `problems`: with both locked at once, a deadlock."""
    applied: list[list[str]] = []
    migrating = threading.Thread(target=lambda: applied.append(migrate.upgrade(before)))
    with psycopg.connect(before) as replica:
        replica.execute("SELECT * FROM sends FOR UPDATE")
        migrating.start()
        wait_for_the_lock(before)
        assert replica.execute("SELECT count(*) FROM problems").fetchone() == (1,)
        assert replica.execute("SELECT count(*) FROM decisions").fetchone() == (1,)
    migrating.join()

    assert applied == [REVISIONS[1:]]


def test_a_schema_that_would_make_everybody_wait_gives_up_and_goes_on_when_run_again(
    before: str,
) -> None:
    with psycopg.connect(before) as backup:
        backup.execute("SELECT * FROM sends")
        with pytest.raises(Refused, match="55P03"):
            migrate.upgrade(before)

    assert migrate.upgrade(before) == REVISIONS[1:]


def test_an_index_that_gave_up_is_made_when_it_is_run_again(before: str) -> None:
    engine = open_engine(before)
    to(engine, "0007")
    with psycopg.connect(before) as replica:
        replica.execute("UPDATE problems SET order_id = order_id")
        with pytest.raises(sqlalchemy.exc.OperationalError):
            to(engine, "0008")

    to(engine, "0008")
    found = query(before, "SELECT indexname FROM pg_indexes WHERE indexname = 'problems_open'")
    assert found == [("problems_open",)]
    engine.dispose()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_name_is_refused_with_what_to_do(
    encoding: str, database_url: str
) -> None:
    name = f"t{uuid4().hex[:10]}"
    execute(
        database_url,
        f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    )
    try:
        with pytest.raises(Unavailable, match=f"{name} is in {encoding}.*ENCODING 'UTF8'"):
            migrate.upgrade(make_url(database_url).set(database=name).render_as_string(False))
    finally:
        execute(database_url, f"DROP DATABASE {name} WITH (FORCE)")


def wait_for_the_lock(url: str) -> None:
    """Return once somebody waits for a table."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
    for _ in range(500):
        if query(url, waiting) != [(0,)]:
            return
        threading.Event().wait(0.01)
    raise AssertionError("nobody waits")


def test_a_schema_of_a_later_version_is_worked_with_and_left_alone(before: str) -> None:
    """A replica of the version before that is started again during an update; and its `care db upgrade`."""
    migrate.upgrade(before)
    execute(before, "UPDATE alembic_version SET version_num = '9999'")
    engine = open_engine(before)

    migrate.check(engine)

    assert migrate.upgrade(before) == []
    assert query(before, "SELECT version_num FROM alembic_version") == [("9999",)]
    for other in ("0001", "abcdef012345"):
        execute(before, f"UPDATE alembic_version SET version_num = '{other}'")
        with pytest.raises(Unavailable, match=f"at {other} and this service needs"):
            migrate.check(engine)
    engine.dispose()


TAKES_AWAY = {"drop_column", "drop_table", "drop_constraint", "rename_table"}


def taken_away(source: str) -> set[str]:
    """Return what a migration on its way forward takes from replicas of the version before."""
    forward = [
        part
        for part in ast.parse(source).body
        if isinstance(part, ast.FunctionDef) and part.name != "downgrade"
    ]
    calls = [c for part in forward for c in ast.walk(part) if isinstance(c, ast.Call)]
    names = {c.func.attr for c in calls if isinstance(c.func, ast.Attribute)} & TAKES_AWAY
    renames = any(k.arg == "new_column_name" for c in calls for k in c.keywords)
    return names | ({"new_column_name"} if renames else set())


def test_migrations_add_and_take_nothing_away() -> None:
    """So that replicas of the version before work on beside the new schema."""
    files = sorted((migrate._FOLDER / "versions").glob("0*.py"))
    assert len(files) == len(REVISIONS)
    for file in files:
        assert taken_away(file.read_text(encoding="utf-8")) == set(), file.name


@pytest.mark.parametrize("call", ["op.drop_column('sends', 'state')", "op.rename_table('a', 'b')"])
def test_one_that_takes_away_is_noticed(call: str) -> None:
    assert taken_away(f"def upgrade() -> None:\n    {call}\n")
    assert not taken_away(f"def downgrade() -> None:\n    {call}\n")
