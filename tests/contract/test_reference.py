"""The reference of events says what the models say, for every field of every type publishers may send."""

from pathlib import Path

import pytest

from services.contracts import reference
from services.contracts.__main__ import main
from services.contracts.envelope import Event
from services.contracts.events import FACTS, FROM_OUTSIDE

PAGE = reference.PAGE.read_text("utf-8")


def section(name: str) -> str:
    """What the page says of a type."""
    return PAGE.partition(f"### `{name}`\n")[2].partition("\n### ")[0].partition("\n## ")[0]


def test_the_committed_page_is_the_models() -> None:
    assert reference.drift() == []


@pytest.mark.parametrize("name", sorted(FROM_OUTSIDE))
def test_every_field_is_told_with_an_example(name: str) -> None:
    told = section(name)

    assert f'"type": "{name}"' in told
    for field, info in FACTS[name].model_fields.items():
        assert f"| `{field}` | {'yes' if info.is_required() else ''} |" in told


def test_what_only_we_write_is_not_there() -> None:
    assert [name for name in FACTS.keys() - FROM_OUTSIDE if f"### `{name}`" in PAGE] == []


def test_bounds_values_defaults_and_meanings_are_told() -> None:
    placed, promised = section("care.order.placed.v1"), section("care.shipment.promised.v1")

    assert "| `quantity` |  | whole number, 1 to 100,000; else `1` |" in placed
    assert "One product in an order" in placed
    assert "| `currency` | yes | string, pattern `^[A-Z]{3}$` | ISO 4217. |" in placed
    assert "one of `company`, `carrier`, `model`; else `company`" in promised
    assert "The instant from which the customer counts the parcel as overdue." in promised


def test_every_attribute_of_the_envelope_has_a_meaning() -> None:
    for name in ("id", "source", "type", "time", "partitionkey", "subject"):
        (line,) = [row for row in PAGE.splitlines() if row.startswith(f"| `{name}` |")]
        assert not line.endswith("|  |"), line
    assert all(f"| `{name}` |" in PAGE for name in Event.model_fields if name != "data")


def test_drift_is_found_and_writing_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "PAGE", tmp_path / "event-reference.md")

    assert main(["check"]) == 1
    assert "event-reference.md" in capsys.readouterr().out
    assert main(["write"]) == 0
    assert main(["check"]) == 0
