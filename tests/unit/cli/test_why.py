"""`care why` as a person meets it, over invented records."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.churn_predictor.scoring import model_digest, read_scorecard
from services.churn_predictor.settings import Settings
from services.cli import why
from services.cli.__main__ import care
from services.contracts.topics import Topic
from services.kit.settings import environment_names
from services.why.models import NAMED_BY, SHIPPED
from services.why.records import Progress
from services.why.story import TOPICS, Found
from tests.factories import CUSTOMER, HOUR, START, placed
from tests.unit.churn_predictor.test_rerun import assessed, change
from tests.unit.why.test_story import PROBLEM, WHOLE, found


class Records:
    """Stands in for Kafka: remembers what it was asked for."""

    def __init__(self, *records: Found) -> None:
        self.records = records
        self.asked: dict[str, Any] = {}

    def __call__(
        self,
        bootstrap: str,
        *,
        prefix: str,
        partitions: int,
        customer_id: str,
        wanted: Sequence[Topic],
        progress: Progress,
    ) -> Iterator[Found]:
        self.asked = {
            "bootstrap": bootstrap,
            "prefix": prefix,
            "partitions": partitions,
            "customer": customer_id,
            "topics": wanted,
        }
        progress("purchases", 1_000, 20_000)
        yield from self.records


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("CARE_PARTITIONS", "CARE_TOPIC_PREFIX", *NAMED_BY):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")

    def run(records: Records, *words: str) -> Result:
        monkeypatch.setattr(why, "read_names", lambda *_, customer_id, **__: (customer_id,))
        monkeypatch.setattr(why, "read_customer", records)
        return CliRunner().invoke(care, ["why", *words], prog_name="care")

    return run


def test_a_story_that_is_the_same_ends_with_0(ask: Any) -> None:
    records = Records(*WHOLE)

    shown = ask(records, CUSTOMER, "--prefix", "x-", "--partitions", "4")

    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "1 assessment made again: same, byte for byte." in shown.stdout
    assert records.asked == {
        "bootstrap": "kafka:9092",
        "prefix": "x-",
        "partitions": 4,
        "customer": CUSTOMER,
        "topics": TOPICS,
    }


def test_a_record_that_differs_ends_with_1(ask: Any) -> None:
    shown = ask(Records(*found(change(assessed(), "data.band", "low"))), CUSTOMER)

    assert shown.exit_code == 1
    assert "DIFFERS" in shown.stdout


def an_old_model() -> tuple[bytes, Records]:
    """Return a model's file that is not shipped, and what was decided with it."""
    raw = (
        (SHIPPED / "complaint-risk.json").read_bytes().replace(b'"version": "2"', b'"version": "1"')
    )
    card = read_scorecard(raw)
    assert card.version == "1"
    return raw, Records(*found(assessed(card=card, digest=model_digest(raw))))


@pytest.mark.parametrize("setting", NAMED_BY)
def test_models_are_looked_for_beside_those_that_the_predictor_scores_with(
    ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    raw, records = an_old_model()
    (tmp_path / "risk.1.0123456789ab.json").write_bytes(raw)

    without = ask(records, CUSTOMER)
    monkeypatch.setenv(setting, str(tmp_path / "risk.json"))
    having = ask(records, CUSTOMER)
    monkeypatch.setenv(setting, str(tmp_path / "nowhere" / "risk.json"))
    elsewhere = ask(records, CUSTOMER)

    assert (without.exit_code, having.exit_code, elsewhere.exit_code) == (1, 0, 1)
    assert "Re-run with complaint-risk 1: same" in having.stdout


def test_the_settings_that_name_models_are_the_predictors() -> None:
    named = {environment_names(Settings, field) for field in ("model", "lapse_model")}

    assert set(NAMED_BY) == named


def test_help_says_what_is_made_again_and_what_is_taken_from_the_record() -> None:
    shown = " ".join(CliRunner().invoke(care, ["why", "--help"]).output.split())

    assert "made again from what its record holds" in shown
    assert "the digest of the facts are taken from the record, not made again from events" in shown
    assert all(setting in shown for setting in NAMED_BY)


def test_an_old_model_is_found_in_its_folder(ask: Any, tmp_path: Path) -> None:
    raw, records = an_old_model()

    without = ask(records, CUSTOMER)
    (tmp_path / "old.json").write_bytes(raw)
    (tmp_path / "notes.json").write_text("{}")
    having = ask(records, CUSTOMER, "--models", str(tmp_path))

    assert (without.exit_code, having.exit_code) == (1, 0)
    assert f"SHA-256 {model_digest(raw)} into a folder" in without.stdout
    assert "Re-run with complaint-risk 1: same" in having.stdout


def test_a_model_file_of_another_form_is_named(ask: Any, tmp_path: Path) -> None:
    raw = (SHIPPED / "complaint-risk.json").read_bytes().replace(b'"format": 1', b'"format": 9')
    (tmp_path / "newer.json").write_bytes(raw)

    shown = ask(
        Records(*found(assessed(digest=model_digest(raw)))), CUSTOMER, "--models", str(tmp_path)
    )

    assert shown.exit_code == 1
    assert "this version cannot use it: newer.json: format" in shown.stdout


def test_json_has_keys_that_stay(ask: Any) -> None:
    shown = ask(Records(*WHOLE), CUSTOMER, "--json", "--zone", "Europe/Berlin")
    told = json.loads(shown.stdout)

    assert list(told) == ["format", "customer", "good", "reruns", "unreadable", "entries"]
    assert told["reruns"] == {"same": 1, "differs": 0, "model_missing": 0}
    assert {tuple(entry) for entry in told["entries"]} == {
        ("time", "topic", "type", "source", "id", "headline", "details", "evidence", "set_aside",
         "rerun", "data")
    }  # fmt: skip
    (risk,) = [entry for entry in told["entries"] if entry["rerun"]]
    assert risk["rerun"] == {
        "outcome": "same",
        "differences": [],
        "adds_up": True,
        "link": "logit",
    }
    assert risk["time"] == "2026-01-01T01:00:00Z"
    assert "With what was known as of 1 January 2026, 01:00." in risk["details"]
    (problem,) = [entry for entry in told["entries"] if entry["evidence"]]
    assert problem["evidence"][0]["id"] == "the-promise"
    assert "was promised for 11 January 2026, 01:00" in problem["evidence"][0]["words"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "2026-01-01T01:00"), True),
        (("--at", "2026-01-01T00:59:59Z"), False),
        (("--at", "2026-01-01T02:00", "--zone", "Europe/Berlin"), True),
        (("--at", "2026-01-01T01:30", "--zone", "Europe/Berlin"), False),
        (("--at", "2026-01-01T01:30+01:00"), False),
    ],
)
def test_a_time_without_an_offset_is_one_in_the_readers_zone(
    ask: Any, words: tuple[str, ...], said: bool
) -> None:
    shown = ask(Records(*found(placed(at=START), placed("o-2", at=START + HOUR))), CUSTOMER, *words)

    assert ("order o-2" in shown.stdout.lower()) is said
    assert "Order o-1" in shown.stdout


def test_one_problem_can_be_asked_for(ask: Any) -> None:
    shown = ask(Records(*WHOLE), CUSTOMER, "--problem", str(PROBLEM))
    nothing = ask(Records(*WHOLE), CUSTOMER, "--problem", "00000000-0000-0000-0000-000000000009")

    assert "o-2" not in shown.stdout
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert nothing.stderr == (
        "nothing is recorded about problem 00000000-0000-0000-0000-000000000009 of this customer\n"
    )


def test_an_unknown_customer_is_said_so_and_is_no_fault(ask: Any) -> None:
    shown = ask(Records(), "c-nobody")
    told = ask(Records(), "c-nobody", "--json")

    assert (shown.exit_code, shown.stdout) == (0, "")
    assert "nothing is recorded about customer c-nobody" in shown.stderr
    assert (json.loads(told.stdout)["entries"], told.exit_code) == ([], 0)


def test_long_reading_tells_how_far_it_is(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 10.0, 10.0])
    monkeypatch.setattr(why, "monotonic", lambda: next(times))

    shown = ask(Records(*WHOLE), CUSTOMER)

    assert shown.stderr == "reading purchases: 1,000 of 20,000\n"
    assert "reading" not in shown.stdout


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ((), "Missing argument 'CUSTOMER'"),
        ((CUSTOMER, "--at", "yesterday"), "write 2026-03-12T09:00Z"),
        ((CUSTOMER, "--zone", "Moon/Base"), "write Europe/Berlin"),
        ((CUSTOMER, "--zone", "../etc"), "write Europe/Berlin"),
        ((CUSTOMER, "--problem", "7"), "not a valid UUID"),
        ((CUSTOMER, "--models", "no-such-folder"), "does not exist"),
    ],
)
def test_wrong_usage_ends_with_2(ask: Any, words: tuple[str, ...], hint: str) -> None:
    shown = ask(Records(), *words)

    assert shown.exit_code == 2
    assert hint in shown.stderr


def test_a_model_file_that_cannot_be_opened_is_wrong_usage(ask: Any, tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()

    shown = ask(Records(), CUSTOMER, "--models", str(tmp_path))

    assert shown.exit_code == 2
    assert "x.json" in shown.stderr


def test_an_address_typed_for_an_id_is_not_repeated(ask: Any) -> None:
    shown = ask(Records(), "ada@example.org")

    assert shown.exit_code == 2
    assert "no customer's id" in shown.stderr
    assert "ada" not in shown.output
