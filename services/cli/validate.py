"""`care validate`: files of events, read as the door reads them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, BinaryIO

import click
from pydantic_core import from_json

from services.cli import options
from services.cli.event_files import events_in, place, time_or_now
from services.cli.instants import Instant
from services.contracts import schemas
from services.contracts.events import FACTS, FROM_OUTSIDE, TOPIC_OF
from services.ingest.reading import Refused
from services.kit.plurals import counted
from services.publisher_kit.advice import advice
from services.publisher_kit.pieces import Piece, placed, read_alone

EXIT_REFUSED = 1


@dataclass(frozen=True, slots=True)
class Told:
    """One fault of one event of one file."""

    file: str
    line: int
    index: int | None
    reason: str
    pointer: str
    code: str
    detail: str
    advice: str

    def __str__(self) -> str:
        todo = f"; {self.advice}" if self.advice else ""
        at = place(self.file, self.line, self.index)
        return f"{at}: {self.pointer or '/'}: {self.detail}{todo}"


def _print_types(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:
    if not is_asked or ctx.resilient_parsing:
        return
    for fact, topic in TOPIC_OF.items():
        if fact.TYPE in FROM_OUTSIDE:
            about = (fact.__doc__ or "").strip().partition("\n")[0]
            click.echo(f"{fact.TYPE:<30} {topic.name:<11} {about}")
    ctx.exit()


def _print_schema(ctx: click.Context, _: click.Parameter, name: str | None) -> None:
    if name is not None:
        click.echo((schemas.DIRECTORY / f"{name}.json").read_text("utf-8"), nl=False)
        ctx.exit()


def _print_example(ctx: click.Context, _: click.Parameter, name: str | None) -> None:
    if name is not None:
        first = min((schemas.EXAMPLES / name).glob("*.json"), key=lambda p: (-p.stat().st_size, p))
        click.echo(first.read_text("utf-8").rstrip("\n"))
        ctx.exit()


_TYPE = click.Choice(sorted(FACTS))


@click.command(
    epilog=(
        "\b\nExamples:\n"
        "  care validate events.jsonl\n"
        "  my-exporter | care validate -\n"
        "  care validate --example care.order.placed.v1 > order.json && care validate order.json\n"
        "  care validate *.json --json | jq -r '.faults[].pointer'\n"
        "\n"
        "Exit codes: 0 every event would be taken, 1 some would be refused, 2 wrong usage or no event."
    )
)
@click.argument("files", nargs=-1, required=True, type=click.File("rb"), metavar="FILE...|-")
@click.option(
    "--now", type=Instant(), metavar="TIME",
    help="What the door takes the time to be; by default this machine's.",
)  # fmt: skip
@click.option(
    "--types", is_flag=True, is_eager=True, expose_value=False, callback=_print_types,
    help="List the types that publishers may send, and leave.",
)  # fmt: skip
@click.option(
    "--schema", type=_TYPE, is_eager=True, expose_value=False, callback=_print_schema,
    metavar="TYPE", help="Print the JSON Schema of a type, and leave.",
)  # fmt: skip
@click.option(
    "--example", type=_TYPE, is_eager=True, expose_value=False, callback=_print_example,
    metavar="TYPE", help="Print an event of a type, and leave.",
)  # fmt: skip
@options.as_json
@click.pass_context
def validate(
    ctx: click.Context, *, files: tuple[BinaryIO, ...], now: datetime | None, as_json: bool
) -> None:
    """Say what the door would refuse of the events in FILE, and what to do about it.

    FILE (- is stdin) holds one event, an array of them, or one (or an array) a line, as JSON.  They are
    read by the door's own code, strictly: nothing is sent.  No value of an event is told, for it may be
    personal.
    """
    at = time_or_now(now)
    events, refused, found = 0, 0, list[Told]()
    for file, piece in events_in(files):
        events += 1
        faults = list(_faults(file, piece, at))
        refused += bool(faults)
        found += faults
        if not as_json:
            _print_all(faults)
    if as_json:
        counts = {"events": events, "refused": refused}
        click.echo(json.dumps(counts | {"faults": [asdict(each) for each in found]}, indent=2))
    else:
        click.echo(f"{counted(events, 'event')}, {refused:,} would be refused")
    ctx.exit(EXIT_REFUSED if refused else 0)


def _print_all(faults: list[Told]) -> None:
    for fault in faults:
        click.echo(str(fault))


def _faults(file: str, piece: Piece, now: datetime) -> Iterator[Told]:
    reading = read_alone(piece.raw, now)
    if not isinstance(reading, Refused):
        return
    for each in reading.faults:
        line, fault = placed(piece, each)
        todo = advice(fault, _type_in(piece.raw) if fault.code == "unknown_type" else None)
        yield Told(
            file, line, piece.index, reading.reason, fault.pointer, fault.code, fault.detail, todo
        )


def _type_in(raw: bytes) -> Any:
    """Return the type as it was written in an event that is known to be JSON."""
    event = from_json(raw)
    event = event.get("event", event) if isinstance(event, dict) else event
    return event.get("type") if isinstance(event, dict) else None
