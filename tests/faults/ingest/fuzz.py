"""Ten thousand bodies that are no event, each refused with a 4xx, and memory that stays where it was."""

import json
from collections import Counter
from collections.abc import Callable
from random import Random

import httpx

from services.contracts.envelope import BATCH, STRUCTURED
from services.contracts.topics import OUTSIDE
from services.kit.clock import monotonic
from tests import factories
from tests.faults.ingest.scene import Scene, Watch, opened, outcome
from tests.faults.outreach.outcome import Outcome

GROWTH_MIB = 16
"""More than what an allocator may keep of so many small bodies, far less than the bodies together."""
_WARM_UP = 1_000
_SEED = 1

_WHOLE = factories.placed().encode()
Spoil = Callable[[Random], bytes]


def _cut(draw: Random) -> bytes:
    return _WHOLE[: draw.randrange(len(_WHOLE))]


def _noise(draw: Random) -> bytes:
    # The first byte begins no JSON.
    return b"\xff" + draw.randbytes(draw.randrange(4_000))


def _repeated_name(draw: Random) -> bytes:
    name = draw.choice(list(json.loads(_WHOLE)))
    return _WHOLE[:-1] + b"," + json.dumps(name).encode() + b":" + b'"x"}'


def _nested(draw: Random) -> bytes:
    depth = draw.randrange(33, 60_000)
    opening, closing = draw.choice([(b"[", b"]"), (b'{"data":', b"}")])
    depth = min(depth, 200_000 // len(opening))
    return opening * depth + b"1" + closing * depth


def _no_number(draw: Random) -> bytes:
    return _member(draw.choice([b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0x10", b"01", b"."]))


def _huge_integer(draw: Random) -> bytes:
    return _member(b"9" * draw.randrange(400, 100_000))


def _surrogate(draw: Random) -> bytes:
    return _member(draw.choice([b'"\\ud800"', b'"\\udfff\\ud800"', b'"\xed\xa0\x80"']))


def _nul(draw: Random) -> bytes:
    return _member(draw.choice([b'"\\u0000"', b'"\x00"', b'"a\\u0000b"']))


def _member(value: bytes) -> bytes:
    # A text, so that its own value is all that is wrong with it.
    return _WHOLE[:-1] + b',"subject":' + value + b"}"


SPOILED: tuple[Spoil, ...] = (
    *(_cut, _noise, _repeated_name, _nested),
    *(_no_number, _huge_integer, _surrogate, _nul),
)


def run(scene: Scene) -> Outcome:
    """Send them and count what comes back."""
    began, bodies = monotonic(), 2_000 if scene.quick else 10_000
    draw, told, faults = Random(_SEED), Counter[int](), list[str]()
    with opened(scene) as door, httpx.Client(base_url=door.address, timeout=60) as client:
        _send(client, draw, _WARM_UP)
        before = door.rss_mib()
        with Watch(door) as watch:
            for spoil, status in _send(client, draw, bodies):
                told[status] += 1
                if not 400 <= status < 500:
                    faults.append(f"{spoil} was answered with {status}")
        grown = watch.peak_mib - before
        on_topics = sum(len(door.deployment.records(topic)) for topic in OUTSIDE)
    if grown > GROWTH_MIB:
        faults.append(f"its memory grew by {grown:.1f} MiB, more than {GROWTH_MIB}")
    if on_topics:
        faults.append(f"{on_topics} of them are on a topic")
    figures = {
        "bodies": bodies,
        "answers": str(dict(told)),
        "memory before, MiB": round(before, 1),
        **watch.figures(),
    }
    return outcome(scene, began, figures, faults + watch.faults)


def _send(client: httpx.Client, draw: Random, bodies: int) -> list[tuple[str, int]]:
    answers = []
    for number in range(bodies):
        spoil = SPOILED[number % len(SPOILED)]
        # In a batch an item that cannot be read is no fault of the others: 207, and not a 4xx.
        kind = draw.choice([STRUCTURED, BATCH]) if spoil in {_cut, _noise, _nested} else STRUCTURED
        response = client.post("/v1/events", content=spoil(draw), headers={"content-type": kind})
        answers.append((spoil.__name__.strip("_"), response.status_code))
    return answers
