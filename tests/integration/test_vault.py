"""Partitions as they come into memory on real Kafka: what a newer version wrote is met with what to do."""

import pytest

from services.churn_predictor.app import load_rules, open_vault
from services.churn_predictor.identities import MOVE_KEY
from services.churn_predictor.settings import Settings
from services.churn_predictor.state import FORMAT
from services.churn_predictor.vault import Vault
from services.contracts import topics as t
from services.kit.exits import Unavailable
from services.kit.stores import MemoryStore
from tests.support.topics import Deployment

pytestmark = pytest.mark.connected

KEY = MOVE_KEY + b"0"
NEWER = b'{"format": %d, "state": "in another shape"}' % (FORMAT + 1)
"""A merge that waits for its tick; in the changelog it stands before the partition's own entry."""


@pytest.fixture
def vault(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """A worker's own, with stores in memory."""
    for name, value in deployment.environment().items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    return open_vault(settings, load_rules(settings))


def test_a_newer_entry_in_the_changelog_is_told_with_what_to_do(
    deployment: Deployment, vault: Vault
) -> None:
    deployment.put(t.FACTS_CHANGELOG, NEWER, KEY, partition=0)

    with pytest.raises(Unavailable, match=f"in format {FORMAT + 1}.*start the newer version here"):
        vault.fetch([0])


def test_a_newer_entry_in_the_store_is_told_with_what_to_do(vault: Vault) -> None:
    store = MemoryStore()
    store.keep([(KEY, NEWER)], 0)
    vault.open_store = lambda *_: store

    with pytest.raises(Unavailable, match=f"in format {FORMAT + 1}.*start the newer version here"):
        vault.fetch([0])
