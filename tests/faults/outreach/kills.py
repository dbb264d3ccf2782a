"""Row `kills`: outreach is killed again and again, half of the time between DATA and its 250."""

import subprocess
from contextlib import suppress
from dataclasses import dataclass, field

from services.kit.clock import monotonic
from tests.faults.outreach.evidence import Evidence
from tests.faults.outreach.judge import faults
from tests.faults.outreach.load import SteadyLoad
from tests.faults.outreach.outcome import Outcome, Sheet
from tests.faults.outreach.server import MailServer, serving
from tests.faults.outreach.world import PLAYBOOK, Scene, World, left_in_order, opened
from tests.support.service import Service
from tests.support.topics import wait_for

_LATEST_SECONDS = 9.0
"""Random kills fall so long after a start at most: while it starts, joins, decides, sends or idles."""
_MAIL_SECONDS = 90.0
_MAIL_TAKES_SECONDS = 0.3
"""So that a random moment has a fair chance to be within one."""
_SETTLE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done."""

    aimed: int
    random: int
    customers: int
    every_seconds: float


FULL = Size(aimed=10, random=10, customers=200, every_seconds=0.8)
QUICK = Size(aimed=2, random=2, customers=30, every_seconds=0.8)
_MOST_CUSTOMERS = 800


@dataclass(slots=True)
class Kills:
    """What the kills have hit, by the ids of steps."""

    aimed: list[tuple[str, str]] = field(default_factory=list)
    """Problem and step of each mail that was held."""
    hit_at_random: list[str] = field(default_factory=list)
    missed: int = 0
    doubtful: set[str] = field(default_factory=set)
    """Steps that were started when their process died."""


def run(scene: Scene) -> Outcome:
    """Run the row."""
    began, size = monotonic(), QUICK if scene.quick else FULL
    server = MailServer(slow_seconds=_MAIL_TAKES_SECONDS)
    with serving(server), opened(scene, "kills", server, {"late": PLAYBOOK}) as world:
        replica = world.start("one")
        customers = [f"c-{number}" for number in range(_MOST_CUSTOMERS)]
        world.introduce(customers)
        load = SteadyLoad(world, customers, size.every_seconds).start()
        try:
            kills = kill_all(scene, world, replica, size)
            wait_for(lambda: len(load.wanted) >= size.customers, "enough customers", 300)
        finally:
            wanted = load.stop()
        scene.say(f"{len(wanted)} problems are open; waiting until each has ended")
        world.settle(wanted, _SETTLE_SECONDS)
        has_left = left_in_order(replica)
        evidence = world.evidence(wanted)
    found = faults(evidence) + beyond(evidence, kills)
    if not has_left:
        found.append("it did not leave with 0 in the end")
    return Outcome(
        "kills",
        scene.seed,
        scene.quick,
        monotonic() - began,
        figures_of(evidence, kills),
        found,
        [_sheet(evidence)],
    )


def kill_all(scene: Scene, world: World, replica: Service, size: Size) -> Kills:
    """Kill so many times, in an order drawn by the seed, and start it again each time."""
    random, kills = scene.random("kills"), Kills()
    plan = ["aimed"] * size.aimed + ["random"] * size.random
    random.shuffle(plan)
    for number, how in enumerate(plan, start=1):
        before = set(kills.doubtful)
        if how == "aimed":
            held = world.server.hold_next()
            mail = held.wait(_MAIL_SECONDS)
            replica.kill()
            held.release()
            kills.aimed.append((mail.problem, mail.step))
        else:
            wait_for_death(replica, random.uniform(0.1, _LATEST_SECONDS))
        hit = world.started_by_the_dead() - before
        kills.doubtful |= hit
        if how == "random":
            kills.hit_at_random += sorted(hit)
            kills.missed += not hit
        scene.say(f"kill {number}/{len(plan)}, {how}: {len(hit)} sends hit")
        replica.restart()
    return kills


def wait_for_death(replica: Service, seconds: float) -> None:
    """Let it live for so long, and kill it; it may have ended by itself before."""
    with suppress(subprocess.TimeoutExpired):
        replica.process.wait(seconds)
    replica.kill()


def beyond(evidence: Evidence, kills: Kills) -> list[str]:
    """Return what is wrong with the doubts: there is one for each hit, and no other."""
    entries = evidence.entry_of()
    unknown = {entry.step_id for entry in evidence.ledger if entry.state == "unknown"}
    found = [
        f"step {step_id} is unknown, and no kill hit it" for step_id in unknown - kills.doubtful
    ]
    found += [f"step {step_id} was hit, and is not unknown" for step_id in kills.doubtful - unknown]
    for name in kills.aimed:
        if entries[name].state != "unknown":
            found.append(f"{name[1]} of {name[0]} was held, and is {entries[name].state}")
    if len(unknown) > len(kills.aimed) + len(kills.hit_at_random):
        found.append("there are more unknown than kills that hit a send")
    return found


def figures_of(evidence: Evidence, kills: Kills) -> dict[str, int | float | str]:
    """Return what the row is about, in numbers."""
    mailed = {(mail.problem, mail.step) for mail in evidence.mails}
    unknown = [entry for entry in evidence.ledger if entry.state == "unknown"]
    ids = [said.event_id for said in evidence.said]
    return {
        "problems opened": len(evidence.wanted),
        "kills between DATA and 250": len(kills.aimed),
        "kills at random moments": len(kills.hit_at_random) + kills.missed,
        "of these, hit a send": len(kills.hit_at_random),
        "mails": len(evidence.mails),
        "told twice": len(evidence.mails) - len(mailed),
        "sent": sum(entry.state == "sent" for entry in evidence.ledger),
        "unknown": len(unknown),
        "of these, the mail is there": sum(entry.name in mailed for entry in unknown),
        "most attempts": max((entry.attempt for entry in evidence.ledger), default=0),
        "events on the topic": len(set(ids)),
        "of these, published again": len(ids) - len(set(ids)),
    }


def _sheet(evidence: Evidence) -> Sheet:
    counts: dict[tuple[str, str], int] = {}
    for entry in evidence.ledger:
        key = (entry.state, entry.reason)
        counts[key] = counts.get(key, 0) + 1
    rows = [(state, reason, str(count)) for (state, reason), count in sorted(counts.items())]
    return Sheet("the ledger", ("state", "reason", "steps"), rows)
