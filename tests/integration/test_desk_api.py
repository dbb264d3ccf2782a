"""The desk's API in the process that decides and sends: a person stops it over HTTP, and lets it go on."""

from pathlib import Path

import httpx
import pytest

from services.kit import key_file
from tests.component.outreach.caller import KEY, TEXT
from tests.support.mail import Sink, free_port
from tests.support.outreach import Company, here, live, now_ish, opened, states
from tests.support.service import running
from tests.support.topics import wait_for

pytestmark = pytest.mark.connected


def test_a_person_stops_what_is_sent_and_sees_why_it_was(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    d, port, keys = company.deployment, free_port(), tmp_path / "keys.json"
    key_file.write(keys, [KEY])
    settings = live(
        d,
        database,
        sink.port,
        CARE_OUTREACH_API_PORT=str(port),
        CARE_OUTREACH_API_KEYS_FILE=str(keys),
    )
    desk = httpx.Client(
        base_url=f"http://127.0.0.1:{port}/v1", headers={"x-api-key": TEXT}, timeout=30
    )
    with running("outreach", settings, tmp_path / "log"), desk:
        paused = desk.post("/pauses", json={"by": "ada", "scope": "all", "because": "a test"})
        assert paused.status_code == 201
        d.publish(here("c-0"), opened("c-0", now_ish()))
        wait_for(lambda: states(database) == {"pending": 1}, "the message to wait")
        assert desk.get("/playbooks/delivery_late").json()["paused"] is True

        pause_id = paused.json()["pause"]["pause_id"]
        assert desk.post(f"/pauses/{pause_id}/resume", json={"by": "ada"}).status_code == 200
        wait_for(lambda: states(database) == {"sent": 1}, "the message to go")
        (decision,) = desk.get("/customers/c-0/why").json()["items"]
        assert (decision["outcome"], decision["send"]["state"]) == ("contact", "sent")

    assert len(sink.mails) == 1
    assert TEXT not in (tmp_path / "log").read_text()
