"""Names, addresses and comments go in by every door, and come out nowhere but where they belong."""

import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from services.cli.__main__ import care
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.people import CustomerErased, CustomerMerged
from services.kit.clock import SystemClock
from services.outreach.channels.endings import UNWRITABLE
from tests.component.outreach.visitor import CUSTOMER, SECRET, visiting
from tests.factories import START, event
from tests.integration.test_outreach_live import body
from tests.integration.test_outreach_webhook import hooked
from tests.support import receiver
from tests.support.canary import NUMBER, WORD, everything_logged, known, of_records, sung_in
from tests.support.collector import Collector, collecting
from tests.support.door import open_door
from tests.support.mail import Manner, Sink
from tests.support.outreach import Company, consent, here, live, now_ish, opened, query, states
from tests.support.service import running
from tests.support.topics import Deployment, wait_for

pytestmark = pytest.mark.connected

QUIET_TOPICS = tuple(topic for topic in t.TOPICS if topic is not t.CUSTOMERS)
KEY = "a key of tests, of thirty-two letters and more"
PLANTED_KEY = f"{WORD}@example.org".encode()
"""Of what a publisher puts on `consents` against all rules; there it lies as long as that keeps it."""
UNTRIED = """
SELECT count(*) FROM sends WHERE state = 'started' OR state = 'pending' AND attempt = 0
"""
BAD = "{% if name and name|length > 30 %}{{ name.nothing.at.all }}{% endif %}"
"""What no check of templates meets: it fails for one long name only."""


def somebody(customer: str, **changes: str | None) -> Event[Any]:
    """Return a profile full of canaries, where it is about noon."""
    plain = here(customer)
    return plain.model_copy(update={"data": plain.data.model_copy(update=known(**changes))})


@dataclass
class Scene:
    """Two services at work, and what surrounds them."""

    company: Company
    database: str
    folder: Path
    outreach: str
    ingest: str
    collector: Collector | None = None

    @property
    def deployment(self) -> Deployment:
        return self.company.deployment

    def care(self, *words: str) -> Result:
        """Run a command of ours."""
        d = self.deployment
        place = ["--database-url", self.database, "--bootstrap", d.bootstrap, "--prefix", d.prefix]
        return CliRunner().invoke(care, [*words, *place, "--partitions", str(d.partitions)])

    def heard(self) -> Iterator[tuple[str, Iterable[str | bytes | None]]]:
        """Yield everything that anybody might read, by where: logs, figures, records, reasons."""
        yield from ((file.name, [file.read_text()]) for file in self.folder.glob("*.log"))
        yield "outreach's figures", [body(f"{self.outreach}/metrics")]
        yield "ingest's figures", [httpx.get(f"{self.ingest}/metrics").text]
        for topic in QUIET_TOPICS:
            found = self.company.everything_on([topic])
            is_planted = topic is t.CONSENTS
            ours = (r for r in found if not (is_planted and r.key == PLANTED_KEY))
            yield topic.name, of_records(ours)
        yield "spans", [] if self.collector is None else self.collector.bodies
        yield "reasons", [str(query(self.database, "SELECT reason FROM sends"))]
        yield "gates", [str(query(self.database, "SELECT gates FROM decisions"))]


@pytest.fixture
def scene(company: Company, sink: Sink, database: str, tmp_path: Path) -> Iterator[Scene]:
    sink.manner_of = lambda to: (
        Manner.REFUSES_RECIPIENT if to.startswith("refused") else Manner.TAKES
    )
    with (
        receiver.receiving() as hook,
        receiver.receiving(tls=True) as sms,
        collecting() as collector,
    ):
        settings = live(
            company.deployment,
            database,
            sink.port,
            **told(tmp_path, hook.port, sms.port),
            **collector.environment,
        )
        common = company.deployment.environment(CARE_CLOCK="system", **collector.environment)
        with (
            running("outreach", settings, tmp_path / "outreach.log"),
            open_door(common, tmp_path) as (_, door),
        ):
            address = tmp_path / "outreach-address"
            wait_for(address.exists, "outreach to listen")
            found = address.read_text().strip()
            yield Scene(company, database, tmp_path, found, door, collector)


def told(folder: Path, hook_port: int, sms_port: int) -> dict[str, str]:
    """Return settings of a mail that gives way to an SMS, and that to a webhook; logs say all."""
    settings = hooked(folder, f"http://127.0.0.1:{hook_port}/hook")
    playbook = folder / "playbooks" / "delivery_late.yaml"
    playbook.write_text(playbook.read_text().replace("[webhook]", "[email, sms, webhook]"))
    shutil.copytree("services/outreach/templates", folder / "templates")
    text = folder / "templates" / "delivery_late" / "pt.txt"
    text.write_text(text.read_text() + BAD)
    for name, secret in (
        ("sms", f"jsons://127.0.0.1:{sms_port}/{{recipient}}"),
        ("key", KEY),
        ("pages", SECRET),
    ):
        (folder / name).write_text(f"{secret}\n")
    return settings | {
        "CARE_LOG_LEVEL": "debug",
        "CARE_OUTREACH_ADDRESS_FILE": str(folder / "outreach-address"),
        "CARE_OUTREACH_TEMPLATES": str(folder / "templates"),
        "CARE_OUTREACH_SMS_URL_FILE": str(folder / "sms"),
        "CARE_OUTREACH_SUPPRESSION_KEY_FILE": str(folder / "key"),
        "CARE_OUTREACH_PAGES_BASE_URL": "http://localhost",
        "CARE_OUTREACH_PAGES_SECRETS_FILE": str(folder / "pages"),
    }


def publish_everything(scene: Scene) -> None:
    """Say personal things by every door, in every way that goes right or wrong."""
    d = scene.deployment
    d.publish(
        somebody(CUSTOMER),
        somebody("c-refused", email=f"refused-{WORD}@example.org"),
        somebody("c-sms", email=None),
        somebody("c-hook", email=None, phone=None),
        somebody("c-bad", language="pt"),
        consent("c-refused", "granted", now_ish()),
    )
    with httpx.Client(base_url=scene.ingest) as door:
        good = somebody("c-door").encode()
        bad = good.replace(b'"email"', b'"e_mail"')
        for content, status in ((good, 202), (bad, 422), (good[:-1], 400)):
            headers = {"content-type": "application/cloudevents+json"}
            answer = door.post("/v1/events", content=content, headers=headers)
            assert answer.status_code in (status, 400), answer.status_code
    wait_for(
        lambda: query(scene.database, "SELECT count(*) FROM profiles") == [(6,)], "the profiles"
    )
    d.put(t.CUSTOMERS, json.dumps(known()).encode(), b"c-dead")
    d.put(t.CUSTOMERS, somebody("c-dead").encode(), f"{WORD}@example.org".encode())
    d.put(t.CONSENTS, json.dumps(known()).encode(), PLANTED_KEY)
    customers = (CUSTOMER, "c-refused", "c-sms", "c-hook", "c-bad")
    d.publish(*(opened(customer, now_ish()) for customer in customers))


def test_nothing_personal_is_heard_anywhere(scene: Scene, sink: Sink) -> None:
    with visiting_pages(scene) as say:
        publish_everything(scene)
        say(f"{WORD} calls +{NUMBER}")
    wait_for(lambda: sum(states(scene.database).values()) == 5, "the decisions")
    wait_for(lambda: query(scene.database, UNTRIED) == [(0,)], "the attempts")
    wait_for(lambda: len(letters(scene)) == 3, "the dead letters")
    now = SystemClock().now()
    merged = event(CustomerMerged(into="c-sms"), at=now, customer="c-hook", source="/crm")
    scene.deployment.publish(merged)
    wait_for(lambda: query(scene.database, "SELECT * FROM aliases"), "the merge")

    asked = scene.care("erase", "c-sms", "--by", "ada", "--json")

    assert asked.exit_code == 0, asked.output
    assert set(json.loads(asked.stdout)["names"]) == {"c-hook", "c-sms"}
    assert_forgotten(scene, "c-sms", "c-hook")
    assert [where for where, texts in scene.heard() if sung_in(texts)] == []
    assert names_in_logs(scene) == []
    assert scene.collector is not None
    assert {span.service for span in scene.collector.spans()} == {"ingest", "outreach"}
    # The search would have heard them: they are where they belong.
    assert sung_in(str(mail) for mail in sink.mails) != []
    everywhere = of_records(scene.company.everything_on([t.CUSTOMERS]))
    assert sung_in(everywhere) == [WORD, NUMBER]
    assert UNWRITABLE in {reason for (reason,) in query(scene.database, "SELECT reason FROM sends")}


def names_in_logs(scene: Scene) -> list[str]:
    """Return the lines with a customer's id: erasing somebody reaches no log."""
    ids = ("c-door", "c-refused", "c-sms", "c-hook", "c-bad", CUSTOMER)
    return [
        line
        for file in scene.folder.glob("*.log")
        for line in file.read_text().splitlines()
        if any(f'"{name}"' in line for name in ids)
    ]


def letters(scene: Scene) -> list[Any]:
    names = ("customers-dlq", "consents-dlq")
    return scene.company.everything_on([t.by_name(name) for name in names])


def assert_forgotten(scene: Scene, *names: str) -> None:
    again = scene.care("erase", names[0], "--status", "--json")
    found = {store["name"]: store for store in json.loads(again.stdout)["stores"]}
    assert again.exit_code == 0
    assert (found["outreach database"]["left"], found["messages waiting"]["left"]) == (0, 0)
    assert found["customers"]["state"] == "done"
    assert found["problems"]["state"] == "ageing out"
    exported = json.loads(scene.care("export", names[0]).stdout)
    assert exported["profiles"] == exported["sends"] == []
    latest = {}
    for record in scene.deployment.records(t.CUSTOMERS):
        latest[record.key] = record.value
    assert [latest[name.encode()] for name in names] == [None] * len(names)


@contextmanager
def visiting_pages(scene: Scene) -> Iterator[Callable[[str], None]]:
    """Give what answers a survey with a comment."""
    folder = scene.folder / "visitor"
    folder.mkdir()
    with visiting(scene.database, folder) as visitor:

        def say(comment: str) -> None:
            answer = visitor.http.post(visitor.survey(), data={"score": "5", "comment": comment})
            assert answer.status_code == 200

        yield say


def test_what_is_exported_is_everything_and_under_every_name(scene: Scene) -> None:
    with visiting_pages(scene) as say:
        say(f"{WORD} says")
    merged = event(CustomerMerged(into="c-2"), at=now_ish(), customer=CUSTOMER, source="/crm")
    scene.deployment.publish(somebody(CUSTOMER), merged)
    wait_for(lambda: query(scene.database, "SELECT * FROM aliases"), "the merge")
    # Decided before their zone is known, it would wait for a morning in the default's.
    wait_for(lambda: query(scene.database, "SELECT * FROM profiles"), "the profile")
    scene.deployment.publish(opened("c-2", now_ish()))
    wait_for(lambda: sum(states(scene.database).values()) == 1, "the decision")

    shown = scene.care("export", "c-2")

    found = json.loads(shown.stdout)
    assert found["names"] == [CUSTOMER, "c-2"]
    assert found["profiles"][0]["email"] == f"{WORD}@example.org"
    assert found["surveys"][0]["comment"] == f"{WORD} says"
    assert found["topics"]["customers"]["count"] == 1
    assert found["topics"]["problems"]["records"][0]["value"]["partitionkey"] == "c-2"


def test_what_nobody_reads_yet_is_pending_and_says_so(
    company: Company, database: str, tmp_path: Path
) -> None:
    scene = Scene(company, database, tmp_path, "", "")
    scene.deployment.publish(somebody("c-1"))
    scene.deployment.put(t.CUSTOMER_RISKS, b"{}", b"c-1")
    before = scene.care("erase", "c-1", "--status", "--json")

    asked = scene.care("erase", "c-1", "--by", "ada", "--no-wait", "--json")

    assert (before.exit_code, asked.exit_code) == (1, 1)
    pending = [s["name"] for s in json.loads(asked.stdout)["stores"] if s["state"] == "pending"]
    assert pending == ["outreach database", "messages waiting", "customer-risks"]
    scene.care("erase", "c-1", "--by", "ada", "--no-wait")
    erasures = scene.deployment.values(t.IDENTITIES)
    assert [e["type"] for e in erasures] == [CustomerErased.TYPE]


def test_in_simulated_time_an_erasure_is_as_late_as_the_latest_tick_says(
    company: Company, database: str, tmp_path: Path
) -> None:
    scene = Scene(company, database, tmp_path, "", "")
    scene.deployment.tick(START)

    scene.care("erase", "c-1", "--by", "ada", "--no-wait", "--clock", "ticks")

    (erasure,) = scene.deployment.values(t.IDENTITIES)
    assert datetime.fromisoformat(erasure["time"]) == START


@pytest.mark.parametrize("place", ["key", "value", "header"])
def test_the_search_hears_a_canary_in_a_record(company: Company, place: str) -> None:
    d = company.deployment
    word = f"so says {WORD}".encode()
    spoken: dict[str, Any] = {"value": word} if place == "value" else {"value": b"x"}
    key = word if place == "key" else b"c-1"
    if place == "header":
        company._producer.send(
            t.OUTREACH.physical(d.prefix), b"x", key=key, headers=[("h", word)]
        ).get(30)
    else:
        d.put(t.OUTREACH, spoken["value"], key)

    assert sung_in(of_records(company.everything_on(QUIET_TOPICS))) == [WORD]


def test_the_search_hears_a_canary_in_a_log_line_and_in_a_label() -> None:
    registry = CollectorRegistry()
    Gauge("g", "g", ["label"], registry=registry).labels(f"+{NUMBER}").set(1)
    with everything_logged("x") as lines:
        logging.getLogger("x").debug("to %s", f"{WORD}@example.org")

    assert sung_in([lines.text]) == [WORD]
    assert sung_in([generate_latest(registry)]) == [NUMBER]
