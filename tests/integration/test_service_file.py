"""The database's host, user and password in a file of libpq, as the Kubernetes manifests have them."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from services.outreach import migrate
from services.outreach.database import open_engine

pytestmark = pytest.mark.connected

URL = "postgresql:///?service=care"
"""As deploy/kubernetes/base sets it."""


_WHERE = text("SELECT current_database()")


@pytest.fixture
def service_file(fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that says where the test's own database is, readable by its group as a secret's is."""
    url = make_url(fresh_database)
    told = {"host": url.host or url.query.get("host"), "port": url.port, "user": url.username}
    told |= {"password": url.password, "dbname": url.database}
    lines = [f"{name}={value}" for name, value in told.items() if value]
    path = tmp_path / "pg_service.conf"
    path.write_text("\n".join(["[care]", *lines, ""]), encoding="utf-8")
    path.chmod(0o440)
    monkeypatch.setenv("PGSERVICEFILE", str(path))
    return path


@pytest.mark.usefixtures("service_file")
def test_a_url_may_name_a_service_of_that_file(fresh_database: str) -> None:
    assert migrate.upgrade(URL)
    engine = open_engine(URL)
    try:
        with engine.connect() as connection:
            found = connection.execute(_WHERE).scalar_one()
    finally:
        engine.dispose()

    assert found == make_url(fresh_database).database


def test_the_file_is_read_again_for_each_new_connection(
    service_file: Path, fresh_database: str, database_url: str
) -> None:
    """As a platform changes a mounted secret: what is open stays so, what comes next goes by the new one."""
    before, after = make_url(fresh_database).database, make_url(database_url).database
    engine = open_engine(URL)
    try:
        with engine.connect() as first:
            assert first.execute(_WHERE).scalar_one() == before
            said = service_file.read_text(encoding="utf-8")
            service_file.chmod(0o640)
            service_file.write_text(
                said.replace(f"dbname={before}", f"dbname={after}"), encoding="utf-8"
            )
            with engine.connect() as second:
                assert second.execute(_WHERE).scalar_one() == after
            assert first.execute(_WHERE).scalar_one() == before
    finally:
        engine.dispose()
