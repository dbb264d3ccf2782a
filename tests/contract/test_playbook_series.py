"""Services meet on names too: what outreach ships has series before its first decision."""

from pathlib import Path

import services
from services.metrics.settings import Settings

SHIPPED = Path(services.__path__[0]) / "outreach" / "playbooks"


def test_every_shipped_playbook_has_its_series_from_the_start() -> None:
    expected = Settings.model_fields["playbooks"].default

    assert sorted(expected) == sorted(path.stem for path in SHIPPED.glob("*.yaml"))
