"""`care publisher`: certify a door for a publisher, and check what a publisher would send."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

import click
import httpx
from pydantic import TypeAdapter, ValidationError

from services.cli import options
from services.cli.event_files import events_in, place, time_or_now
from services.cli.instants import Instant
from services.contracts.envelope import CustomerId, Source
from services.kit.clock import SystemClock
from services.kit.exits import Unavailable, leave
from services.kit.plurals import counted
from services.publisher_kit import certificate as pages
from services.publisher_kit import plan
from services.publisher_kit.asking import Door, Unreachable, ask_all
from services.publisher_kit.certificate import Certificate
from services.publisher_kit.checks import Check, Finding
from services.publisher_kit.own import Found, Review
from services.publisher_kit.pieces import read_alone
from services.publisher_kit.samples import MAX_CUSTOMER, Certification

EXIT_FAILED = 1
_EXIT_INTERRUPTED = 130
_SOURCE = "/care/certification"
"""Under `/care/`: its silence afterwards is reported to nobody."""


@click.group()
def publisher() -> None:
    """Certify a door for a publisher, and check what a publisher would send.

    The guide for publishers is docs/publishing.md.

    \b
    Examples:
      care publisher verify --url http://127.0.0.1:8080
      care publisher check recorded.jsonl --types 'care.order.*'
    """


@publisher.command()
@click.option("--url", envvar="CARE_URL", required=True, show_envvar=True, help="The door.")
@click.option(
    "--key", envvar="CARE_KEY", show_envvar=True, metavar="KEY",
    help="The publisher's key, where the door asks for one.",
)  # fmt: skip
@click.option(
    "--key-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="A file that holds it; no other user of the machine sees it there.",
)  # fmt: skip
@click.option(
    "--erasing-key-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="A file with a key that may erase the samples' customers, where the publisher's own may not.",
)  # fmt: skip
@click.option(
    "--types", metavar="TYPE,…", default="", help="Only these; `care.order.*` names several.",
)  # fmt: skip
@click.option(
    "--source", default=_SOURCE, show_default=True, metavar="URI",
    help="The samples' source.  A publisher's own, where its key is bound to it, then counts as heard.",
)  # fmt: skip
@click.option(
    "--customer", metavar="ID",
    help="The samples' customer, whom they erase in the end: never a real one.  By default made up.",
)  # fmt: skip
@click.option(
    "--now", type=Instant(), metavar="TIME", help="The door's time, where it is simulated."
)
@click.option("--keep", is_flag=True, help="Do not erase the customers of the samples.")
@click.option("--show-all", is_flag=True, help="Tell every check, not only those that failed.")
@options.as_json
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    *,
    url: str,
    types: str,
    keep: bool,
    show_all: bool,
    as_json: bool,
    **who: Any,
) -> None:
    """Send valid, edge and poison samples of each type to a door, and print a certificate.

    It proves that a deployment's door, and a key with its scopes, work for a publisher: what is right
    is taken and lands on its topic, what comes twice does no harm, what is wrong is refused with its
    place.  The valid samples BECOME FACTS of the deployment: about customers nobody is, with addresses
    that lead nowhere and no consent, and erased at the end (--keep: not).  Erasing takes a key with
    the scope publish:care.customer.erased.v1 for --source.

    \b
    Exit codes: 0 passed, 1 a check failed, 2 wrong usage, 75 nothing answers.

    \b
    Examples:
      care publisher verify --url http://127.0.0.1:8080
      care publisher verify --url https://care.example.org --key-file key --source /shop/orders \\
        --types 'care.order.*,care.refund.*' --erasing-key-file operators-key
      care publisher verify --url http://127.0.0.1:8080 --json > certificate.json
    """
    read = options.key_of(who.pop("key"), who.pop("key_file"))
    erasing = options.key_of(None, who.pop("erasing_key_file"))
    of = _certification(**who)
    names = _types(types)
    checks = list(_plan(names, of, has_key=read is not None))
    _warn(url, plan.facts_in(checks), of, keep)
    with _door(url, read) as door:
        findings = _asked(door, checks, of, [] if keep else list(plan.ending(of, erasing)))
        made = _certificate(url, of, findings, door.repeated)
    _tell(made, as_json, show_all)
    ctx.exit(0 if made.passed else EXIT_FAILED)


def _certification(source: str, customer: str | None, now: datetime | None) -> Certification:
    run = f"certification-{SystemClock().now():%Y%m%dT%H%M%S%f}"
    named = customer or run
    try:
        TypeAdapter(Source).validate_python(source)
        TypeAdapter(CustomerId).validate_python(named)
    except ValidationError:
        raise click.UsageError(
            "--source is a URI without white space, --customer letters, digits and . _ : ~ -"
        ) from None
    if len(named) > MAX_CUSTOMER:
        raise click.UsageError(f"--customer may have {MAX_CUSTOMER} characters")
    return Certification(run, source, named, time_or_now(now))


def _types(named: str) -> tuple[str, ...]:
    try:
        return plan.types_named([name.strip() for name in named.split(",") if name.strip()])
    except plan.UnknownTypes as error:
        raise click.UsageError(str(error)) from None


def _plan(names: Iterable[str], of: Certification, *, has_key: bool) -> Iterator[Check]:
    names = list(names)
    if has_key:
        yield from plan.checks_of_key(names[0], of)
    for name in names:
        yield from plan.checks_of(name, of)
    yield from plan.checks_of_requests(names[0], of)


def _warn(url: str, facts: int, of: Certification, keep: bool) -> None:
    ending = "they stay (--keep)" if keep else "they are erased at the end"
    click.echo(
        f"about {facts:,} samples become facts of {url}, of the customers {of.customer}…; {ending}",
        err=True,
    )


def _door(url: str, key: str | None) -> Door:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise click.UsageError(f"{url!r} is no URL: write http://127.0.0.1:8080") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise click.UsageError(f"{url!r} is no URL: write http://127.0.0.1:8080")
    return Door(url, key, time.sleep, Random())


def _asked(
    door: Door, checks: list[Check], of: Certification, ending: list[Check]
) -> list[Finding]:
    """Return how each check went; the customers are erased in the end, also of a run that is stopped."""
    findings: list[Finding] = []
    try:
        try:
            for about in dict.fromkeys(check.about for check in checks):
                findings.extend(ask_all(door, [c for c in checks if c.about == about]))
        finally:
            if _has_facts(findings):
                findings += ask_all(door, ending)
    except Unreachable as error:
        is_left = _has_facts(findings) and not pages.is_erased(findings)
        left = f"; not erased: {', '.join(of.customers)}" if is_left else ""
        raise Unavailable(
            f"nothing answers at the door ({error}){left}: start it, or name it with --url"
        ) from None
    except KeyboardInterrupt:
        erased = "are erased" if pages.is_erased(findings) else "are not erased"
        leave(f"stopped; the customers of the samples {erased}: {of.customer}…", _EXIT_INTERRUPTED)
    return findings


def _has_facts(findings: Iterable[Finding]) -> bool:
    return any(finding.came.startswith(("202", "207")) for finding in findings)


def _certificate(
    url: str, of: Certification, findings: list[Finding], repeated: int
) -> Certificate:
    return Certificate(
        door=url,
        source=of.source,
        run=of.run,
        customers=of.customers,
        began=of.now.isoformat(timespec="seconds"),
        contracts=pages.digest(),
        passed=all(finding.passed for finding in findings),
        is_erased=pages.is_erased(findings),
        repeated=repeated,
        latency=pages.latency(findings),
        findings=tuple(findings),
    )


def _tell(made: Certificate, as_json: bool, show_all: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(made), indent=2))
        return
    for line in pages.in_words(made, in_full=show_all):
        click.echo(line)


@publisher.command()
@click.argument("files", nargs=-1, required=True, type=click.File("rb"), metavar="FILE...|-")
@click.option(
    "--types", metavar="TYPE,…", default=None, help="These must occur; `care.order.*` names several.",
)  # fmt: skip
@click.option(
    "--fresh", type=click.IntRange(min=1), metavar="SECONDS",
    help="How old the latest event of each source may be.",
)  # fmt: skip
@click.option("--now", type=Instant(), metavar="TIME", help="By default this machine's time.")
@options.as_json
@click.pass_context
def check(
    ctx: click.Context,
    *,
    files: tuple[BinaryIO, ...],
    types: str | None,
    fresh: int | None,
    now: datetime | None,
    as_json: bool,
) -> None:
    """Hold what a publisher would send against what it promises; nothing is sent.

    FILE holds events as `care validate` reads them: the recorded output of a publisher, retries and all.
    Beside what the door would refuse it finds ids used for two things, facts told twice under two ids,
    orders of two customers, events too old to count, and types or freshness that are missing.

    \b
    Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage or no event.

    \b
    Examples:
      care publisher check recorded.jsonl --types 'care.order.*,care.shipment.promised.v1'
      tail -n 10000 sent.jsonl | care publisher check - --fresh 3600
    """
    wanted = _types(types) if types else ()
    review = Review(time_or_now(now))
    found: list[Found] = []
    for file, piece in events_in(files):
        at = place(file, piece.line, piece.index)
        found += review.read(at, read_alone(piece.raw, review.now))
    found += review.end(wanted, None if fresh is None else timedelta(seconds=fresh))
    if as_json:
        click.echo(json.dumps(_reviewed(review, found), indent=2))
    else:
        _tell_review(review, found)
    ctx.exit(EXIT_FAILED if found else 0)


def _tell_review(review: Review, found: list[Found]) -> None:
    for each in found:
        click.echo(": ".join(part for part in (each.place, each.rule, each.detail) if part))
    for name, source in sorted(review.sources.items()):
        click.echo(
            f"{name}: {counted(source.events, 'event')} and {counted(source.repeats, 'repeat')}, "
            f"{source.oldest:%Y-%m-%d %H:%M} to {source.latest:%Y-%m-%d %H:%M} UTC"
        )
        for kind, events in sorted(source.types.items()):
            click.echo(f"    {kind:<30} {events:>9,}")
    wrong = counted(len(found), "thing is wrong", "things are wrong")
    click.echo(wrong if found else "nothing is wrong")


def _reviewed(review: Review, found: list[Found]) -> dict[str, Any]:
    sources = {
        name: {
            "events": source.events,
            "repeats": source.repeats,
            "oldest": source.oldest.isoformat() if source.oldest else None,
            "latest": source.latest.isoformat() if source.latest else None,
            "types": dict(source.types),
        }
        for name, source in review.sources.items()
    }
    return {"found": [asdict(each) for each in found], "sources": sources}
