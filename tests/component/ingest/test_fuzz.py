"""Whatever a publisher sends, the answer is about what it sent, and never an error of ours."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts.envelope import BATCH, JSON, STRUCTURED
from services.ingest.documents import Problem, Results
from tests.component.ingest.fakes import door
from tests.unit.ingest.test_reading import JSON_SCRAPS, SCRAPS, body, spoiled

WHOLE = json.dumps(body()).encode()
BODIES = st.one_of(
    st.binary(max_size=60),
    st.lists(SCRAPS, max_size=12).map(b"".join),
    JSON_SCRAPS.map(lambda value: json.dumps(value).encode()),
    st.builds(
        spoiled, st.just(body()), st.sampled_from([*body(), *body()["data"]]), JSON_SCRAPS
    ).map(lambda value: json.dumps(value).encode()),
    st.integers(1, 5000).map(lambda depth: b"[" * depth),
    st.integers(1, 5000).map(lambda depth: b'{"data":' * depth + b"1" + b"}" * depth),
    st.integers(1, 9000).map(
        lambda digits: json.dumps(body()).encode()[:-1] + b',"x":' + b"9" * digits + b"}"
    ),
)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)


def test_no_body_is_answered_with_an_error_of_ours() -> None:
    with door() as up:

        @settings(max_examples=400, deadline=None)
        @given(BODIES, st.sampled_from([STRUCTURED, BATCH, JSON]), st.booleans())
        def check(raw: bytes, content_type: str, is_wrapped: bool) -> None:
            content = b"[" + raw + b"]" if is_wrapped else raw
            response = up.client.post(
                "/v1/events", content=content, headers={"content-type": content_type}
            )
            assert response.status_code in {202, 207, 400, 413, 422}, response.text
            if response.status_code >= 400:
                assert Problem.model_validate(response.json()).errors
            elif content_type == BATCH:
                Results.model_validate(response.json())

        check()


def test_no_header_is_answered_with_an_error_of_ours() -> None:
    with door() as up:

        @settings(max_examples=200, deadline=None)
        @given(st.dictionaries(NAMES, VALUES, max_size=5), VALUES)
        def check(attributes: dict[str, str], content_type: str) -> None:
            headers = {f"ce-{name}": value for name, value in attributes.items()}
            for told in (JSON, content_type):
                response = up.client.post(
                    "/v1/events", content=b"{}", headers={**headers, "content-type": told}
                )
                assert response.status_code in {415, 422}, response.text

        check()
