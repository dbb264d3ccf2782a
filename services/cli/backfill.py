"""`care backfill`: the past of a shop loaded into a deployment, before it begins to raise alarms."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO

import click
from rich.console import Console

from services.cli import options
from services.cli.deployment import Place
from services.cli.event_lines import name_of, read_lines
from services.cli.progress import seldom, telling
from services.contracts.events import Unreadable
from services.contracts.topics import HORIZON, OUTSIDE, TICKS
from services.demo.door import Door, DoorClosed, batches, check_open
from services.kit.clock import SystemClock
from services.kit.exits import EXIT_USAGE, Unavailable, leave
from services.kit.plurals import counted
from services.kit.progress import Tell
from services.kit.records import read_event

EXIT_REJECTED = 1
_EXIT_INTERRUPTED = 130
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that is new, and the line it came from."""

    line: int
    is_late: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class Rejection:
    """One line that was left out."""

    line: int
    why: str


@dataclass(slots=True)
class Summary:
    """What became of the lines."""

    lines: int = 0
    """That are not blank."""
    accepted: int = 0
    duplicate: int = 0
    """Told before, in the file or on the topics; not sent again."""
    rejected: int = 0
    late: int = 0
    """Of the accepted: older than facts live; the predictor counts them and does not apply them."""
    rejections: list[Rejection] = field(default_factory=list)

    def reject(self, line: int, why: str) -> None:
        """Count a line that is left out."""
        self.rejected += 1
        self.rejections.append(Rejection(line, why))


@click.command(
    help=(
        "Load the past into a deployment, before its predictor begins.\n\n"
        "FILE (- is stdin) holds an event a line, as JSON: bare, or as `care simulate-shop --out` "
        "writes it. Every line is checked before the first is sent; a wrong one is told with its "
        "number and left out. What lies on the topics already is not sent again, so after whatever "
        "stopped it, run the same command again.\n\n"
        "Make the topics, start ingest (CARE_CLOCK=system), backfill, and only then start the "
        "predictor: it ticks at once, and nobody is told about what was overdue before its first "
        "tick. What became overdue later is acted on, whenever it is told."
    ),
    epilog=(
        "\b\nExamples:\n"
        "  care backfill history.jsonl --ingest http://127.0.0.1:8080\n"
        "  care simulate-shop --out - | care backfill - --ingest http://127.0.0.1:8080\n"
        "  care backfill history.jsonl --ingest http://127.0.0.1:8080 --api-key-file shop.key\n"
        "  care backfill history.jsonl --ingest http://127.0.0.1:8080 --json | jq .rejections\n"
        "\n"
        "Exit codes: 0 all was accepted or there before, 1 lines were rejected, 2 wrong usage, no "
        "event, or time has begun, 75 Kafka, ingest or a topic is not there."
    ),
)
@click.argument("file", type=click.File("rb"))
@click.option("--ingest", metavar="URL", required=True, help="The deployment's front door.")
@options.api_key
@options.api_key_file
@options.bootstrap
@options.partitions
@options.prefix
@click.option(
    "--after-first-tick", "is_late_meant", is_flag=True,
    help="Also where time has begun: what became overdue since then will raise alarms.",
)  # fmt: skip
@click.option(
    "--show", type=click.IntRange(min=0), default=_SHOWN, show_default=True,
    help="Rejected lines shown; --json has all.",
)  # fmt: skip
@options.as_json
def backfill(
    *,
    file: BinaryIO,
    ingest: str,
    api_key: str | None,
    api_key_file: Path | None,
    is_late_meant: bool,
    show: int,
    as_json: bool,
    **where: Any,
) -> None:
    """Check, send what is new, print what became of it."""
    place, address = Place(**where), ingest.rstrip("/")
    key = options.key_of(api_key, api_key_file)
    if place.has_begun() and not is_late_meant:
        leave(_begun(place), EXIT_USAGE)
    check_open(address)
    summary = Summary()
    try:
        with telling(Console(stderr=True)) as tell, TemporaryFile() as new:
            sift(_counted(file, tell), SystemClock().now(), known(place, tell), new, summary)
            new.seek(0)
            with closing(Door(address, key=key)) as door:
                send(door, new, summary, tell)
    except DoorClosed as error:
        raise Unavailable(
            f"{error}; at least {counted(summary.accepted, 'event was', 'events were')} accepted: run the "
            "same again, nothing is sent twice"
        ) from error
    except KeyboardInterrupt:
        leave(f"stopped after {summary.accepted:,} accepted events", _EXIT_INTERRUPTED)
    if not summary.lines:
        leave("there is no event in the file", EXIT_USAGE)
    click.echo(json.dumps(asdict(summary), indent=2) if as_json else in_words(summary, show))
    raise SystemExit(EXIT_REJECTED if summary.rejected else 0)


def _counted(lines: Iterable[bytes], tell: Tell) -> Iterator[bytes]:
    told = seldom(tell)
    for number, line in enumerate(lines, start=1):
        told(f"checking line {number:,}")
        yield line


def _begun(place: Place) -> str:
    return (
        f"time has begun on {TICKS.physical(place.prefix)}: what became overdue since the first tick "
        "and is told only now would raise alarms. Load history into a deployment whose predictor "
        "was never started: make the topics, start ingest, backfill, start the predictor. Or say "
        "--after-first-tick"
    )


def known(place: Place, tell: Tell) -> set[bytes]:
    """Return the names of the events that lie on the topics already."""
    names = set()
    for topic, record in place.records(OUTSIDE, tell):
        try:
            names.add(name_of(read_event(topic, record.key, record.value, record.headers)))
        except Unreadable:
            continue  # It is nobody's duplicate.
    return names


def sift(
    lines: Iterable[bytes], now: datetime, known: set[bytes], new: IO[bytes], summary: Summary
) -> None:
    """Write the events that are new, each behind its line's number; count all others.

    Args:
        lines: As `read_lines` takes them.
        now: The door's time.
        known: Names of what was told before; what is new is added.
        new: Where they go.
        summary: Changed in place.
    """
    for line in read_lines(lines, now):
        summary.lines += 1
        if line.event is None:
            summary.reject(line.number, line.why)
        elif (name := name_of(line.event)) in known:
            summary.duplicate += 1
        else:
            known.add(name)
            is_late = line.event.time < now - HORIZON
            new.write(b"%d %d %s\n" % (line.number, is_late, line.event.encode()))


def send(door: Door, new: Iterable[bytes], summary: Summary, tell: Tell) -> None:
    """Publish what `sift` wrote, in its order; count what became of it."""
    seldom_told = seldom(tell)
    for batch in batches(_waiting(new)):
        refused = {refusal.item.line: refusal.why for refusal in door.offer(batch)}
        for line, why in refused.items():
            summary.reject(line, why)
        taken = [item for item in batch if item.line not in refused]
        summary.accepted += len(taken)
        summary.late += sum(item.is_late for item in taken)
        seldom_told(f"{counted(summary.accepted, 'event')} accepted")
    summary.rejections.sort(key=lambda each: each.line)


def _waiting(new: Iterable[bytes]) -> Iterator[Waiting]:
    for written in new:
        number, is_late, body = written.rstrip(b"\n").split(b" ", 2)
        yield Waiting(int(number), is_late == b"1", body)


def in_words(summary: Summary, show: int) -> str:
    """Return the counts, and so many of the rejected lines, as lines."""
    counts = {name: value for name, value in asdict(summary).items() if isinstance(value, int)}
    lines = [f"{name:<10}{value:>10,}" for name, value in counts.items()]
    lines += [f"line {each.line}: {each.why}" for each in summary.rejections[:show]]
    if len(summary.rejections) > show > 0:
        lines.append(f"… and {len(summary.rejections) - show:,} more")
    if summary.late:
        lines.append(
            f"{counted(summary.late, 'event is', 'events are')} older than {HORIZON.days} days: the "
            "predictor will count that as late and learn nothing from it"
        )
    return "\n".join(lines)
