"""For whoever answers for what is written to customers: what goes out, what does not, and why."""

from deploy.grafana.promql import RANGE, WINDOW, grown, net, quantile, share
from deploy.grafana.spec import (
    Board,
    Limits,
    Look,
    Panel,
    Query,
    RealTimeOnly,
    Window,
    charts,
    figures,
)

_HEARING = RealTimeOnly(
    "in simulated time outreach reads a step's events before it decides: nothing is waited for"
)
_NO_CIRCUIT = RealTimeOnly(
    "simulated time does not pass while a provider recovers: it has no circuit"
)
_CONTACTS = "care_contacts_total"
_DECISIONS = "care_decisions_total"
_REACTION = "care_problem_to_contact_seconds"


def _decided(outcome: str, over: str, by: str = "") -> str:
    return grown(_DECISIONS, over, where=f'outcome="{outcome}"', by=by)


def _sent(over: str, outcome: str = "sent", by: str = "") -> str:
    return grown(_CONTACTS, over, where=f'outcome="{outcome}"', by=by)


_FIGURES = figures(
    "What went out, and what stands still",
    Panel(
        title="Messages sent",
        description="Messages and tasks that left in the time range, on every channel.",
        look=Look.STAT,
        unit="short",
        decimals=0,
        queries=(Query(_sent(RANGE), "sent"),),
    ),
    Panel(
        title="Failed",
        description="Messages that a provider refused for good, as a share of those that were tried.",
        look=Look.STAT,
        unit="percentunit",
        limits=Limits(worrying=0.02, bad=0.1),
        queries=(
            Query(
                share(
                    _sent(RANGE, "failed"),
                    grown(_CONTACTS, where='outcome=~"sent|failed|unknown"'),
                ),
                "failed",
            ),
        ),
        alerts=("ContactsFailing",),
    ),
    Panel(
        title="Unknown outcomes",
        description="Messages cut off while they were sent: nobody knows whether they arrived and none is "
        "sent again. A person says what became of each.",
        look=Look.STAT,
        unit="short",
        decimals=0,
        limits=Limits(worrying=1, bad=10),
        queries=(Query("max(care_outreach_unknown_sends)", "unknown"),),
        alerts=("SendsUnknown",),
        desk="/v1/problems",
    ),
    Panel(
        title="Suppressed by a gate",
        description="Of all decisions in the time range: the share that a gate turned into silence. Most of "
        "it is as it should be; a jump is not.",
        look=Look.STAT,
        unit="percentunit",
        limits=Limits(worrying=0.6, bad=0.9),
        queries=(Query(share(_decided("suppressed", RANGE), grown(_DECISIONS)), "suppressed"),),
        alerts=("PlaybookHeld",),
        desk="/v1/breaker",
    ),
    Panel(
        title="Things that stop sending",
        description="Pauses in force, a database that is behind what was said, and providers left alone "
        "after failures.",
        look=Look.STAT,
        unit="short",
        decimals=0,
        limits=Limits(worrying=1, bad=1),
        queries=(
            Query(
                # A channel without a provider of its own has no circuit, and none may be open.
                "sum(max by (kind) (care_outreach_pauses_open))"
                " + max(care_outreach_held_playbooks)"
                " + max(care_outreach_reconciliations_open)"
                " + (sum(max by (channel) (care_outreach_provider_circuit_open)) or vector(0))",
                "stopped",
            ),
        ),
        alerts=("SendingPaused", "PlaybookHeld", "ReconciliationOpen", "ProviderAway"),
        desk="/v1/pauses",
    ),
    Panel(
        title="Not yet told",
        description="Records committed in the database and not yet on the topics.",
        look=Look.STAT,
        unit="short",
        decimals=0,
        limits=Limits(worrying=100, bad=1_000),
        queries=(Query("max(care_outreach_outbox_records)", "waiting"),),
        alerts=("OutboxStuck",),
    ),
)

_DECIDING = charts(
    "What is decided, each point looking back over the chosen window",
    Panel(
        title="Decisions by outcome",
        description="Contact, suppressed by a gate, deferred to be judged again, held out to compare with.",
        unit="short",
        stacked=True,
        queries=(Query(grown(_DECISIONS, WINDOW, by="outcome"), "{{outcome}}"),),
    ),
    Panel(
        title="Suppressions by gate",
        description="Which gate turned decisions into silence, over the whole time range.",
        look=Look.BARS,
        unit="short",
        decimals=0,
        queries=(Query(grown("care_suppressed_total", by="reason"), "{{reason}}"),),
        desk="/v1/breaker",
    ),
    Panel(
        title="Held out, by playbook",
        description="Share of customers a playbook would have written to and did not, drawn at random.",
        unit="percentunit",
        queries=(
            Query(
                share(
                    _decided("held_out", WINDOW, by="playbook"),
                    grown(_DECISIONS, WINDOW, where='outcome=~"contact|held_out"', by="playbook"),
                ),
                "{{playbook}}",
            ),
        ),
    ),
)

_SENDING = charts(
    "What became of it",
    Panel(
        title="Contacts by outcome",
        description="Sent, failed for good, withdrawn because the reason was gone, unknown.",
        unit="short",
        stacked=True,
        queries=(Query(grown(_CONTACTS, WINDOW, by="outcome"), "{{outcome}}"),),
        alerts=("SendsUnknown",),
        desk="/v1/problems",
    ),
    Panel(
        title="Sent by channel",
        description="Messages and tasks that left, by channel.",
        unit="short",
        stacked=True,
        queries=(Query(_sent(WINDOW, by="channel"), "{{channel}}"),),
    ),
    Panel(
        title="Sent by playbook",
        description="Messages and tasks that left in the time range, by the playbook that asked for them.",
        look=Look.BARS,
        unit="short",
        decimals=0,
        queries=(Query(_sent(RANGE, by="playbook"), "{{playbook}}"),),
        desk="/v1/playbooks",
    ),
    Panel(
        title="From problem to message",
        description="Until the first message about a problem: the median and the slowest twentieth, apart "
        "for what could be written at once and what quiet hours or an approval held.",
        unit="s",
        queries=tuple(
            Query(
                quantile(q, _REACTION, WINDOW, by="held", is_judged=True),
                f"{legend}, held: {{{{held}}}}",
            )
            for q, legend in ((0.5, "median"), (0.95, "19 of 20"))
        ),
        alerts=("ContactBudgetBurnsFast", "ContactBudgetBurnsSlowly"),
    ),
    Panel(
        title="Useful messages and noise",
        description="What messages were worth to whoever got them, once that is known.",
        unit="short",
        stacked=True,
        queries=(Query(net("care_proactive_contacts_total", WINDOW, by="worth"), "{{worth}}"),),
        alerts=("PlaybookHeld",),
    ),
    Panel(
        title="Saved and lost, by what we did",
        description="Customers who were about to leave and bought again within 30 days, or did not, apart "
        "for those we wrote to, held out, and never reached.",
        unit="short",
        queries=(
            Query(
                net("care_save_attempts_total", WINDOW, by="arm, outcome"), "{{arm}}, {{outcome}}"
            ),
        ),
    ),
)

_STOPPED = charts(
    "What holds it up",
    Panel(
        title="Pauses, breaker, reconciliation",
        description="Pauses in force by kind, playbooks that the volume breaker holds until a person has "
        "looked, and 1 while the database is older than what was said.",
        unit="short",
        limits=Limits(worrying=1, bad=1),
        queries=(
            Query("max by (kind) (care_outreach_pauses_open)", "paused: {{kind}}"),
            Query("max(care_outreach_held_playbooks)", "held by the breaker"),
            Query("max(care_outreach_reconciliations_open)", "to reconcile"),
        ),
        alerts=("SendingPaused", "PlaybookHeld", "ReconciliationOpen"),
        desk="/v1/pauses",
    ),
    Panel(
        title="Providers left alone",
        description="1 while a channel's provider gets no messages after failures, or one to try it with.",
        unit="short",
        limits=Limits(worrying=1, bad=1),
        queries=(Query("max by (channel) (care_outreach_provider_circuit_open)", "{{channel}}"),),
        alerts=("ProviderAway",),
        silence=_NO_CIRCUIT,
    ),
    Panel(
        title="Steps and records not finished",
        description="Sends that were started and have no outcome yet, and records that wait to be published. "
        "Both rise under load and fall again.",
        unit="short",
        queries=(
            Query("sum(care_outreach_unfinished_steps)", "started, no outcome"),
            Query("max(care_outreach_outbox_records)", "not yet published"),
        ),
        alerts=("OutboxStuck", "SendsNotEnding"),
        desk="/v1/problems",
    ),
    Panel(
        title="Said and not yet heard",
        description="How much time a customer's word could go unheard before a send was started, and how "
        "long contacts take into the database: 99 of 100 took less.",
        unit="s",
        queries=tuple(
            Query(quantile(0.99, metric, WINDOW), legend)
            for metric, legend in (
                ("care_outreach_start_window_seconds", "unheard at a start"),
                ("care_outreach_contact_intake_seconds", "contact to database"),
            )
        ),
        alerts=("LagTooOld",),
        silence=_HEARING,
    ),
)

OUTREACH = Board(
    uid="care-outreach",
    title="Care outreach",
    description="What is written to customers, what is not, and why.",
    since="now-7d",
    refresh="1m",
    window=Window("1d", ("1h", "1d", "7d")),
    rows=(_FIGURES, _DECIDING, _SENDING, _STOPPED),
)
