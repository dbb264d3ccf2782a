"""We leave out what is not set, so everything that may be absent must be readable when it is."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from services.contracts.events import FACTS


def models_in(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """Yield this model and every model its fields are made of."""
    if model in seen:
        return
    seen.add(model)
    yield model
    for field in model.model_fields.values():
        for part in _parts(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from models_in(part, seen)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def unreadable_when_absent(model: type[BaseModel]) -> list[str]:
    """Return the fields that may be None and yet have no default."""
    return [
        f"{part.__name__}.{name}"
        for part in models_in(model, set())
        for name, field in part.model_fields.items()
        if type(None) in _parts(field.annotation) and field.is_required()
    ]


@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS.keys())
def test_a_field_that_may_be_absent_has_a_default(fact: type[BaseModel]) -> None:
    assert unreadable_when_absent(fact) == []


def test_the_guard_finds_a_nullable_field_without_a_default() -> None:
    class Inner(BaseModel):
        value: float | None

    class Outer(BaseModel):
        inner: tuple[Inner, ...]

    assert unreadable_when_absent(Outer) == ["Inner.value"]
