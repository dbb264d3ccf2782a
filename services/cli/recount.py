"""`care recount`: the metrics service's figures counted anew from the topics."""

import json

import click
import httpx

from services.cli import options
from services.kit.exits import Unavailable
from services.kit.topic_reader import TopicReader
from services.recount.series import Difference
from services.recount.topics import read
from services.recount.verdict import COMPARED, compare

EXIT_FOUND = 1
_SHOWN = 20
_ANSWER_SECONDS = 30.0


@click.command()
@click.argument("url")
@options.bootstrap
@options.partitions
@options.prefix
@options.as_json
@click.pass_context
def recount(
    ctx: click.Context, *, url: str, bootstrap: str, partitions: int, prefix: str, as_json: bool
) -> None:
    """Count the main figures anew from the topics, and say where the metrics service differs.

    These are records, problems, decisions and messages, who was first, orders, contacts and surveys.
    URL is the metrics service's address.  Reads the topics of a deployment at rest and writes nothing.
    It shares no code with the service: whole events are kept and counted at the end.  Figures that were
    judged anew are compared less what was withdrawn of them.

    \b
    Exit codes: 0 nothing differs, 1 something does, 75 Kafka or the service does not answer.

    \b
    Examples:
      care recount http://localhost:9464 --partitions 12
      care recount http://localhost:9464 --json | jq '.differences'
    """
    text = _ask(url)
    reader = TopicReader(bootstrap, prefix=prefix, partitions=partitions)
    try:
        told = read(reader)
    finally:
        reader.close()
    counted, found = compare(text, told)
    if as_json:
        click.echo(json.dumps({"series": len(counted), "differences": [_plain(d) for d in found]}))
    else:
        _tell(len(counted), found)
    ctx.exit(EXIT_FOUND if found else 0)


def _ask(url: str) -> str:
    try:
        answer = httpx.get(f"{url.rstrip('/')}/metrics", timeout=_ANSWER_SECONDS)
        return answer.raise_for_status().text
    except httpx.HTTPError as error:
        raise Unavailable(
            f"the metrics service does not answer at {url} ({type(error).__name__}): "
            "start it, wait until it is ready, or give the address it logged"
        ) from error


def _plain(difference: Difference) -> dict[str, object]:
    return {
        "series": str(difference.series),
        "exported": difference.exported,
        "counted": difference.counted,
    }


def _tell(counted: int, found: list[Difference]) -> None:
    for difference in found[:_SHOWN]:
        click.echo(
            f"{difference.series}: exported {difference.exported:g}, counted {difference.counted:g}"
        )
    if len(found) > _SHOWN:
        click.echo(f"… and {len(found) - _SHOWN} more")
    word = "nothing differs" if not found else f"{len(found)} differ"
    click.echo(f"{counted} series of {len(COMPARED)} metrics counted anew: {word}")
