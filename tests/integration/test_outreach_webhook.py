"""A real replica tells a real receiver by webhook: signed, under the step's own id, once."""

import base64
import json
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.integration.test_outreach_live import body
from tests.support import receiver
from tests.support.mail import Sink
from tests.support.outreach import Company, here, live, log_lines, now_ish, opened, query, states
from tests.support.service import run_to_end, running
from tests.support.topics import wait_for

pytestmark = pytest.mark.connected

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PLAYBOOK = """
name: delivery_late
version: 1
mode: live
message_class: service
trigger: {kind: delivery_delay, tiers: [late]}
steps: [{name: notice, action: send, channels: [webhook], template: delivery_late, use_by_hours: 48}]
"""


def hooked(folder: Path, url: str) -> dict[str, str]:
    """Return the settings of a webhook, and of a folder with one playbook that uses it."""
    playbooks, secrets = folder / "playbooks", folder / "secrets"
    playbooks.mkdir()
    (playbooks / "delivery_late.yaml").write_text(PLAYBOOK)
    secrets.write_text(f"{SECRET}\n")
    return {
        "CARE_OUTREACH_PLAYBOOKS": str(playbooks),
        "CARE_OUTREACH_WEBHOOK_URL": url,
        "CARE_OUTREACH_WEBHOOK_SECRETS_FILE": str(secrets),
        "CARE_OUTREACH_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "CARE_OUTREACH_WEBHOOK_PLAIN_HTTP": "true",
    }


def test_a_late_parcel_is_told_by_a_signed_webhook_under_its_steps_id(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    file, log = tmp_path / "address", tmp_path / "log"
    with receiver.receiving() as other:
        url = f"http://127.0.0.1:{other.port}/care?key=canary-5e1f"
        settings = live(
            company.deployment,
            database,
            sink.port,
            CARE_OUTREACH_ADDRESS_FILE=str(file),
            **hooked(tmp_path, url),
        )
        with running("outreach", settings, log) as outreach:
            company.deployment.publish(here("c-1"), opened("c-1", now_ish()))
            wait_for(lambda: states(database) == {"sent": 1}, "the webhook")
            metrics = body(f"{file.read_text().strip()}/metrics")
            assert outreach.terminate() == 0

    (heard,) = other.requests
    ((step_id,),) = query(database, "SELECT step_id::text FROM sends")
    assert heard.headers["webhook-id"] == step_id
    document = Webhook(SECRET).verify(heard.body, heard.headers)
    assert document == json.loads(heard.body)
    assert (document["step_id"], document["customer_id"]) == (step_id, "c-1")
    assert (document["playbook"], document["attempt"]) == ("delivery_late", 1)
    assert "o-c-1" in document["text"]
    assert sink.mails == []
    assert 'care_outreach_provider_circuit_open{channel="webhook"} 0.0' in metrics
    assert [one["channel"] for one in log_lines(log) if one["event"] == "outreach_attempted"] == [
        "webhook"
    ]
    told = log.read_text()
    assert "canary" not in told
    assert SECRET not in told


def test_webhooks_are_refused_in_simulated_time(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    settings = live(company.deployment, database, sink.port)
    ticks = {"CARE_CLOCK": "ticks", **hooked(tmp_path, "https://hooks.example.org/")}

    ended = run_to_end("outreach", {**settings, **ticks})

    assert ended.returncode == 2
    assert "CARE_OUTREACH_WEBHOOK_URL: " in ended.stderr
    assert "simulated time" in ended.stderr
