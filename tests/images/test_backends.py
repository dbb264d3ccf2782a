"""What `CARE_TEST_BACKEND=containers` says where a container is not what was hoped for."""

import pytest
from testcontainers.core.config import testcontainers_config

from services.kit.exits import Unavailable
from tests import backends
from tests.images.engine import MARKS

pytestmark = MARKS


def test_a_container_that_ends_is_told_with_its_last_words(
    images: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and not only when nobody waits any longer."""
    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
    monkeypatch.setattr(backends, "_CONTAINER_SECONDS", float("inf"))
    no_database = images["metrics"]

    with (
        pytest.raises(Unavailable, match=r"(?s)metrics.*it said: .*wrong settings"),
        backends._postgres_container(no_database),
    ):
        pytest.fail("a container that ended is no database")
