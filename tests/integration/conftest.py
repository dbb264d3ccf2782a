"""What integration tests share beside the session's own Kafka and PostgreSQL."""

from collections.abc import Iterator

import pytest

from services.local.parts import Parts, running


@pytest.fixture(scope="session")
def disposable_parts() -> Iterator[Parts]:
    """Parts nobody else's tests rely on, to be frozen, killed and started again; up after each test."""
    with running(environment={}) as found:
        yield found
