"""A program of the company's in front of the desk's API: a real server on loopback over a real database."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from services.kit import api_keys, key_file
from services.kit.api_keys import Key
from services.kit.clock import NoTimeYet
from services.outreach.api.app import create_api
from services.outreach.api.backend import Backend
from services.outreach.api.settings import PREFIX, ApiSettings
from services.outreach.database import open_engine
from services.outreach.knowledge import Rules
from services.outreach.serving import WebServer
from tests.component.outreach.desk import NOON

SCOPES = ("outreach:read", "outreach:act")


def new_key(name: str, *scopes: str, not_after: datetime | None = None) -> tuple[Key, str]:
    """Return the key that this name always gives."""

    def draw(count: int) -> bytes:
        return hashlib.shake_256(name.encode()).digest(count)

    return api_keys.made(draw, name, scopes or SCOPES, not_after)


KEY, TEXT = new_key("desk")


class Caller:
    """Asks and says; `now` is the deployment's clock, `keys_now` the one by which keys end."""

    def __init__(self, url: str, folder: Path, rules: Rules, **settings: Any) -> None:
        self.keys_file = folder / "keys.json"
        key_file.write(self.keys_file, [KEY])
        self.now: datetime | None = NOON
        self.keys_now = NOON
        self.registry = CollectorRegistry()
        self._level = logging.getLogger("uvicorn.error").level
        self.engine = open_engine(url, "care-api")
        known = ApiSettings(port=0, keys_file=self.keys_file, **settings)
        backend = Backend(self.engine, rules, self._time)
        api = create_api(backend, known, self.registry, lambda: self.keys_now)
        self.server = WebServer(api, "127.0.0.1", 0, PREFIX).start()
        host, port = self.server.address
        self.address = (host, port)
        self.http = httpx.Client(
            base_url=f"http://{host}:{port}", timeout=30, headers={"x-api-key": TEXT}
        )

    def close(self) -> None:
        self.http.close()
        self.server.close()
        self.engine.dispose()
        logging.getLogger("uvicorn.error").setLevel(self._level)

    def get(self, path: str, **query: Any) -> Any:
        """Return what is answered, which must be 200."""
        response = self.http.get(f"/v1{path}", params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, status: int = 200, **body: Any) -> Any:
        """Return what is answered, with this status."""
        response = self.http.post(f"/v1{path}", json={"by": "ada", **body})
        assert response.status_code == status, response.text
        return response.json()

    def pages(self, path: str, limit: int, **query: Any) -> list[list[Any]]:
        """Return the items of every page, asked for one after the other."""
        found, cursor = [], None
        while True:
            more: dict[str, str] = {} if cursor is None else {"cursor": cursor}
            page = self.get(path, limit=limit, **query, **more)
            found.append(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def counted(self, metric: str, **labels: str) -> float:
        """Return what a counter stands at."""
        found = self.registry.get_sample_value(f"care_outreach_api_{metric}_total", labels)
        return found or 0.0

    def _time(self) -> datetime:
        if self.now is None:
            raise NoTimeYet
        return self.now


@contextmanager
def calling(url: str, folder: Path, rules: Rules, **settings: Any) -> Iterator[Caller]:
    """Yield a caller of the API over this database."""
    caller = Caller(url, folder, rules, **settings)
    try:
        yield caller
    finally:
        caller.close()
