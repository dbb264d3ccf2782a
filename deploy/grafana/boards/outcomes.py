"""For whoever leads customer care: is care there before the complaint, and what does it do for people?"""

from deploy.grafana.promql import RANGE, WINDOW, grown, net, quantile, share
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

_NOBODY_HELD_OUT = EmptyIsGood(
    "no shipped playbook holds anybody out: there is nobody to compare with"
)
_NEW_TO_US = EmptyIsGood("everybody in the demo's shop is new: nobody was there who could be lost")
_90_DAYS = 'window="90d"'


def _per_hundred_orders(counted: str, over: str) -> str:
    return "100 * " + share(counted, grown("care_orders_total", over))


def _survey(over: str, where: str, by: str = "") -> str:
    return net("care_survey_answers_total", over, where=where, by=by)


def _content(over: str, by: str = "") -> str:
    """Return the share of satisfied answers: 4 and 5 of 5."""
    satisfied = _survey(over, 'kind="csat", score=~"4|5"', by)
    return share(satisfied, _survey(over, 'kind="csat"', by))


def _response(over: str, by: str = "") -> str:
    sent = grown("care_surveys_sent_total", over, where='kind="csat"', by=by)
    return share(_survey(over, 'kind="csat"', by), sent)


def _complained(over: str, arm: str) -> str:
    where = f'arm="{arm}", outcome="complained"'
    return share(
        net("care_trial_customers_total", over, where=where),
        net("care_trial_customers_total", over, where=f'arm="{arm}", outcome=~"complained|quiet"'),
    )


def _matured(over: str, outcome: str) -> str:
    return share(
        net("care_contacts_matured_total", over, where=f'outcome="{outcome}"'),
        net("care_contacts_matured_total", over),
    )


def _lost(over: str) -> str:
    """Return how many customers fell silent, less those who came back."""
    lapsed = net("care_customers_lapsed_total", over, where=_90_DAYS)
    return f"({lapsed} - {net('care_customers_returned_total', over, where=_90_DAYS)})"


def _there_before(over: str) -> str:
    """Return how many customers were active before this stretch of time."""
    now = f"sum(care_customers_active{{{_90_DAYS}}})"
    return f"({now} + {_lost(over)} - {net('care_customers_new_total', over)})"


_BEFORE_THE_COMPLAINT = figures(
    "Is care there before the complaint?",
    Panel(
        title="Reached before the complaint",
        description="Of the orders whose customer complained: the share to whom we had written first. "
        "Who never complains is in neither number.",
        look=Look.STAT,
        unit="percentunit",
        limits=Limits(worrying=0.7, bad=0.5),
        queries=(
            Query(
                share(
                    net("care_complaints_total", where='reached_first="true"'),
                    net("care_complaints_total"),
                ),
                "reached first",
            ),
        ),
        alerts=("ReachedFirstBudgetBurns",),
        desk="/v1/problems",
    ),
    Panel(
        title="Lead over the complaint",
        description="Median time from our first message about an order to the customer's first complaint "
        "about it. Below zero: we wrote when the complaint was already there.",
        look=Look.STAT,
        unit="s",
        limits=Limits(worrying=6 * _HOUR, bad=0),
        queries=(Query(quantile(0.5, "care_lead_time_seconds", RANGE, is_judged=True), "median"),),
        alerts=("ReachedFirstBudgetBurns",),
        lowest=None,
    ),
    Panel(
        title="Useful messages",
        description="Of our messages: the share about a problem that was real, sent before the customer had "
        "written. The rest was noise to whoever got it.",
        look=Look.STAT,
        unit="percentunit",
        limits=Limits(worrying=0.8, bad=0.6),
        queries=(
            Query(
                share(
                    net("care_proactive_contacts_total", where='worth="useful"'),
                    net("care_proactive_contacts_total"),
                ),
                "useful",
            ),
        ),
        alerts=("PlaybookHeld",),
        desk="/v1/playbooks",
    ),
    Panel(
        title="False alarms",
        description="Problems that a later event showed never to have been one, as a share of those opened.",
        look=Look.STAT,
        unit="percentunit",
        limits=Limits(worrying=0.05, bad=0.15),
        queries=(
            Query(
                share(grown("care_problems_retracted_total"), grown("care_problems_opened_total")),
                "retracted",
            ),
        ),
        alerts=("FeedSilent",),
    ),
    Panel(
        title="Complaints prevented",
        description="Share of customers who complained among those held out, less the share among those we "
        "meant to write to: drawn at random, so the difference is what writing did. Read it with its chart.",
        look=Look.STAT,
        unit="percentunit",
        limits=Limits(worrying=0.01, bad=0),
        queries=(
            Query(
                f"{_complained(RANGE, 'held_out')} - {_complained(RANGE, 'treated')}",
                "difference",
            ),
        ),
        alerts=("PlaybookHeld",),
        silence=_NOBODY_HELD_OUT,
        lowest=None,
    ),
    Panel(
        title="Complaints per 100 orders",
        description="Orders whose customer complained, for every 100 orders placed in the same time. It "
        "falls when care works, and also when people give up: read it beside what customers say.",
        look=Look.STAT,
        unit="none",
        decimals=1,
        limits=Limits(worrying=3, bad=6),
        queries=(Query(_per_hundred_orders(net("care_complaints_total"), RANGE), "per 100"),),
        alerts=("ReachedFirstBudgetBurns",),
        desk="/v1/problems",
    ),
)

_SERVICE = figures(
    "What customers say, and how they are answered",
    Panel(
        title="Satisfied customers and who answered",
        description="Answers of 4 or 5 of 5, as a share of all answers; beside it the share of surveys that "
        "were answered at all. A high score from few answers says little.",
        look=Look.STAT,
        unit="percentunit",
        limits=Limits(worrying=0.8, bad=0.65),
        queries=(Query(_content(RANGE), "satisfied"), Query(_response(RANGE), "answered")),
        width=8,
    ),
    Panel(
        title="First answer, slowest tenth",
        description="Business hours until a person first answered: nine of ten were answered sooner.",
        look=Look.STAT,
        unit="s",
        limits=Limits(worrying=8 * _HOUR, bad=24 * _HOUR),
        queries=(
            Query(
                quantile(
                    0.9,
                    "care_first_response_seconds",
                    RANGE,
                    where='hours="business"',
                    is_judged=True,
                ),
                "9 of 10",
            ),
        ),
    ),
    Panel(
        title="Solved at the first contact",
        description="Of contacts whose seven days are over: the share solved at once, without a second "
        "contact for the same reason and without being opened again.",
        look=Look.STAT,
        unit="percentunit",
        limits=Limits(worrying=0.7, bad=0.5),
        queries=(Query(_matured(RANGE, "first_contact"), "solved"),),
    ),
    Panel(
        title="Where is my order, per 100 orders",
        description="Contacts that ask where an order is, for every 100 orders placed.",
        look=Look.STAT,
        unit="none",
        decimals=1,
        limits=Limits(worrying=5, bad=10),
        queries=(
            Query(_per_hundred_orders(net("care_wismo_contacts_total", RANGE), RANGE), "per 100"),
        ),
    ),
    Panel(
        title="Customers lost",
        description="Customers whose last order grew older than 90 days, less those who came back, as a "
        "share of the customers who were active at the start of the time range.",
        look=Look.STAT,
        unit="percentunit",
        limits=Limits(worrying=0.05, bad=0.1),
        queries=(
            Query(
                share(_lost(RANGE), _there_before(RANGE)),
                "lost",
            ),
        ),
        silence=_NEW_TO_US,
        lowest=None,
    ),
)

_OVER_TIME = charts(
    "The same over time, each point looking back over the chosen window",
    Panel(
        title="Complaints, and who was first",
        description="Orders whose customer complained, by whether our first message came before it.",
        unit="short",
        stacked=True,
        queries=(
            Query(
                net("care_complaints_total", WINDOW, by="reached_first"),
                "we were first: {{reached_first}}",
            ),
        ),
        alerts=("ReachedFirstBudgetBurns",),
    ),
    Panel(
        title="Lead over the complaint, spread",
        description="One in ten complaints had a shorter lead than the lowest line, one in ten a longer one "
        "than the highest. Orders without any message from us have no lead.",
        unit="s",
        lowest=None,
        queries=tuple(
            Query(quantile(q, "care_lead_time_seconds", WINDOW, is_judged=True), legend)
            for q, legend in ((0.1, "1 of 10"), (0.5, "median"), (0.9, "9 of 10"))
        ),
    ),
    Panel(
        title="Useful messages and noise",
        description="What our messages were worth to whoever got them, judged when the problem had ended or "
        "two weeks later.",
        unit="short",
        stacked=True,
        queries=(Query(net("care_proactive_contacts_total", WINDOW, by="worth"), "{{worth}}"),),
        alerts=("PlaybookHeld",),
        desk="/v1/playbooks",
    ),
    Panel(
        title="False alarms, and whether a feed was silent",
        description="Problems that a later event took back. With a silent feed the cause is at the carrier "
        "or the publisher; without, the rule or its tolerance is wrong.",
        unit="short",
        stacked=True,
        queries=(
            Query(
                grown("care_problems_retracted_total", WINDOW, by="feed_silent"),
                "feed was silent: {{feed_silent}}",
            ),
        ),
        alerts=("FeedSilent",),
    ),
    Panel(
        title="Complaints with and without our message",
        description="Share of customers who complained, among those we meant to write to and among those "
        "held out at random. The gap between the lines is what writing did.",
        unit="percentunit",
        queries=(
            Query(_complained(WINDOW, "treated"), "meant to write to"),
            Query(_complained(WINDOW, "held_out"), "held out"),
        ),
        silence=_NOBODY_HELD_OUT,
    ),
    Panel(
        title="Satisfied after our message, and otherwise",
        description="Share of answers of 4 or 5 of 5, apart for surveys that we sent after writing first and "
        "for all others, with the share of surveys that were answered.",
        unit="percentunit",
        queries=(
            Query(_content(WINDOW, by="origin"), "satisfied, {{origin}}"),
            Query(_response(WINDOW, by="origin"), "answered, {{origin}}"),
        ),
    ),
    Panel(
        title="Time to the first answer",
        description="Until a person first answered: the median and the slowest tenth, by the clock and in "
        "business hours.",
        unit="s",
        queries=tuple(
            Query(
                quantile(q, "care_first_response_seconds", WINDOW, by="hours", is_judged=True),
                f"{legend}, {{{{hours}}}} hours",
            )
            for q, legend in ((0.5, "median"), (0.9, "9 of 10"))
        ),
    ),
    Panel(
        title="Contacts that need not have been, per 100 orders",
        description="Where-is-my-order contacts, by whether a problem stood open or only information was "
        "missing, and contacts that came again for the same reason within seven days.",
        unit="none",
        decimals=1,
        queries=(
            Query(
                _per_hundred_orders(
                    net("care_wismo_contacts_total", WINDOW, where='cause="problem"'), WINDOW
                ),
                "where is it: a real problem",
            ),
            Query(
                _per_hundred_orders(
                    net("care_wismo_contacts_total", WINDOW, where='cause="information"'), WINDOW
                ),
                "where is it: information missing",
            ),
            Query(
                _per_hundred_orders(
                    net("care_contacts_matured_total", WINDOW, where='outcome="repeated"'), WINDOW
                ),
                "came again",
            ),
        ),
    ),
    Panel(
        title="Customers: active, new, lost, back",
        description="Customers who ordered in the last 90 days; and in the chosen window: new ones, those "
        "whose last order grew older than 90 days, and those who came back after that.",
        unit="short",
        queries=(
            Query(f"sum(care_customers_active{{{_90_DAYS}}})", "active"),
            Query(net("care_customers_new_total", WINDOW), "new"),
            Query(net("care_customers_lapsed_total", WINDOW, where=_90_DAYS), "lost"),
            Query(net("care_customers_returned_total", WINDOW, where=_90_DAYS), "back"),
        ),
    ),
)

OUTCOMES = Board(
    uid="care-outcomes",
    title="Care outcomes",
    description="Is care there before the complaint, and is it worth it to customers?",
    since="now-28d",
    refresh="5m",
    window=Window("7d", ("1d", "7d", "28d")),
    rows=(_BEFORE_THE_COMPLAINT, _SERVICE, _OVER_TIME),
)
