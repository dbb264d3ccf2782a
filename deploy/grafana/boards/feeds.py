"""For whoever cares for publishers and carriers: who is heard, how lately, and what was refused."""

from deploy.grafana.promql import WINDOW, grown, quantile, rate, share
from deploy.grafana.spec import (
    Board,
    EmptyIsGood,
    Limits,
    Look,
    Panel,
    Query,
    Window,
    charts,
    figures,
)

_HOUR = 3_600.0
_LAST_HEARD = "care_publisher_last_event_timestamp_seconds"
_NOTHING_SCORED_TWICE = EmptyIsGood(
    "a feature's drift is told once enough was scored; the demo scores too little"
)

_FIGURES = figures(
    "Is everybody heard?",
    Panel(
        title="Publishers heard",
        description="Publishers of which an event was ever heard. A fall means that the metrics service "
        "forgot one.",
        look=Look.STAT,
        unit="short",
        decimals=0,
        queries=(Query(f"count({_LAST_HEARD})", "publishers"),),
    ),
    Panel(
        title="Silent feeds",
        description="Feeds that are silent for longer than is usual at this time of the week. While one is, "
        "no absence is believed that it alone could explain.",
        look=Look.STAT,
        unit="short",
        decimals=0,
        limits=Limits(worrying=1, bad=3),
        queries=(Query("sum(care_feed_silent)", "silent"),),
        alerts=("FeedSilent",),
    ),
    Panel(
        title="Longest unheard publisher",
        description="Time since the last event of the publisher that was heard least lately.",
        look=Look.STAT,
        unit="s",
        lowest=None,
        limits=Limits(worrying=6 * _HOUR, bad=24 * _HOUR),
        queries=(Query(f"max(time() - {_LAST_HEARD})", "unheard for"),),
        alerts=("PublisherSilent",),
    ),
    Panel(
        title="Refused events",
        description="Events that ingest refused for good, as a share of all that were given to it.",
        look=Look.STAT,
        unit="percentunit",
        limits=Limits(worrying=0.01, bad=0.05),
        queries=(
            Query(
                share(
                    grown("care_ingest_events_total", where='outcome="rejected"'),
                    grown("care_ingest_events_total"),
                ),
                "refused",
            ),
        ),
        alerts=("RejectsRising",),
    ),
    Panel(
        title="Requests not let in",
        description="Requests at ingest without a valid key, signature, token or scope, or over their rate.",
        look=Look.STAT,
        unit="short",
        decimals=0,
        limits=Limits(worrying=1, bad=100),
        queries=(Query(grown("care_ingest_refused_requests_total"), "not let in"),),
        alerts=("IngestRefusing",),
    ),
    Panel(
        title="Unreadable records",
        description="Records that somebody wrote past the door and nobody can read, in the time range.",
        look=Look.STAT,
        unit="short",
        decimals=0,
        limits=Limits(worrying=1, bad=50),
        queries=(Query(grown("care_events_total", where='type="unreadable"'), "unreadable"),),
        alerts=("DeadLetters",),
    ),
)

_FRESHNESS = charts(
    "How lately each is heard",
    Panel(
        title="Time since the last event",
        description="By publisher. A line that climbs where it never climbed before is a feed that stopped.",
        unit="s",
        lowest=None,
        queries=(Query(f"time() - max by (publisher) ({_LAST_HEARD})", "{{publisher}}"),),
        alerts=("PublisherSilent",),
    ),
    Panel(
        title="Events by publisher",
        description="Events of each publisher that reached the topics each second.",
        unit="eps",
        stacked=True,
        queries=(Query(rate("care_publisher_events_total", by="publisher"), "{{publisher}}"),),
        alerts=("PublisherSilent",),
    ),
    Panel(
        title="Feeds that are silent",
        description="1 while a publisher's or a carrier's feed is reported silent.",
        unit="short",
        limits=Limits(worrying=1, bad=1),
        queries=(Query("max by (feed) (care_feed_silent)", "{{feed}}"),),
        alerts=("FeedSilent",),
    ),
)

_REFUSED = charts(
    "What is refused, and whose it is",
    Panel(
        title="Refused events by reason",
        description="Why events were refused, in the chosen window.",
        unit="short",
        stacked=True,
        queries=(Query(grown("care_ingest_rejected_total", WINDOW, by="reason"), "{{reason}}"),),
        alerts=("RejectsRising",),
    ),
    Panel(
        title="Refused events by source",
        description="Whose events were refused in the chosen window; sources without a name here are one.",
        unit="short",
        stacked=True,
        queries=(Query(grown("care_ingest_rejected_total", WINDOW, by="source"), "{{source}}"),),
        alerts=("RejectsRising",),
    ),
    Panel(
        title="Requests not let in, by reason",
        description="Keys, signatures, tokens and scopes that did not open the door, in the chosen window.",
        unit="short",
        stacked=True,
        queries=(
            Query(grown("care_ingest_refused_requests_total", WINDOW, by="reason"), "{{reason}}"),
        ),
        alerts=("IngestRefusing",),
    ),
    Panel(
        title="Webhooks by outcome",
        description="Webhooks of other systems in the time range, by adapter and what became of them.",
        look=Look.BARS,
        unit="short",
        decimals=0,
        queries=(
            Query(
                grown("care_ingest_webhooks_total", by="adapter, outcome"),
                "{{adapter}}: {{outcome}}",
            ),
        ),
    ),
    Panel(
        title="Unreadable and dead letters by topic",
        description="Records nobody can read and those set aside for it, by topic, in the chosen window.",
        unit="short",
        queries=(
            Query(
                grown("care_events_total", WINDOW, where='type="unreadable"', by="topic"),
                "unreadable on {{topic}}",
            ),
            Query(grown("care_dead_letters_total", WINDOW, by="topic"), "set aside of {{topic}}"),
        ),
        alerts=("DeadLetters",),
    ),
    Panel(
        title="Questions about events",
        description="Publishers' questions what became of an event, in the time range, by answer.",
        look=Look.BARS,
        unit="short",
        decimals=0,
        queries=(Query(grown("care_ingest_looks_total", by="outcome"), "{{outcome}}"),),
    ),
)

_CONSEQUENCES = charts(
    "What comes of it",
    Panel(
        title="Events by topic",
        description="Records on the topics of the outside world each second.",
        unit="eps",
        stacked=True,
        queries=(
            Query(
                rate(
                    "care_events_total",
                    where='topic=~"purchases|deliveries|contacts|customers|consents|identities"',
                    by="topic",
                ),
                "{{topic}}",
            ),
        ),
    ),
    Panel(
        title="Delay of an alarm",
        description="From the instant an absence could be noticed to its problem: 19 of 20 took less, by "
        "kind. Most of it is the wait for feeds to be heard.",
        unit="s",
        queries=(
            Query(quantile(0.95, "care_detection_lag_seconds", WINDOW, by="kind"), "{{kind}}"),
        ),
        alerts=("FeedSilent",),
    ),
    Panel(
        title="Alarms taken back while a feed was silent",
        description="Share of alarms that a later event took back, apart for those raised while a feed was "
        "silent.",
        unit="percentunit",
        queries=tuple(
            Query(
                share(
                    grown("care_problems_retracted_total", WINDOW, where=f'feed_silent="{silent}"'),
                    grown("care_problems_opened_total", WINDOW),
                ),
                legend,
            )
            for silent, legend in (("true", "feed silent"), ("false", "feed heard"))
        ),
        alerts=("FeedSilent",),
    ),
    Panel(
        title="Drift of what risks are made of",
        description="How far the features of a risk model have moved since it was fitted; above 0.25 it "
        "should be fitted anew.",
        unit="none",
        decimals=2,
        limits=Limits(worrying=0.1, bad=0.25),
        queries=(
            Query(
                "max by (kind, feature) (care_churn_predictor_feature_drift)",
                "{{kind}}: {{feature}}",
            ),
        ),
        silence=_NOTHING_SCORED_TWICE,
    ),
    Panel(
        title="Forgotten for want of room",
        description="Feeds, sellers and the like that were forgotten because a partition remembers no more.",
        unit="short",
        queries=(
            Query(grown("care_churn_predictor_feeds_crowded_out_total", WINDOW), "feeds"),
            Query(
                grown("care_churn_predictor_history_keys_crowded_out_total", WINDOW),
                "sellers, categories",
            ),
        ),
    ),
)

FEEDS = Board(
    uid="care-feeds",
    title="Care feeds and publishers",
    description="Who is heard, how lately, and what was refused.",
    since="now-24h",
    refresh="1m",
    window=Window("1h", ("15m", "1h", "1d")),
    rows=(_FIGURES, _FRESHNESS, _REFUSED, _CONSEQUENCES),
)
