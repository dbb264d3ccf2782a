"""What Prometheus hears of scores: which models, how many of which band, and how far features moved."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from services.churn_predictor import app, worker
from services.churn_predictor.rules import Model, Rules
from services.churn_predictor.settings import Settings
from services.churn_predictor.telemetry import Telemetry
from services.churn_predictor.vault import Deployment, Owned, Vault
from services.churn_predictor.worker import Worker
from services.contracts import topics as t
from services.contracts.stream import Tick
from services.kit.exits import Unavailable
from services.kit.stores import MemoryStore
from services.kit.suspects import Suspects
from services.kit.transactions import TransactionalWriter
from tests.factories import DAY, HOUR, START, handed_over, placed, promised
from tests.unit.churn_predictor.stream import RULES, Stream
from tests.unit.churn_predictor.test_drift import ENOUGH, POINT, assessed, fitted

ASSESSED = "care_churn_predictor_assessments_total"
DRIFT = "care_churn_predictor_feature_drift"


def series(registry: CollectorRegistry, name: str) -> dict[tuple[str, ...], float]:
    """Return the values of one family by their labels' values, in the order of the labels' names."""
    samples = (sample for family in registry.collect() for sample in family.samples)
    return {
        tuple(sample.labels[label] for label in sorted(sample.labels)): sample.value
        for sample in samples
        if sample.name == name
    }


def test_the_models_that_score_are_shown_and_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[str, dict[str, Any]]] = []
    log = type("Log", (), {"info": lambda _, event, **said: logged.append((event, said))})
    monkeypatch.setattr(app, "_log", log())
    telemetry = Telemetry()

    app._show_models(RULES, telemetry)

    models = (RULES.complaint, RULES.lapse)
    assert series(telemetry.registry, "care_churn_predictor_model_info") == {
        (m.digest[:12], m.card.kind, m.card.name, m.card.version): 1 for m in models
    }
    assert logged == [
        (
            "model_loaded",
            {
                "kind": m.card.kind,
                "name": m.card.name,
                "version": m.card.version,
                "digest": m.digest,
            },
        )
        for m in models
    ]


def test_assessments_are_counted_by_kind_point_and_band() -> None:
    telemetry, card = Telemetry(), fitted()
    nothing_yet = series(telemetry.registry, ASSESSED)
    telemetry.assessed([assessed(card, lines=1.0), assessed(card, lines=0.0)])

    counted = series(telemetry.registry, ASSESSED)
    assert set(nothing_yet.values()) == {0}
    assert counted.keys() == nothing_yet.keys()
    assert {labels: n for labels, n in counted.items() if n} == {
        ("elevated", "complaint", "promise"): 2
    }


def test_drift_is_shown_once_enough_was_scored() -> None:
    card, telemetry = fitted(), Telemetry()
    telemetry.scores_with(Rules(Model(card, "0" * 64), RULES.lapse))

    telemetry.assessed(assessed(card, lines=0.0) for _ in range(ENOUGH - 1))
    assert series(telemetry.registry, DRIFT) == {}
    telemetry.assessed([assessed(card, lines=0.0)])

    shown = series(telemetry.registry, DRIFT)
    assert shown.keys() == {("lines", "complaint", POINT)}
    assert min(shown.values()) > 0.25


class Silence:
    """Stands in for the follower of `feeds`: nothing comes."""

    def __init__(self, *_: Any) -> None:
        pass

    def read(self, _: float) -> bool:
        return False

    catch_up = read


class Writer:
    """Stands in for a transaction: it is committed, or the process would end."""

    def __init__(self) -> None:
        self.is_fenced = False
        self.written: list[str] = []

    def write(self, topic: str, *_: Any, **__: Any) -> None:
        self.written.append(topic)

    def commit(self) -> None:
        if self.is_fenced:
            raise RuntimeError("fenced")


class Shelf:
    """Stands in for the vault: one partition, as it is."""

    deployment = Deployment("127.0.0.1:9", "", 1)

    def __init__(self, stream: Stream, writer: Writer) -> None:
        transaction = cast(TransactionalWriter, writer)
        self.owned = Owned(stream.partition, MemoryStore(), transaction, "changelog")

    def fetch(self, numbers: Iterable[int]) -> Mapping[int, Owned]:
        return dict.fromkeys(numbers, self.owned)


@pytest.fixture
def stream() -> Stream:
    """A partition with a parcel that was handed over, and the tick that will score it."""
    stream = Stream()
    stream.tick(START - HOUR)
    stream.give(placed(at=START), promised(by=START + 10 * DAY, at=START), handed_over(at=START))
    tick = Tick(number=stream.number + 1, at=START + HOUR, ends=stream.ends)
    stream.give_raw(t.TICKS, tick.encode(), None)
    return stream


@pytest.fixture
def at_work(stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(worker, "Follower", Silence)
    telemetry, writer = Telemetry(), Writer()
    vault = cast(Vault, Shelf(stream, writer))
    found = Worker(Shelf.deployment, vault, telemetry, None, Suspects(tmp_path / "notes"))
    found.own(frozenset({0}))
    found.begin({})
    return found, telemetry, writer


def counted(telemetry: Telemetry) -> float:
    return sum(series(telemetry.registry, ASSESSED).values())


def test_an_assessment_is_counted_once_it_is_committed_and_not_again(at_work: Any) -> None:
    found, telemetry, writer = at_work

    found.idle()
    found.idle()

    assert writer.written.count(t.ASSESSMENTS.name) == 1
    assert writer.written.count(t.CUSTOMER_RISKS.name) == 1
    assert counted(telemetry) == 1


def test_what_is_not_committed_is_not_counted(at_work: Any) -> None:
    found, telemetry, writer = at_work
    writer.is_fenced = True

    with pytest.raises(RuntimeError, match="fenced"):
        found.idle()

    assert writer.written.count(t.ASSESSMENTS.name) == 1
    assert counted(telemetry) == 0


def test_a_deployments_tolerances_that_cannot_be_meant_end_the_start_with_every_fault(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tolerances.json"
    path.write_text('{"reply_day": 1, "time_zone": "Mars"}')

    with pytest.raises(Unavailable, match=r"holds no tolerances: /time_zone: .*; /reply_day: "):
        app.load_rules(Settings(kafka_bootstrap_servers="127.0.0.1:9", tolerances=path))
