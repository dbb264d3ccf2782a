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
            found = connection.execute(text("SELECT current_database()")).scalar_one()
    finally:
        engine.dispose()

    assert found == make_url(fresh_database).database
