"""The broker is away, or frozen, under load: told at once, bounded, and no promise is lost."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from services.contracts.topics import PURCHASES
from services.kit.clock import monotonic
from tests.faults.ingest.scene import Door, Scene, Watch, batch, opened, outcome
from tests.faults.outreach.outcome import Outcome
from tests.support.door import Tally, post, publish_for
from tests.support.topics import wait_for

MEMORY_MIB = 64
CLIENTS = 64


@dataclass(frozen=True, slots=True)
class _Outage:
    """How the broker is lost and comes back."""

    begin: Callable[[Door], None]
    end: Callable[[Door], None]


@dataclass
class _Story:
    """What publishers were told, in the order of time."""

    before: Tally
    during: Tally = field(default_factory=Tally)
    after: set[str] = field(default_factory=set)

    @property
    def promised(self) -> set[str]:
        return self.before.accepted | self.during.accepted | self.after


def away(scene: Scene) -> Outcome:
    """Kill the broker and start it again."""
    return _run(scene, _Outage(lambda d: d.parts.kafka.kill(), lambda d: d.parts.kafka.start()))


def frozen(scene: Scene) -> Outcome:
    """Stop the broker's process in its tracks and let it go on."""
    return _run(scene, _Outage(lambda d: d.parts.kafka.pause(), lambda d: d.parts.kafka.resume()))


def _run(scene: Scene, outage: _Outage) -> Outcome:
    began, seconds = monotonic(), 8 if scene.quick else 60
    # What it remembers is full before it is weighed: that memory has a limit of its own.
    remembered = 5_000 if scene.quick else 100_000
    with opened(scene, CARE_INGEST_REMEMBERED_EVENTS=str(remembered)) as door:
        story = _Story(_publish_until_full(door, remembered, scene))
        weight = door.rss_mib()
        scene.say(f"{len(story.before.accepted)} events were accepted; now the broker goes")
        outage.begin(door)
        try:
            with Watch(door) as watch:
                story.during = publish_for(door.address, batch, seconds, CLIENTS)
        finally:
            outage.end(door)
        back = monotonic()
        story.after = _publish_until_accepted(door.address)
        recovery = monotonic() - back
        found = {json.loads(record.value)["id"] for record in door.deployment.records(PURCHASES)}
    faults = _faults(story, found, watch.peak_mib - weight)
    figures = {
        "seconds without broker": seconds,
        "promised": len(story.promised),
        "promised and not on the topic": len(story.promised - found),
        "503 outcome-unknown": story.during.answers.get((503, "outcome-unknown"), 0),
        "503 overloaded": story.during.answers.get((503, "overloaded"), 0),
        "memory before, MiB": round(weight, 1),
        "seconds until a 202": round(recovery, 1),
        **watch.figures(),
    }
    return outcome(scene, began, figures, faults + watch.faults)


def _publish_until_full(door: Door, remembered: int, scene: Scene) -> Tally:
    tally = Tally()
    while len(tally.accepted) < remembered:
        part = publish_for(door.address, batch, 5, CLIENTS)
        tally.accepted |= part.accepted
        for key, times in part.answers.items():
            tally.answers[key] = tally.answers.get(key, 0) + times
        scene.say(f"{len(tally.accepted)} of {remembered} events it remembers")
    return tally


def _publish_until_accepted(address: str) -> set[str]:
    def accepted() -> set[str] | None:
        events = batch()
        response = post(client, events)
        return {event.id for event in events} if response.status_code == 202 else None

    with httpx.Client(base_url=address, timeout=30) as client:
        found: set[str] = wait_for(accepted, "202 after the outage")
    return found


def _faults(story: _Story, found: set[str], growth_mib: float) -> list[str]:
    """Return what did not hold.  That each 503 has `retry-after` was asserted where it came."""
    faults = []
    lost = story.promised - found
    if lost:
        faults.append(f"{len(lost)} events got 202 and are not on the topic, {min(lost)} first")
    if growth_mib > MEMORY_MIB:
        faults.append(f"its memory grew by {growth_mib:.1f} MiB, more than {MEMORY_MIB}")
    if story.before.answers.keys() != {(202, "")}:
        faults.append(f"before the outage it said {story.before.answers}")
    allowed = {(202, ""), (503, "outcome-unknown"), (503, "overloaded")}
    if strange := story.during.answers.keys() - allowed:
        faults.append(f"in the outage it said {strange}")
    if not story.during.answers.keys() & {(503, "outcome-unknown"), (503, "overloaded")}:
        faults.append("nobody was told of the outage")
    return faults
