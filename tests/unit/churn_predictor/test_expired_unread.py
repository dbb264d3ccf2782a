"""Records that retention deleted before they were read."""

from pathlib import Path
from typing import cast

import pytest

from services.churn_predictor import worker
from services.churn_predictor.telemetry import Telemetry
from services.churn_predictor.vault import Vault
from services.churn_predictor.worker import Worker
from services.contracts import topics as t
from services.kit.suspects import Suspects
from tests.unit.churn_predictor.stream import Stream
from tests.unit.churn_predictor.test_scores_told import Shelf, Silence, Writer


@pytest.mark.parametrize(("begins_at", "is_written"), [(0, False), (7, True)])
def test_what_was_missed_is_noted_even_if_nothing_comes_after_it(
    begins_at: int, is_written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "Follower", Silence)
    writer = Writer()
    vault = cast(Vault, Shelf(Stream(), writer))
    found = Worker(Shelf.deployment, vault, Telemetry(), None, Suspects(tmp_path / "notes"))
    found.own(frozenset({0}))

    found.begin({(t.PURCHASES.name, 0): begins_at})
    found.commit()

    assert ("changelog" in writer.written) == is_written
