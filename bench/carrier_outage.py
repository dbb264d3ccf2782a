"""A carrier's feed stops for half a day: what customers would have been told for nothing, and what later.

A simulated shop is played through the predictor's partition four times, with and without the outage, with
and without the rule that an absence counts only once its feed was heard after the deadline.  Without the
rule every absence is believed at the first tick after its deadline.  What customers do is the same in all
four: nobody gets mail here.

An alarm is a problem that reaches a tier.  It was false where the problem was cleared in the end by an event
that had happened, by its own time, before the alarm was raised.  A contact is an alarm that makes a shipped
playbook due that really sends: before consent, quiet hours and all other gates of outreach.

    python -m bench.carrier_outage --customers 2000 --seeds 3
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table

import services.outreach
from services.churn_predictor.feeds import feeds_of
from services.churn_predictor.heard_feeds import HeardFeeds
from services.churn_predictor.outputs import Output
from services.cli.lengths import OutageSpan
from services.contracts import events
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.outreach import Mode
from services.contracts.problems import Clearing, ProblemChanged, ProblemCleared, ProblemOpened
from services.contracts.stream import FEED_RECORD, FeedResumed, FeedSilent
from services.demo.statistics import quantile
from services.outreach.playbook import Catalogue, Reached, triggered_by
from services.outreach.worker import load_playbooks
from services.shop.parameters import Outage, ShopParameters
from services.shop.presets import PRESETS
from services.shop.shop import open_shop
from tests.unit.churn_predictor.stream import Stream, problems

_HOUR = timedelta(hours=1)
_DAYS = 35
_OUTAGE = "swift-parcel:560:12"
"""On a Wednesday of the fourth week, from 8:00 to 20:00 UTC: most parcels are brought then."""

_SETTLES = timedelta(days=2)
"""What is raised so near the end may still come later: of that nothing is said."""

Notice = FeedSilent | FeedResumed


@dataclass(frozen=True, slots=True)
class Hour:
    """What the door took within one hour, and the tick behind it."""

    at: datetime
    events: Sequence[Event[Any]]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A problem that reached a tier."""

    at: datetime
    fact: ProblemOpened | ProblemChanged

    @property
    def name(self) -> tuple[str, ...]:
        """What it says; the same in every play in which it is said, however late."""
        fact = self.fact
        return (fact.kind, fact.subject, fact.tier, fact.deadline.isoformat())

    @property
    def feed(self) -> str | None:
        """The feed whose word it rests on."""
        return None if self.fact.feed is None else self.fact.feed.feed


@dataclass(slots=True)
class Played:
    """What one play brought."""

    alarms: list[Alarm] = field(default_factory=list)
    cleared: dict[UUID, ProblemCleared] = field(default_factory=dict)
    """Of each episode, how it ended."""
    notices: list[Notice] = field(default_factory=list)

    def take(self, outputs: Iterable[Output]) -> None:
        """Take in what a tick brought."""
        outputs = list(outputs)
        for event in problems(outputs):
            if isinstance(event.data, ProblemCleared):
                self.cleared[event.data.problem_id] = event.data
            else:
                self.alarms.append(Alarm(event.time, event.data))
        for output in outputs:
            is_said = output.topic is t.FEEDS and output.value
            record = FEED_RECORD.validate_json(output.value) if is_said else None
            if isinstance(record, Notice):
                self.notices.append(record)


def hours_of(parameters: ShopParameters, seed: int) -> list[Hour]:
    """Play a shop that nobody writes to, an hour at a time."""
    shop = open_shop(parameters, seed)
    found = []
    for number in range((shop.end - shop.start) // _HOUR + 1):
        at = shop.start + number * _HOUR
        sent = shop.advance(at, ()).publications
        found.append(Hour(at, [events.read(each.body) for each in sent if not each.refusable]))
    return found


def play(hours: Sequence[Hour], *, with_rule: bool) -> Played:
    """Let a partition hear it all, and tell it the time every hour."""
    told = [event for hour in hours for event in hour.events]
    everybody = {feed for event in told for feed in feeds_of(event)}
    stream, heard, played = Stream(heard={}), HeardFeeds(1), Played()
    for number, hour in enumerate(hours):
        for event in hour.events:
            if events.TOPIC_OF[type(event.data)] in t.TICKED:
                stream.give(event, now=stream.partition.state.at)
        known = dict(heard.as_of(number - 1))
        stream.heard = known if with_rule else dict.fromkeys(everybody, hour.at + _SETTLES)
        stream.relays = heard.relays(number - 1, known)
        outputs = stream.tick(hour.at)
        played.take(outputs)
        for output in outputs:
            if output.topic is t.FEEDS:
                heard.keep(output.key or b"", output.record_value)
    return played


Happened = Mapping[tuple[str, str], datetime]
"""Source and id → the event's own time."""


def happened(hours: Iterable[Hour]) -> Happened:
    """Return when everything happened that was ever told."""
    return {(event.source, event.id): event.time for hour in hours for event in hour.events}


def is_false(alarm: Alarm, played: Played, when: Happened) -> bool:
    """Return whether what ended the problem had happened before the alarm was raised."""
    cleared = played.cleared.get(alarm.fact.problem_id)
    if cleared is None or cleared.clearing is Clearing.EXPIRED:
        return False
    ended = cleared.evidence[-1]
    return when[ended.source, ended.id] <= alarm.at


def is_contact(alarm: Alarm, playbooks: Catalogue) -> bool:
    """Return whether outreach would have written, had no gate held it back."""
    fact = alarm.fact
    reached = Reached(alarm.at, fact.kind, fact.tier, fact.complaint_risk, fact.actor)
    return any(each.mode is Mode.LIVE for each in triggered_by(reached, playbooks))


@dataclass(frozen=True, slots=True)
class Plays:
    """The four plays of one shop."""

    outage: Outage
    begins: datetime
    ends: datetime
    """Of the shop."""
    played: Mapping[tuple[bool, bool], Played]
    """By whether there is the outage, and whether the rule holds."""
    when: Happened
    carried: frozenset[str]
    """The parcels of the silent carrier."""

    def false(self, key: tuple[bool, bool]) -> list[Alarm]:
        """Return the false alarms of one play."""
        played = self.played[key]
        return [alarm for alarm in played.alarms if is_false(alarm, played, self.when)]

    def caused(self, *, with_rule: bool) -> list[Alarm]:
        """Return the false alarms that are none where the feed does not stop."""
        anyway = {alarm.name for alarm in self.false((False, with_rule))}
        return [alarm for alarm in self.false((True, with_rule)) if alarm.name not in anyway]

    def waits(self, early: Alarm) -> bool:
        """Whether this alarm, raised without the rule, rests on the feed that is silent then."""
        feeds = (f"carrier:{self.outage.carrier}", f"scans:{self.outage.carrier}")
        return early.feed in feeds and self.begins <= early.at <= self.begins + self.outage.lasts


def play_all(shop: ShopParameters, outage: Outage, seed: int) -> Plays:
    """Play one shop in all four ways."""
    hours = {is_out: hours_of(_with(shop, outage, is_out), seed) for is_out in (False, True)}
    told = [event for hour in hours[True] for event in hour.events]
    return Plays(
        outage,
        shop.start + outage.starts,
        shop.end,
        {(out, rule): play(hours[out], with_rule=rule) for out in hours for rule in (True, False)},
        happened((*hours[False], *hours[True])),
        frozenset(
            event.data.shipment_id
            for event in told
            if getattr(event.data, "carrier", None) == outage.carrier
        ),
    )


def _with(shop: ShopParameters, outage: Outage, is_out: bool) -> ShopParameters:
    return replace(shop, outages=(outage,)) if is_out else shop


@dataclass(slots=True)
class Later:
    """What became with the rule of true alarms that are raised without it."""

    hours: list[float] = field(default_factory=list)
    """By which they come later."""
    false_by_then: int = 0
    """They come, after what they miss has happened."""
    never: int = 0
    """What they miss was heard of first."""


def delays(plays: Plays) -> dict[str, Later]:
    """Return what became of the true alarms of the outage that rest on a feed.

    Returns:
        `silent`: those that rest on the silent one and are raised, without the rule, in the outage;
        `others`: all others.
    """
    early, late = plays.played[True, False], plays.played[True, True]
    raised = {alarm.name: alarm for alarm in late.alarms}
    found = {"silent": Later(), "others": Later()}
    for alarm in early.alarms:
        if alarm.feed is None or alarm.at > plays.ends - _SETTLES:
            continue
        if is_false(alarm, early, plays.when):
            continue
        group, again = found["silent" if plays.waits(alarm) else "others"], raised.get(alarm.name)
        if again is None:
            group.never += 1
        elif is_false(again, late, plays.when):
            group.false_by_then += 1
        else:
            group.hours.append((again.at - alarm.at) / _HOUR)
    return found


def figures(plays: Plays, playbooks: Catalogue) -> dict[str, Any]:
    """Return what is to be told of one shop, as plain values."""
    late = delays(plays)
    return {
        "plays": {_named(*key): _counted(plays, key, playbooks) for key in sorted(plays.played)},
        "caused": {
            _RULE[rule]: _kinds(plays, plays.caused(with_rule=rule), playbooks)
            for rule in (True, False)
        },
        "later": {group: asdict(found) for group, found in late.items()},
        "notices": {
            _OUTAGE_IS[out]: [
                {
                    "kind": notice.kind,
                    "feed": notice.feed,
                    "hours_after_begin": (notice.at - plays.begins) / _HOUR,
                }
                for notice in plays.played[out, True].notices
            ]
            for out in (False, True)
        },
    }


_RULE = {True: "with the rule", False: "without it"}
_OUTAGE_IS = {True: "outage", False: "no outage"}


def _named(is_out: bool, with_rule: bool) -> str:
    return f"{_OUTAGE_IS[is_out]}, {_RULE[with_rule]}"


def _counted(plays: Plays, key: tuple[bool, bool], playbooks: Catalogue) -> dict[str, int]:
    said, false = plays.played[key].alarms, plays.false(key)
    return {
        "alarms": len(said),
        "false alarms": len(false),
        "contacts": sum(is_contact(alarm, playbooks) for alarm in said),
        "false contacts": sum(is_contact(alarm, playbooks) for alarm in false),
    }


def _kinds(plays: Plays, alarms: Sequence[Alarm], playbooks: Catalogue) -> dict[str, int]:
    """Count by kind and tier; by whether a customer would be told, and whose parcel it is."""
    found: Counter[str] = Counter()
    for alarm in alarms:
        carried = "" if alarm.fact.subject in plays.carried else ", of nobody it carries"
        told = " (contact)" if is_contact(alarm, playbooks) else ""
        found[f"{alarm.fact.kind}/{alarm.fact.tier}{told}{carried}"] += 1
    return dict(sorted(found.items()))


def _plays_table(found: Mapping[str, Any]) -> Table:
    names = [_named(out, rule) for out in (False, True) for rule in (True, False)]
    table = Table("seed", "", *names)
    for seed, figures_ in found.items():
        for what in figures_["plays"][names[0]]:
            table.add_row(seed, what, *(str(figures_["plays"][name][what]) for name in names))
    for what in ("alarms", "false alarms", "contacts", "false contacts"):
        sums = [sum(each["plays"][name][what] for each in found.values()) for name in names]
        table.add_row("all", what, *map(str, sums))
    return table


def _caused_table(found: Mapping[str, Any]) -> Table:
    table = Table("false because of the outage, all seeds", *_RULE.values())
    sums: list[Counter[str]] = [Counter() for _ in _RULE]
    for one, rule in zip(sums, _RULE.values(), strict=True):
        for each in found.values():
            one.update(each["caused"][rule])
    for kind in sorted(set().union(*sums)):
        table.add_row(kind, *(str(one[kind]) for one in sums))
    contacts = [sum(n for kind, n in one.items() if "(contact)" in kind) for one in sums]
    table.add_row("contacts", *map(str, contacts))
    table.add_row("all", *(str(sum(one.values())) for one in sums))
    return table


_GROUPS = {"silent": "of the silent carrier, in the outage", "others": "all others with a feed"}


def _later_table(found: Mapping[str, Any]) -> Table:
    table = Table(
        "true alarms, all seeds",
        "in both",
        "median h later",
        "p90",
        "most",
        "false by then",
        "never",
    )
    for group, words in _GROUPS.items():
        each = [one["later"][group] for one in found.values()]
        hours = [h for one in each for h in one["hours"]]
        marks = [quantile(hours, q) for q in (0.5, 0.9, 1.0)]
        table.add_row(
            words,
            str(len(hours)),
            *("-" if mark is None else f"{mark:.1f}" for mark in marks),
            *(str(sum(one[name] for one in each)) for name in ("false_by_then", "never")),
        )
    return table


def _notices(found: Mapping[str, Any]) -> Iterator[str]:
    for seed, one in found.items():
        for name, notices in one["notices"].items():
            told = [f"{n['feed']} {n['kind']} {n['hours_after_begin']:+.0f} h" for n in notices]
            yield f"seed {seed}, {name}: {len(told)} notices on feeds: {', '.join(told) or 'none'}"


@click.command(epilog="Example: python -m bench.carrier_outage --customers 500 --seeds 1")
@click.option("--customers", type=click.IntRange(1), default=2_000, show_default=True)
@click.option("--days", type=click.IntRange(1, 365), default=_DAYS, show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--outage", type=OutageSpan(), default=_OUTAGE, show_default=True,
    metavar="CARRIER:START_HOUR:HOURS", help="Whose feed stops, when, and for how long.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print every delay and notice as JSON.")
def main(*, customers: int, days: int, seeds: int, outage: Outage, as_json: bool) -> None:
    """Count false contacts with and without the rule of the living feed, and what comes later by it."""
    shop = replace(PRESETS["demo"], customers=customers, days=days)
    # The planned outage is the only one.
    calm = tuple(replace(carrier, outages_per_month=0.0) for carrier in shop.carriers)
    shop = replace(shop, carriers=calm)
    if outage.carrier not in {carrier.slug for carrier in calm}:
        raise click.UsageError(f"the shop has no carrier {outage.carrier}")
    playbooks = load_playbooks(Path(services.outreach.__file__).parent / "playbooks")
    found = {}
    for seed in range(1, seeds + 1):
        found[str(seed)] = figures(play_all(shop, outage, seed), playbooks)
        click.echo(f"seed {seed} played", err=True)
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    console = Console(width=140)
    for table in (_plays_table(found), _caused_table(found), _later_table(found)):
        console.print(table)
    for line in _notices(found):
        click.echo(line)


if __name__ == "__main__":
    main()
