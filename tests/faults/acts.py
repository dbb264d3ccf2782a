"""What is done to the stream: to its workers and to its broker."""

import shutil
import signal
import sys
from datetime import timedelta

from services.demo.door import Door
from services.kit.clock import monotonic
from services.shop.timeline import Publication
from tests import factories
from tests.faults.strikes import Act, Scene

WORKER = "churn_predictor"
DEADLY_COMMANDS = {WORKER: (sys.executable, "-m", "tests.faults.predictor_dying")}

_GAPS_SECONDS = (0.3, 2.5)
_JOINS_AND_KILLS = 8
_OWNED = '"event": "partition_owned"'
_OWN_SECONDS = 60.0


def replica(number: int) -> str:
    """Return the post of the n-th worker, from 1."""
    return WORKER if number == 1 else f"{WORKER}-{number}"


def kill(name: str) -> Act:
    """End a worker as a power cut does; it is started again."""
    return lambda scene: scene.stage.services.kill(name)


def terminate(name: str) -> Act:
    """Ask a worker to end; it is started again."""
    return lambda scene: scene.stage.services.send_signal(name, signal.SIGTERM)


def begin(*names: str) -> Act:
    """Let workers join; each must be given partitions."""

    def act(scene: Scene) -> None:
        before = {name: _times_owned(scene, name) for name in names}
        for name in names:
            scene.stage.services.begin(name)
        scene.stage.services.wait_until_live(*names)
        scene.is_done()
        deadline = monotonic() + _OWN_SECONDS
        while waiting := [name for name in names if _times_owned(scene, name) == before[name]]:
            if monotonic() > deadline:
                raise RuntimeError(f"{', '.join(waiting)} joined and was given no partition")
            scene.pause(0.2)

    return act


def _times_owned(scene: Scene, name: str) -> int:
    """Return how often this post has taken a partition over so far."""
    log = scene.stage.services.log(name)
    return log.read_text(encoding="utf-8").count(_OWNED) if log.exists() else 0


def leave(*names: str) -> Act:
    """Let workers leave for good."""

    def act(scene: Scene) -> None:
        for name in names:
            code = scene.stage.services.halt(name)
            if code != 0:
                raise RuntimeError(f"{name} ended with {code} on SIGTERM, not with 0")

    return act


def lose_folder(name: str) -> Act:
    """Kill a worker, take away its disk, start it on an empty one."""

    def act(scene: Scene) -> None:
        services = scene.stage.services
        services.halt(name, signal.SIGKILL)
        shutil.rmtree(services.folder(name))
        services.begin(name)

    return act


def freeze(name: str, *, long: bool = False) -> Act:
    """Let a worker stand still, longer than its session, and go on."""

    def act(scene: Scene) -> None:
        services, load = scene.stage.services, scene.load
        services.send_signal(name, signal.SIGSTOP)
        try:
            scene.pause(load.long_freeze_seconds if long else load.freeze_seconds)
        finally:
            services.send_signal(name, signal.SIGCONT)

    return act


def joins_and_kills(scene: Scene) -> None:
    """Let workers come and be killed faster than the group can settle."""
    services = scene.stage.services
    second = replica(2)
    for turn in range(_JOINS_AND_KILLS):
        if turn % 4 == 0:
            services.begin(second)
        elif turn % 4 == 2:
            services.halt(second, signal.SIGKILL)
        else:
            services.kill(WORKER)
        scene.pause(scene.random.uniform(*_GAPS_SECONDS))


def restart_broker(scene: Scene) -> None:
    """Stop the broker in good order and start it."""
    scene.stage.parts.kafka.stop()
    scene.stage.parts.kafka.start()


def kill_broker(scene: Scene) -> None:
    """End the broker as a power cut does and start it."""
    scene.stage.parts.kafka.kill()
    scene.stage.parts.kafka.start()


def freeze_broker(scene: Scene) -> None:
    """Let the broker stand still: connections stay open and nothing answers."""
    kafka = scene.stage.parts.kafka
    kafka.pause()
    try:
        scene.pause(scene.load.long_freeze_seconds)
    finally:
        kafka.resume()


def tell_deadly_order(scene: Scene) -> None:
    """Publish the one order that ends the worker whenever it is applied."""
    at = scene.step.at - timedelta(minutes=1)
    event = factories.placed("deadly", customer="c-deadly", at=at, event_id="deadly")
    item = Publication(at, event.id, event.encode())
    door = Door(scene.stage.services.address("ingest"), key=scene.stage.publishing_key)
    try:
        door.publish([item])
    finally:
        door.close()
