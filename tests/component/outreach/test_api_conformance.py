"""Outreach's API says nothing that its OpenAPI document does not; over a real server and PostgreSQL.

`CARE_API_EXAMPLES=1000 pytest tests/component/outreach/test_api_conformance.py` asks a thousand times each.
"""

from pathlib import Path

import pytest

from services.outreach.api.openapi import COMMITTED
from tests.component.outreach.caller import TEXT, Caller
from tests.support import conformance

PAGED = (
    "/v1/problems",
    "/v1/customers/{customer_id}/timeline",
    "/v1/customers/{customer_id}/why",
)

pytestmark = [pytest.mark.connected, pytest.mark.timeout(3600)]


REFUSED = {
    # A cursor is of its own list, and a name goes with a scope.
    **{f"GET {path}": (422,) for path in PAGED},
    "POST /v1/pauses": (422,),
}


def test_every_answer_is_one_that_the_document_names(caller: Caller, tmp_path: Path) -> None:
    address = str(caller.http.base_url).rstrip("/")
    conformance.check(address, COMMITTED, TEXT, tmp_path, REFUSED)
