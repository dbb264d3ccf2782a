"""The desk's API in the process that decides and sends: a person stops it over HTTP, and lets it go on."""

from pathlib import Path

import httpx
import pytest

from services.kit import key_file
from tests.component.outreach.caller import KEY, TEXT
from tests.support.mail import Sink
from tests.support.outreach import Company, here, live, log_lines, now_ish, opened, states
from tests.support.service import running
from tests.support.topics import wait_for

pytestmark = pytest.mark.connected


def test_a_person_stops_what_is_sent_and_sees_why_it_was(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    d, keys, log = company.deployment, tmp_path / "keys.json", tmp_path / "log"
    key_file.write(keys, [KEY])
    settings = live(
        d,
        database,
        sink.port,
        CARE_OUTREACH_API_PORT="0",
        CARE_OUTREACH_API_KEYS_FILE=str(keys),
    )
    with running("outreach", settings, log):
        desk = httpx.Client(
            base_url=f"{wait_for(lambda: address_in(log), 'the API')}/v1",
            headers={"x-api-key": TEXT},
            timeout=60,
        )
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
    desk.close()
    assert TEXT not in log.read_text()


def address_in(log: Path) -> str | None:
    """Return where the API listens, once it is said."""
    lines = log_lines(log)
    return next(
        (line["address"] for line in lines if line["event"] == "outreach_api_started"), None
    )
