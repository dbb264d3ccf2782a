"""docs/adapters.md names every setting, reason, outcome and subscription there is."""

import re
from pathlib import Path

from services.ingest.adapters import chatwoot, shopify
from services.ingest.adapters.adapter import AdapterName
from services.ingest.adapters.findings import Reason
from services.ingest.documents import WebhookOutcome
from services.ingest.settings import Settings
from services.kit.settings import environment_names

PAGE = (Path(__file__).parents[4] / "docs" / "adapters.md").read_text(encoding="utf-8")
CODE = set(re.findall(r"`([^`\n]+)`", PAGE))


def test_every_setting() -> None:
    fields = [name for name in Settings.model_fields if name.split("_")[0] in set(AdapterName)]

    assert len(fields) == 13
    for field in fields:
        assert environment_names(Settings, field) in CODE


def test_every_reason_and_outcome() -> None:
    assert {*Reason, *WebhookOutcome} <= CODE


def test_every_path_and_subscription() -> None:
    assert {f"POST /v1/webhooks/{name}" for name in AdapterName} <= CODE
    assert {*shopify.TOPICS, *chatwoot.EVENTS, "edd_revise"} <= CODE
