"""The door's OpenAPI document as a file, so that others need no running door: `python -m` prints it."""

import json
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from services.ingest.api import Ports, create_app

COMMITTED = Path(__file__).with_name("openapi.json")
"""The document as others rely on it; a test compares it with what is rendered."""


def rendered() -> str:
    """Return the document in the form that is committed."""
    return json.dumps(create_app(_never_opened).openapi(), indent=2, ensure_ascii=False) + "\n"


def _never_opened() -> AbstractAsyncContextManager[Ports]:
    raise AssertionError("an app that only describes itself is not started")


if __name__ == "__main__":
    sys.stdout.write(rendered())
