"""A customer with links in front of the pages: a real server on loopback over a real database."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from services.contracts import events
from services.contracts.envelope import Event
from services.contracts.people import Channel, MessageClass
from services.kit.clock import NoTimeYet
from services.outreach.database import open_engine
from services.outreach.pages import links as page_links
from services.outreach.pages.api import create_pages
from services.outreach.pages.settings import PagesSettings
from services.outreach.pages.tokens import HelpfulLink, PreferencesLink, SurveyLink
from services.outreach.serving import WebServer
from tests.component.outreach.desk import NOON
from tests.support.outreach import query

SECRET = "a secret of tests, thirty-two letters and more"
CUSTOMER = "c-1"
PARTITIONS = 4
STEP = UUID(int=77)


class Visitor:
    """Opens links and sends forms; `now` is the pages' clock."""

    def __init__(self, engine: Engine, folder: Path, **settings: Any) -> None:
        secrets = folder / "secrets"
        secrets.write_text(f"{SECRET}\n", encoding="utf-8")
        known = {"base_url": "http://localhost", "secrets_file": secrets, **settings}
        self.now: datetime | None = NOON
        self.registry = CollectorRegistry()
        self._level = logging.getLogger("uvicorn.error").level
        app = create_pages(engine, PagesSettings(**known), PARTITIONS, self._time, self.registry)
        self.server = WebServer(app, "127.0.0.1", 0, "CARE_OUTREACH_PAGES").start()
        host, port = self.server.address
        self.base = f"http://{host}:{port}"
        self.links = page_links.Links(self.base, (SECRET,))
        self.http = httpx.Client(timeout=30)

    def close(self) -> None:
        self.http.close()
        self.server.close()
        logging.getLogger("uvicorn.error").setLevel(self._level)

    def survey(self, survey_id: str = "s-1", score: int | None = None, **fields: Any) -> str:
        link = SurveyLink(CUSTOMER, survey_id, **{"order_id": "o-c-1", **fields})
        return self.links.survey(link, NOON, score)

    def helpful(self) -> str:
        return self.links.helpful(HelpfulLink(CUSTOMER, STEP), NOON)

    def preferences(self, **fields: Any) -> str:
        return self.links.preferences(self._stop(**fields), NOON)

    def unsubscribe(self, **fields: Any) -> str:
        headers = self.links.unsubscribe_headers(self._stop(**fields), NOON)
        return headers["List-Unsubscribe"].strip("<>")

    def count(self, kind: str, outcome: str) -> float:
        """Return how many requests were counted so."""
        labels = {"kind": kind, "outcome": outcome}
        found = self.registry.get_sample_value("care_outreach_page_requests_total", labels)
        assert found is not None
        return found

    def _stop(self, **fields: Any) -> PreferencesLink:
        known = {"message_class": MessageClass.SERVICE, "channel": Channel.EMAIL, "step_id": STEP}
        return PreferencesLink(CUSTOMER, **{**known, **fields})

    def _time(self) -> datetime:
        if self.now is None:
            raise NoTimeYet
        return self.now


@contextmanager
def visiting(url: str, folder: Path, **settings: Any) -> Iterator[Visitor]:
    """Yield a visitor of pages over this database."""
    engine = open_engine(url, "care-pages")
    visitor = Visitor(engine, folder, **settings)
    try:
        yield visitor
    finally:
        visitor.close()
        engine.dispose()


def told(url: str) -> list[tuple[str, int, str, Event[Any]]]:
    """Return what waits in the outbox: topic, partition, key and event, in order."""
    found = query(url, "SELECT topic, partition, key, value FROM outbox ORDER BY seq")
    return [(topic, p, bytes(key).decode(), events.read(bytes(v))) for topic, p, key, v in found]


def everything(url: str) -> dict[str, list[str]]:
    """Return every row of every table, as text."""
    tables = query(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {
        name: sorted(row for (row,) in query(url, f"SELECT t::text FROM {name} AS t"))
        for (name,) in tables
    }
