"""Scopes: either side may be a beginning, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.ingest.access.scopes import may_ask_about, may_publish
from services.kit.key_file import Scope

PLACED = "care.order.placed.v1"
TEXTS = st.text("abc./*@-", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("scope", "source", "may"),
    [
        ("publish:care.order.*@/shop/*", "/shop/orders", True),
        ("publish:care.order.*@/shop/*", "/shop", False),
        ("publish:care.order.*@/shop/*", "/other/shop/", False),
        ("publish:care.order.placed.v1@/shop", "/shop", True),
        ("publish:care.order.placed.v1@/shop", "/shop/orders", False),
        ("publish:care.order.placed.v@/shop", "/shop", False),
        ("publish:care.shipment.*@/shop", "/shop", False),
        ("publish:*@/shop", "/shop", True),
        ("publish:*@/shop", "/shops", False),
        ("publish:care.order.*", "/anything", True),
        ("publish:*", "/anything", True),
        ("publish:*@user@example.com", "user@example.com", True),
        ("publish:care.order.placed.v1@", "/shop", False),
        ("publish:", "/shop", False),
        ("outreach:*", "/shop", False),
        ("*", "/shop", False),
    ],
)
def test_what_a_scope_covers(scope: str, source: str, may: bool) -> None:
    assert may_publish([scope], PLACED, source) is may
    assert may_publish([], PLACED, source) is False


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_scope_without_a_star_covers_itself_alone(
    types: str, sources: str, event_type: str, source: str
) -> None:
    types, sources = types.replace("*", "x").replace("@", "x"), sources.replace("*", "x")
    event_type = event_type.replace("@", "x")

    found = may_publish([f"publish:{types}@{sources}"], event_type, source)

    assert found is ((types, sources) == (event_type, source))


@pytest.mark.parametrize(
    "scope",
    [
        "publish:care.order.*@/shop/*",
        "publish:*@*",
        "publish:*",
        "publish:care.order.placed.v1@https://shop.example/orders?x=1",
        "outreach:read",
        "outreach:*",
    ],
)
def test_the_file_takes_a_scope(scope: str) -> None:
    assert TypeAdapter(Scope).validate_python(scope) == scope


@pytest.mark.parametrize(
    "scope", ["publish:a*b@/x", "publish:a@/x*y", "publish:a@", "a b", "", "*"]
)
def test_the_file_refuses_what_would_cover_nothing(scope: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Scope).validate_python(scope)


def test_who_may_publish_something_from_a_source_may_ask_about_it() -> None:
    given = ["publish:care.order.*@/shop/*", "outreach:*"]

    assert may_ask_about(given, "/shop/orders")
    assert not may_ask_about(given, "/other")
    assert may_ask_about(["publish:care.order.*"], "/other")
    assert not may_ask_about(["outreach:*"], "/shop/orders")
