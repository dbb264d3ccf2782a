"""The committed OpenAPI document is the one the door shows."""

import json

from services.contracts.events import FROM_OUTSIDE
from services.ingest import openapi_file
from tests.component.ingest.fakes import door

COMMITTED = openapi_file.COMMITTED.read_text("utf-8")


def test_the_committed_document_is_what_the_app_says() -> None:
    assert openapi_file.rendered() == COMMITTED, "run `make schemas`"


def test_a_running_door_shows_the_same() -> None:
    with door() as up:
        assert up.client.get("/openapi.json").json() == json.loads(COMMITTED)


def test_every_type_that_publishers_may_send_is_in_it() -> None:
    event = json.loads(COMMITTED)["components"]["schemas"]["Event"]

    assert event["discriminator"]["mapping"].keys() == FROM_OUTSIDE
