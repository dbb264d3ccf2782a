"""Row `smtp_faults`: what becomes of each message when the mail server fails, and of another channel's.

Each fault has a deployment of its own; all run at once beside one without a fault, so that what they
take can be compared.  The product's own patience is in force: what it waits is real time.
"""

import base64
import json
import re
import ssl
import statistics
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import trustme

from services.kit.clock import SystemClock, monotonic
from tests.faults.outreach.evidence import Entry, Evidence, Hook, Wanted
from tests.faults.outreach.judge import ENDED, faults
from tests.faults.outreach.outcome import Outcome, Sheet
from tests.faults.outreach.server import MailServer, serving
from tests.faults.outreach.smtp_scenarios import (
    BY_BOTH,
    BY_HOOK,
    BY_MAIL,
    SCENARIOS,
    Scenario,
    Seen,
)
from tests.faults.outreach.world import Scene, World, opened
from tests.support import outreach, receiver
from tests.support.receiver import Receiver

_PLAYBOOK = """
name: {name}
version: 1
mode: live
message_class: service
contacts_per_day: 1000000
trigger: {{kind: delivery_delay, tiers: [late], actors: [{actor}]}}
steps:
  - {{name: notice, action: send, channels: [{channels}], template: delivery_late, use_by_hours: 1}}
"""
_ACTOR = {BY_BOTH: "us", BY_MAIL: "nobody", BY_HOOK: "customer"}
"""How a problem says which playbook is meant."""
_CHANNELS = {BY_BOTH: "email, webhook", BY_MAIL: "email", BY_HOOK: "webhook"}
_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
_OPENING_SECONDS = {True: 4.0, False: 30.0}
"""All problems open within this time, by quick."""
_SLACK_SECONDS = 30.0
_ENDS = (
    "the mail server's fault",
    "messages",
    "by mail",
    "by webhook instead",
    "failed",
    "unknown",
    "attempts: messages",
)
_TIMES = (
    "the mail server's fault",
    "s until the outcome: median",
    "longest",
    "circuit opened",
    "s of a webhook: median",
    "times that without a fault",
)


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one scenario."""

    scenario: Scenario
    evidence: Evidence
    server: MailServer
    circuits: int

    def by_mail(self) -> list[tuple[Wanted, Entry]]:
        """Return each message that was to go by mail first, as far as the ledger knows it."""
        entries = self.evidence.entry_of()
        return [
            (want, entries[want.name])
            for want in self.evidence.wanted
            if not want.customer.startswith(BY_HOOK) and want.name in entries
        ]

    def hook_seconds(self) -> list[float]:
        """Return how long each message of the other channel took from its problem to its receiver."""
        opened_at = {w.customer: w.at for w in self.evidence.wanted}
        hooks = (h for h in self.evidence.hooks if h.customer.startswith(BY_HOOK))
        return [(hook.at - opened_at[hook.customer]).total_seconds() for hook in hooks]


def run(scene: Scene) -> Outcome:
    """Run the row."""
    began = monotonic()
    together = threading.Barrier(len(SCENARIOS), timeout=300)
    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        playing = [pool.submit(_play, scene, scenario, together) for scenario in SCENARIOS]
        errors = [error for future in playing if (error := future.exception()) is not None]
    # Where one fails, the others are not waited for; why it failed is what matters.
    for error in sorted(errors, key=lambda one: isinstance(one, threading.BrokenBarrierError)):
        raise error
    found = [future.result() for future in playing]
    calm = _median(found[0].hook_seconds())
    figures: dict[str, int | float | str] = {
        "messages by mail": sum(len(one.by_mail()) for one in found),
        "messages by webhook alone": sum(len(one.hook_seconds()) for one in found),
        "told twice": sum(
            "was told" in fault for one in found for fault in faults(one.evidence, ENDED)
        ),
        "seconds a webhook takes without a fault": f"{calm:.2f}",
    }
    return Outcome(
        "smtp_faults",
        scene.seed,
        scene.quick,
        monotonic() - began,
        figures,
        [fault for one in found for fault in _faults(one)],
        [
            Sheet("what becomes of each message", _ENDS, [_ends(one) for one in found]),
            Sheet("and when", _TIMES, [_times(one, calm) for one in found]),
            Sheet("why", ("the mail server's fault", "messages", "reason"), _reasons(found)),
        ],
    )


def _play(scene: Scene, scenario: Scenario, together: threading.Barrier) -> Found:
    try:
        return play(scene, scenario, together)
    except BaseException:
        together.abort()
        raise


def play(scene: Scene, scenario: Scenario, together: threading.Barrier) -> Found:
    """Tell one scenario's problems to an outreach of its own, and wait for the last outcome."""
    length = scenario.length(scene.quick)
    server = MailServer(script_of=scenario.scripts(scene.seed, scene.quick), slow_seconds=0.02)
    with ExitStack() as stack:
        stack.enter_context(serving(server, _untrusted() if scenario.insists_on_tls else None))
        heard: dict[str, datetime] = {}
        other = stack.enter_context(receiver.receiving(_noting(heard)))
        settings = {
            **_hooked(scene.folder, scenario.name, other),
            "CARE_OUTREACH_SMTP_STARTTLS": str(scenario.insists_on_tls).lower(),
            "CARE_OUTREACH_SMTP_TIMEOUT_SECONDS": str(scenario.timeout_seconds),
        }
        playbooks = {kind: _playbook(kind) for kind in _ACTOR}
        world = stack.enter_context(opened(scene, scenario.name, server, playbooks, 1, **settings))
        world.start("one")
        customers = list(_customers(length.mails))
        world.introduce(customers, 120)
        together.wait()
        wanted = _open_all(world, customers, length.patience_seconds, _OPENING_SECONDS[scene.quick])
        world.settle(wanted, length.patience_seconds + _SLACK_SECONDS)
        scene.say(f"{scenario.what}: done")
        evidence = replace(world.evidence(wanted), hooks=_hooks(other, heard))
        return Found(scenario, evidence, server, _circuits(world))


def _customers(mails: int) -> Iterator[str]:
    """Return their ids, kinds in turn: as many by webhook alone as by mail first, but ten at least."""
    for number in range(mails):
        yield f"{(BY_BOTH, BY_MAIL)[number % 2]}-{number // 2}"
    for number in range(max(10, mails // 2)):
        yield f"{BY_HOOK}-{number}"


def _open_all(
    world: World, customers: Sequence[str], patience_seconds: int, seconds: float
) -> list[Wanted]:
    """Open everybody's problem over some time, those of the other channel spread among them."""
    hooks = [c for c in customers if c.startswith(BY_HOOK)]
    mails = [c for c in customers if not c.startswith(BY_HOOK)]
    shares = [((n + 0.5) / len(some), one) for some in (hooks, mails) for n, one in enumerate(some)]
    wanted, began, pause = [], monotonic(), threading.Event()
    for share, customer in sorted(shares):
        pause.wait(max(0.0, began + share * seconds - monotonic()))
        wanted.append(_open(world, customer, patience_seconds))
    return wanted


def _open(world: World, customer: str, patience_seconds: int) -> Wanted:
    """Open a problem so long ago that its message is worth sending for so many seconds more."""
    kind, now = customer.partition("-")[0], SystemClock().now()
    at = now - timedelta(hours=1) + timedelta(seconds=patience_seconds)
    world.company.deployment.publish(outreach.opened(customer, at, actor=_ACTOR[kind]))
    return Wanted(*outreach.step(customer, f"told_by_{kind}"), customer, now)


def _faults(found: Found) -> list[str]:
    scenario, mails = found.scenario, {(m.problem, m.step) for m in found.evidence.mails}
    wrong = faults(found.evidence, ENDED)
    for want, entry in found.by_mail():
        named = found.server.attempts[f"{want.customer}@example.org"]
        seen = Seen(want.customer.partition("-")[0], want.name in mails, named)
        if fault := scenario.expected(entry, seen):
            ended = f"{entry.state} by {entry.channel} in {entry.attempt} attempts ({entry.reason})"
            wrong.append(f"{want.customer}: {fault}: {ended}")
    hooked = {hook.customer for hook in found.evidence.hooks}
    missed = [w.customer for w in found.evidence.wanted if w.customer not in hooked]
    wrong += [f"{c}: no webhook came" for c in missed if c.startswith(BY_HOOK)]
    return [f"{scenario.name}: {fault}" for fault in wrong]


def _ends(found: Found) -> Sequence[str]:
    messages = found.by_mail()
    ends = Counter((entry.state, entry.channel) for _, entry in messages)
    attempts = Counter(entry.attempt for _, entry in messages)
    return (
        found.scenario.what,
        str(len(messages)),
        str(ends["sent", "email"]),
        str(ends["sent", "webhook"]),
        str(ends["failed", "email"] + ends["failed", "webhook"]),
        str(ends["unknown", "email"] + ends["unknown", "webhook"]),
        ", ".join(f"{number}: {count}" for number, count in sorted(attempts.items())),
    )


def _times(found: Found, calm: float) -> Sequence[str]:
    waits = [
        (entry.finished_at - want.at).total_seconds()
        for want, entry in found.by_mail()
        if entry.finished_at is not None
    ]
    hook = _median(found.hook_seconds())
    return (
        found.scenario.what,
        f"{_median(waits):.1f}",
        f"{max(waits, default=0):.1f}",
        str(found.circuits),
        f"{hook:.2f}",
        f"{hook / calm if calm else 0:.1f}",
    )


def _reasons(found: Sequence[Found]) -> list[Sequence[str]]:
    """Return why what was not sent by mail was not, numbers of attempts left out."""
    lines: list[Sequence[str]] = []
    for one in found:
        reasons = Counter(
            f"{entry.state}: {re.sub('in [0-9]+ attempts', 'in n attempts', entry.reason)}"
            for _, entry in one.by_mail()
            if entry.state != "sent"
        )
        lines += [(one.scenario.what, str(n), reason) for reason, n in sorted(reasons.items())]
    return lines


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0


def _circuits(world: World) -> int:
    lines = outreach.log_lines(world.replicas["one"].log)
    told = (line for line in lines if line["event"] == "outreach_provider_circuit")
    return sum(line["phase"] == "open" and line["channel"] == "email" for line in told)


def _playbook(kind: str) -> str:
    names = {"name": f"told_by_{kind}", "actor": _ACTOR[kind], "channels": _CHANNELS[kind]}
    return _PLAYBOOK.format(**names)


def _hooked(folder: Path, name: str, other: Receiver) -> Mapping[str, str]:
    """Return the settings of signed webhooks to this receiver."""
    secrets = folder / f"{name}-secrets"
    secrets.write_text(f"{_SECRET}\n", encoding="utf-8")
    return {
        "CARE_OUTREACH_WEBHOOK_URL": f"http://127.0.0.1:{other.port}/care",
        "CARE_OUTREACH_WEBHOOK_SECRETS_FILE": str(secrets),
        "CARE_OUTREACH_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "CARE_OUTREACH_WEBHOOK_PLAIN_HTTP": "true",
    }


def _noting(heard: dict[str, datetime]) -> receiver.Answering:
    """Take every webhook, and note when it came first."""

    def answer(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
        heard.setdefault(handler.headers["webhook-id"], SystemClock().now())
        receiver.TAKES(handler, over)

    return answer


def _hooks(other: Receiver, heard: Mapping[str, datetime]) -> list[Hook]:
    found = []
    for request in other.requests:
        told, step_id = json.loads(request.body), request.headers["webhook-id"]
        found.append(Hook(step_id, told["customer_id"], heard[step_id]))
    return found


def _untrusted() -> ssl.SSLContext:
    """Return a certificate whose authority nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context
