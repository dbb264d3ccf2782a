"""Row `two_replicas`: two share the work; a third comes and goes; one stands still longer than its session.

Twice the one that stands still holds a send between DATA and its 250: once its neighbours can see that
it lives, and once its connection of presence is cut, so that they must take it for dead.
"""

import re
from dataclasses import dataclass, field
from uuid import UUID

import psutil
import psycopg

from services.kit.clock import monotonic
from services.outreach.ledger import presence_key
from tests.faults.outreach.evidence import Evidence
from tests.faults.outreach.judge import faults
from tests.faults.outreach.load import SteadyLoad
from tests.faults.outreach.outcome import Outcome, Sheet
from tests.faults.outreach.server import MailServer, serving
from tests.faults.outreach.world import PLAYBOOK, Scene, World, left_in_order, opened
from tests.support.outreach import query
from tests.support.service import Service
from tests.support.topics import wait_for

_EVERY_SECONDS = 0.5
_MAIL_TAKES_SECONDS = 0.2
_MAIL_SECONDS = 90.0
_BACK_SECONDS = 60.0
_SETTLE_SECONDS = 120.0
_BETWEEN_SECONDS = (1.0, 4.0)
_MOST_CUSTOMERS = 1200

_END_PRESENCE = """
    SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND (classid::bigint << 32) | objid::bigint = %s
"""


@dataclass(frozen=True, slots=True)
class Zombie:
    """A send that was held by one that stood still."""

    name: tuple[str, str]
    what: str
    while_frozen: str
    """The ledger's state of it just before the sender went on."""
    expected: str


@dataclass(slots=True)
class Story:
    """What was done, and what was seen meanwhile."""

    zombies: list[Zombie] = field(default_factory=list)
    restarts: list[str] = field(default_factory=list)
    """Ends by themselves, each with its last words."""
    wrong: list[str] = field(default_factory=list)
    mails_while_frozen: list[int] = field(default_factory=list)
    """From just before it stopped until just after it went on, by whomever."""


def run(scene: Scene) -> Outcome:
    """Run the row."""
    began, server, story = monotonic(), MailServer(slow_seconds=_MAIL_TAKES_SECONDS), Story()
    with serving(server), opened(scene, "two_replicas", server, {"late": PLAYBOOK}) as world:
        world.start("one")
        world.start("two")
        customers = [f"c-{number}" for number in range(_MOST_CUSTOMERS)]
        world.introduce(customers)
        wait_for(lambda: all(_shares(one) for one in world.replicas.values()), "both to share")
        load = SteadyLoad(world, customers, _EVERY_SECONDS).start()
        try:
            act_all(scene, world, story)
        finally:
            wanted = load.stop()
        scene.say(f"{len(wanted)} problems are open; waiting until each has ended")
        world.settle(wanted, _SETTLE_SECONDS)
        _note_ends(world, story)
        for name, replica in world.replicas.items():
            if not left_in_order(replica):
                story.wrong.append(f"{name} did not leave with 0 in the end")
        evidence = world.evidence(wanted)
    found = faults(evidence) + beyond(evidence, story) + story.wrong
    figures, seconds = figures_of(evidence, story), monotonic() - began
    sheets = [_sheet(evidence, story)]
    return Outcome("two_replicas", scene.seed, scene.quick, seconds, figures, found, sheets)


def act_all(scene: Scene, world: World, story: Story) -> None:
    """Do one after the other to the two, in the same load."""
    random, seconds = scene.random("freezes"), 20.0 if scene.quick else 60.0
    a_third_comes_and_goes(scene, world, story)
    for act in ("moment", "holding", "holding_unseen"):
        _wait(random.uniform(*_BETWEEN_SECONDS))
        _note_ends(world, story)
        wait_for(lambda: all(_shares(one) for one in world.replicas.values()), "both to share", 90)
        before = len(world.server.mails)
        if act == "moment":
            name = random.choice(sorted(world.replicas))
            world.replicas[name].pause()
            scene.say(f"{name} stands still at a random moment for {seconds:.0f} s")
            _wait(seconds)
            world.replicas[name].resume()
        else:
            freeze_holding(scene, world, story, seconds, is_seen=act == "holding")
        story.mails_while_frozen.append(len(world.server.mails) - before)
        _wait_until_back(world, story)


def a_third_comes_and_goes(scene: Scene, world: World, story: Story) -> None:
    """Let the work be shared anew twice."""
    third = world.start("three")
    wait_for(lambda: bool(_assigned(third)), "the third to have partitions", _BACK_SECONDS)
    scene.say("a third has joined")
    _wait(3)
    if not left_in_order(third):
        story.wrong.append("the third did not leave with 0")
    del world.replicas["three"]
    scene.say("the third has left")


def freeze_holding(
    scene: Scene, world: World, story: Story, seconds: float, *, is_seen: bool
) -> None:
    """Stop whoever holds the next mail between DATA and its 250; say the 250; let it go on."""
    held = world.server.hold_next()
    mail = held.wait(_MAIL_SECONDS)
    name = _process_at(world, held.peer_port)
    world.replicas[name].pause()
    try:
        if not is_seen:
            _cut_presence(world.database, mail.problem)
        held.release()
        how = "" if is_seen else ", and its neighbours cannot see that it lives"
        scene.say(f"{name} stands still for {seconds:.0f} s while it holds a send{how}")
        _wait(seconds)
        state = _state(world.database, mail.problem)
    finally:
        world.replicas[name].resume()
    what = "holding a send" + ("" if is_seen else ", presence lost")
    expected = "started" if is_seen else "unknown"
    story.zombies.append(Zombie((mail.problem, mail.step), what, state, expected))


def beyond(evidence: Evidence, story: Story) -> list[str]:
    """Return what is wrong with those that stood still: their own word on their send counts in the end."""
    entries, found = evidence.entry_of(), []
    for zombie in story.zombies:
        if zombie.while_frozen != zombie.expected:
            found.append(f"{zombie.what}: {zombie.while_frozen} meanwhile, not {zombie.expected}")
        if entries[zombie.name].state != "sent":
            found.append(f"{zombie.what}: {entries[zombie.name].state} in the end, not sent")
    expected = {zombie.name for zombie in story.zombies}
    found += [
        f"{entry.step} of {entry.problem} is unknown, and its sender never died"
        for entry in evidence.ledger
        if entry.state == "unknown" and entry.name not in expected
    ]
    if any(count == 0 for count in story.mails_while_frozen):
        found.append("nothing was sent while one stood still")
    return found


def figures_of(evidence: Evidence, story: Story) -> dict[str, int | float | str]:
    """Return what the row is about, in numbers."""
    mailed = {(mail.problem, mail.step) for mail in evidence.mails}
    ids = [said.event_id for said in evidence.said]
    return {
        "problems opened": len(evidence.wanted),
        "mails": len(evidence.mails),
        "told twice": len(evidence.mails) - len(mailed),
        "sent": sum(entry.state == "sent" for entry in evidence.ledger),
        "unknown": sum(entry.state == "unknown" for entry in evidence.ledger),
        "mails around each time one stood still": ", ".join(map(str, story.mails_while_frozen)),
        "replicas that ended by themselves": len(story.restarts),
        "events on the topic": len(set(ids)),
        "of these, published again": len(ids) - len(set(ids)),
    }


def _sheet(evidence: Evidence, story: Story) -> Sheet:
    entries = evidence.entry_of()
    rows = []
    for zombie in story.zombies:
        entry = entries[zombie.name]
        told = (said.kind for said in evidence.said if said.step_id == entry.step_id)
        rows.append((zombie.what, zombie.while_frozen, entry.state, ", ".join(dict.fromkeys(told))))
    rows += [("ended by itself", "", "", words) for words in story.restarts]
    return Sheet(
        "those that stood still", ("which", "meanwhile", "in the end", "on the topic"), rows
    )


def _wait_until_back(world: World, story: Story) -> None:
    """Give it time to find out what it has missed; some end over it, and a platform starts them again."""
    until = monotonic() + 15
    while monotonic() < until:
        _note_ends(world, story)
        _wait(0.5)


def _note_ends(world: World, story: Story) -> None:
    for name in world.revive():
        lines = world.replicas[name].output().strip().splitlines()
        words = next((line for line in reversed(lines) if not line.startswith("{")), "nothing")
        story.restarts.append(f"{name}: {words}")


def _wait(seconds: float) -> None:
    until = monotonic() + seconds
    wait_for(lambda: monotonic() >= until, "time to pass", seconds + 5)


def _assigned(service: Service) -> str:
    """Return the partitions that this replica was given last, as its log has them."""
    found = re.findall(r'"partitions": \[([0-9, ]*)\]', service.output())
    return found[-1] if found else ""


def _shares(service: Service) -> bool:
    return len([part for part in _assigned(service).split(",") if part]) == 2


def _process_at(world: World, port: int) -> str:
    """Return the replica whose connection has this port at its end."""
    for name, replica in world.replicas.items():
        connections = psutil.Process(replica.process.pid).net_connections(kind="tcp")
        if any(getattr(one.laddr, "port", None) == port for one in connections):
            return name
    raise LookupError(f"no replica holds port {port}")


def _state(database: str, problem: str) -> str:
    ((state,),) = query(database, "SELECT state FROM sends WHERE problem_id = %s", problem)
    return str(state)


def _cut_presence(database: str, problem: str) -> None:
    """End the connection by which the owner of this send shows that it lives."""
    ((owner,),) = query(database, "SELECT owner FROM sends WHERE problem_id = %s", problem)
    with psycopg.connect(database) as connection:
        ended = connection.execute(_END_PRESENCE, (presence_key(UUID(str(owner))),)).fetchall()
    if ended != [(True,)]:
        raise LookupError("the owner of the send holds no lock of presence")
