"""Feeds of the simulated shop that fall silent: how soon it is noticed, and how often for nothing.

python -m bench.feed_silence --customers 4000
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from services.churn_predictor.feeds import hear, marks
from services.churn_predictor.heard_feeds import HeardFeeds
from services.churn_predictor.silence import Listener, Rhythms
from services.churn_predictor.state import FeedState
from services.contracts import events
from services.contracts.stream import FeedSilent, Tick
from services.contracts.tolerances import Tolerances
from services.shop.parameters import Outage, ShopParameters
from services.shop.presets import PRESETS
from services.shop.shop import open_shop

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_LENGTHS = (3, 6, 12, 24)
_BEGINS = tuple(day * 24 + hour for day in (37, 40, 45) for hour in (3, 9, 15, 21))
"""Hours after the shop's first: a Wednesday, a Saturday, a Thursday; from night to evening, UTC."""
_SUNDAYS = tuple(6 + 7 * week for week in range(9))
_DAYS = 60


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence that was reported."""

    feed: str
    at: datetime


def reported(parameters: ShopParameters, seed: int, odds: int) -> tuple[list[Silence], int]:
    """Play a shop with a tick every hour; return the silences that were reported, and how many feeds."""
    shop = open_shop(parameters, seed)
    feeds: dict[str, FeedState] = {}
    rhythms: Rhythms = {}
    heard = HeardFeeds(1)
    listener = Listener(0, lambda feed: True, Tolerances(silence_odds=odds))
    found: list[Silence] = []
    for number in range((shop.end - shop.start) // _HOUR + 1):
        at = shop.start + number * _HOUR
        for publication in shop.advance(at, ()).publications:
            if not publication.refusable:
                hear(feeds, events.read(publication.body))
        tick = Tick(number=number, at=at, ends={})
        known, known_at = heard.as_of(number - 1), heard.known_at(number - 1)
        relays = heard.relays(number - 1, known)
        found += [
            Silence(notice.feed, at)
            for notice in listener.listen(rhythms, known, known_at, tick, relays=relays)
            if isinstance(notice, FeedSilent)
        ]
        for mark in marks(feeds, 0, tick):
            heard.keep(mark.key.encode(), mark.model_dump_json().encode())
    return found, len(rhythms)


def _shop(customers: int, *, rests_on_sundays: bool) -> ShopParameters:
    """Return a shop whose carriers' feeds never stop by chance; on Sundays by plan, if wanted."""
    shop = replace(PRESETS["demo"], customers=customers, days=_DAYS)
    carriers = tuple(replace(carrier, outages_per_month=0.0) for carrier in shop.carriers)
    rests = tuple(
        Outage(carrier.slug, day * _DAY, _DAY + 5 * _HOUR)
        for carrier in carriers
        for day in _SUNDAYS
        if rests_on_sundays
    )
    return replace(shop, carriers=carriers, outages=rests)


def _false(shops: Iterable[tuple[ShopParameters, int]], odds: int) -> tuple[Counter[str], int]:
    found: Counter[str] = Counter()
    feeds = 0
    for parameters, seed in shops:
        silences, known = reported(parameters, seed, odds)
        found.update(silence.feed for silence in silences)
        feeds += known
    return found, feeds


Delays = dict[int, list[float | None]]
"""Length of an outage → hours from its beginning to the notice, of each; None: there was none."""


def _delays(shop: ShopParameters, seed: int, odds: int) -> tuple[dict[str, Delays], int]:
    """Let all carriers' feeds stop at each time in turn; return the delays, and notices beyond one."""
    delays: dict[str, Delays] = defaultdict(lambda: defaultdict(list))
    repeated = 0
    for hours in _LENGTHS:
        for begins in _BEGINS:
            outages = (Outage(c.slug, begins * _HOUR, hours * _HOUR) for c in shop.carriers)
            played = replace(shop, outages=(*shop.outages, *outages), days=begins // 24 + 3)
            began = shop.start + begins * _HOUR
            silences, _ = reported(played, seed, odds)
            for carrier in shop.carriers:
                notices = [
                    (silence.at - began) / _HOUR
                    for silence in silences
                    if silence.feed == f"carrier:{carrier.slug}"
                    and began <= silence.at <= began + (hours + 1) * _HOUR
                ]
                delays[carrier.slug][hours].append(notices[0] if notices else None)
                repeated += len(notices[1:])
    return delays, repeated


def _cells(delays: Delays) -> Iterator[str]:
    for hours in _LENGTHS:
        noticed = [delay for delay in delays[hours] if delay is not None]
        told = f"{median(noticed):.0f} h, at most {max(noticed):.0f}" if noticed else "-"
        yield f"{len(noticed)} of {len(delays[hours])}: {told}"


def _table(found: Mapping[str, Delays]) -> Table:
    table = Table("feed", *(f"silent for {hours} h" for hours in _LENGTHS))
    for carrier, delays in found.items():
        table.add_row(carrier, *_cells(delays))
    return table


@click.command()
@click.option("--customers", default=500, show_default=True)
@click.option("--seeds", default=5, show_default=True, help="Shops played without an outage.")
@click.option("--odds", default=10_000, show_default=True)
@click.option("--sundays", is_flag=True, help="Carriers rest on Sundays.")
@click.option("--json", "as_json", is_flag=True)
def main(*, customers: int, seeds: int, odds: int, sundays: bool, as_json: bool) -> None:
    """Measure notices without an outage, and the delay of those with one, by carrier and length."""
    shop = _shop(customers, rests_on_sundays=sundays)
    false, feeds = _false([(shop, seed) for seed in range(1, seeds + 1)], odds)
    delays, repeated = _delays(shop, 1, odds)
    if as_json:
        click.echo(json.dumps({"false": false, "feeds": feeds, "delays": delays}, indent=1))
        return
    click.echo(
        f"{sum(false.values())} notices for nothing, of {feeds} feeds in {_DAYS} days: {dict(false)}"
    )
    Console(width=140).print(_table(delays))
    click.echo(f"notices beyond the first of an outage: {repeated}")


if __name__ == "__main__":
    main()
