"""`care bounces`: takes in the mails that came back, and the complaints about ours."""

import json
import mailbox
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from services.cli import on_database, options
from services.kit.clock import SystemClock
from services.outreach import returned_mail, returns

_APPLICATION = "care-bounces"
_NO_REPORT = "no_report"
_STDIN = "-"


@click.group()
def bounces() -> None:
    """Take in mails that came back, so that nobody writes to a dead address again.

    \b
    Examples:
      care bounces read /var/mail/care
      care bounces read - < mail.eml
    """


@bounces.command()
@click.argument("path", metavar="MAILDIR|MBOX|-", type=click.Path(exists=True, allow_dash=True))
@on_database.database_url
@options.as_json
def read(path: str, database_url: str, as_json: bool) -> None:
    """Read mails from a Maildir, an mbox, a file with one mail, or `-`: one mail from standard input.

    What it says of mails that never left here counts nothing, and reading a mail again changes nothing, so
    a whole mailbox may be read again and again; no mail is moved or deleted.

    \b
    Exit codes: 0 read, 2 wrong usage, 75 the database does not answer (a mail server tries again).

    \b
    Examples:
      care bounces read /var/mail/care
      care bounces read ~/Maildir --json | jq .hard
      care-bounces: "|care bounces read -"        # in the mail server's aliases
    """
    found: Counter[str] = Counter()
    now = SystemClock().now
    for raw in _mails(path):
        returned = returned_mail.read(raw)
        if returned is None:
            found[_NO_REPORT] += 1
            continue
        with on_database.connected(database_url, _APPLICATION) as connection:
            found[returns.take(connection, returned, now()).value] += 1
    told = {word: found[word] for word in (*returns.Fate, _NO_REPORT)}
    if as_json:
        click.echo(json.dumps(told))
        return
    click.echo(", ".join(f"{count} {word}" for word, count in told.items() if count) or "no mail")


def _mails(path: str) -> Iterator[bytes]:
    if path == _STDIN:
        yield sys.stdin.buffer.read(returned_mail.MAX_BYTES + 1)
        return
    place = Path(path)
    if place.is_dir():
        if not (place / "new").is_dir():
            raise click.UsageError(f"{place} is no Maildir: it has no folder `new`")
        yield from _in(mailbox.Maildir(place, create=False))
        return
    with place.open("rb") as file:
        is_mbox = file.read(5) == b"From "
    if is_mbox:
        yield from _in(mailbox.mbox(place, create=False))
    else:
        yield place.read_bytes()


def _in(box: "mailbox.Mailbox[mailbox.Message]") -> Iterator[bytes]:
    for key in box.iterkeys():
        yield box.get_bytes(key)
