"""Late parcels of a few people, some of whom get another id and one of whom is erased: to be moved midway."""

from pathlib import Path
from typing import Any

from services.churn_predictor import state as st
from services.churn_predictor.relocation import Layout
from services.cli.moving import Move, Moved, Place
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.people import CustomerErased, CustomerMerged
from services.kit.kafka_clients import partition_of
from services.outreach.database import open_engine
from tests.factories import HOUR, START, delivered, event, placed, promised
from tests.support.service import running
from tests.support.topics import Deployment, by_customer

LAYOUT = Layout(2, 4)
PEOPLE = 12
HALF, STEPS = 4, 7
MERGED_AT, ERASED_AT = 2, 3
GONE = "p-0"


def environment(deployment: Deployment) -> dict[str, str]:
    return {
        **deployment.environment(CARE_CHURN_PREDICTOR_HISTORIES="on"),
        "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "6",
    }


def story(step: int) -> list[Event[Any]]:
    """Parcels come late; half of the people get another id, one is erased, and is told of all the same."""
    at, told = START + step * 12 * HOUR, list[Event[Any]]()
    for n in range(PEOPLE):
        who: dict[str, Any] = {"customer": f"p-{n}", "at": at - HOUR}
        names: dict[str, Any] = {"shipment": f"sh-{n}-{step}", "order": f"o-{n}-{step}"}
        told += [placed(names["order"], event_id=f"a-{n}-{step}", **who)]
        told += [promised(**names, by=at + (6 + n) * HOUR, event_id=f"b-{n}-{step}", **who)]
        if step > 1 and n % 3:
            before = {"shipment": f"sh-{n}-{step - 1}", "order": f"o-{n}-{step - 1}"}
            told += [delivered(**before, event_id=f"d-{n}-{step}", **who)]
        if step == MERGED_AT and n % 2:
            told += [
                event(CustomerMerged(into=f"q-{n}"), customer=f"p-{n}", at=at, event_id=f"m-{n}")
            ]
    if step == ERASED_AT:
        told += [event(CustomerErased(), customer=GONE, at=at, event_id="x-0")]
    if step == STEPS:
        told += [placed("o-old", customer=GONE, at=START + HOUR, event_id="late-1")]
    return told


def tell(deployment: Deployment, steps: range, log: Path) -> None:
    """Tell these steps to a predictor of this deployment, and end it."""
    with running("churn_predictor", environment(deployment), log) as service:
        for step in steps:
            deployment.publish(*(story(step) if step else ()))
            number = deployment.tick(START + step * 12 * HOUR)
            deployment.await_barrier(number, seconds=120)
        assert service.terminate() == 0


def said(deployment: Deployment) -> dict[str, Any]:
    """Return what was said and is remembered, wherever it lies; traces are drawn anew in each run."""
    accounts = {(v["topic"], v["partition"]): v for v in deployment.values(t.ACCOUNTS)}
    totals: dict[tuple[str, str], int] = {}
    for (topic, _), account in accounts.items():
        for outcome in ("applied", "duplicate", "late", "dead_lettered"):
            if topic in {source.name for source in t.PREDICTOR_SOURCES}:
                totals[topic, outcome] = totals.get((topic, outcome), 0) + account[outcome]
    return {
        "problems": _without_traces(by_customer(_sorted(deployment, t.PROBLEMS))),
        "assessments": _without_traces(by_customer(_sorted(deployment, t.ASSESSMENTS))),
        "states": {key: state for key, (_, state) in states(deployment).items()},
        "accounts": totals,
    }


def _sorted(deployment: Deployment, topic: t.Topic) -> list[dict[str, Any]]:
    return sorted(deployment.values(topic), key=lambda value: (value["time"], value["id"]))


def _without_traces(told: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    kept = {"traceparent", "tracestate"}
    return {
        c: [{k: v for k, v in e.items() if k not in kept} for e in each] for c, each in told.items()
    }


def states(deployment: Deployment) -> dict[str, tuple[int, st.CustomerState]]:
    """Return customer → where the changelog has them, and what it has; once each."""
    latest = {(r.partition, r.key): r.value for r in deployment.records(t.FACTS_CHANGELOG)}
    found: dict[str, tuple[int, st.CustomerState]] = {}
    for (partition, key), value in latest.items():
        if value is not None and not key.startswith(st.INTERNAL):
            assert key.decode() not in found, f"{key!r} lies in two partitions"
            state = st.CUSTOMER.validate_json(value)
            state.fresh = {}
            found[key.decode()] = partition, state
    return found


def move(deployment: Deployment, database: str) -> Moved:
    """Move in this process."""
    engine = open_engine(database)
    one = Move(Place(deployment.bootstrap, deployment.prefix), engine, LAYOUT, lambda _: None)
    try:
        return one.run()
    finally:
        one.close()
        engine.dispose()


def grown(deployment: Deployment) -> Deployment:
    """Return the same deployment with the new number of partitions."""
    after = Deployment(deployment.bootstrap, deployment.prefix, LAYOUT.after)
    after._number = deployment._number
    return after


def old_home(name: str) -> int:
    return partition_of(name.encode(), LAYOUT.before)


def moves_on(name: str) -> bool:
    """Whether this customer of the story moves and was neither merged nor erased."""
    number = int(name.removeprefix("p-"))
    is_known = number < PEOPLE and number % 2 == 0 and name != GONE
    return is_known and partition_of(name.encode(), LAYOUT.after) != old_home(name)
