"""Names of the customers' metrics: see `metric_names`."""

from services.contracts.metric import Kind, Metric

_HOUR = 3600.0

CUSTOMERS_ACTIVE = Metric(
    "care_customers_active",
    Kind.GAUGE,
    "Customers whose last purchase is no older than the window.",
    ("window",),
)
CUSTOMERS_NEW = Metric(
    "care_customers_new_total", Kind.COUNTER, "First purchases; less those withdrawn."
)
CUSTOMERS_NEW_WITHDRAWN = Metric(
    "care_customers_new_withdrawn_total",
    Kind.COUNTER,
    "First purchases counted before that are none: cancelled, or of a customer known by another id.",
)
CUSTOMERS_LAPSED = Metric(
    "care_customers_lapsed_total",
    Kind.COUNTER,
    "Times that a customer bought nothing for longer than the window; less those withdrawn.",
    ("window",),
)
CUSTOMERS_LAPSED_WITHDRAWN = Metric(
    "care_customers_lapsed_withdrawn_total",
    Kind.COUNTER,
    "Lapses counted before that were none, by what became known late.",
    ("window",),
)
CUSTOMERS_RETURNED = Metric(
    "care_customers_returned_total",
    Kind.COUNTER,
    "Purchases of customers who had lapsed; less those withdrawn.",
    ("window",),
)
CUSTOMERS_RETURNED_WITHDRAWN = Metric(
    "care_customers_returned_withdrawn_total",
    Kind.COUNTER,
    "Returns counted before that were none, by what became known late.",
    ("window",),
)
CUSTOMERS_BY_RHYTHM = Metric(
    "care_customers_by_rhythm",
    Kind.GAUGE,
    "Customers by days since the last purchase (up to so many) and number of purchases.",
    ("recency", "frequency"),
)
SAVE_ATTEMPTS = Metric(
    "care_save_attempts_total",
    Kind.COUNTER,
    "Openings of a risk of a lapse whose window has closed, by what we did (treated, held_out, untold) and "
    "whether the customer bought (saved, lost); less those withdrawn.",
    ("arm", "outcome"),
)
SAVE_ATTEMPTS_WITHDRAWN = Metric(
    "care_save_attempts_withdrawn_total",
    Kind.COUNTER,
    "Save attempts counted before under labels that are no longer true.",
    ("arm", "outcome"),
)
TRIAL_CUSTOMERS = Metric(
    "care_trial_customers_total",
    Kind.COUNTER,
    "Customers whose window in a playbook's trial has closed, by the arm they were drawn into and what they "
    "did (complained or quiet; of a risk of a lapse bought or not_bought); less those withdrawn.",
    ("playbook", "arm", "outcome"),
)
TRIAL_CUSTOMERS_WITHDRAWN = Metric(
    "care_trial_customers_withdrawn_total",
    Kind.COUNTER,
    "Customers in trials counted before under labels that are no longer true.",
    ("playbook", "arm", "outcome"),
)
PROACTIVE_CONTACTS = Metric(
    "care_proactive_contacts_total",
    Kind.COUNTER,
    "Messages judged: useful (the problem was real, and we wrote first) or noise; less those withdrawn.",
    ("worth",),
)
PROACTIVE_CONTACTS_WITHDRAWN = Metric(
    "care_proactive_contacts_withdrawn_total",
    Kind.COUNTER,
    "Messages judged before otherwise than is true.",
    ("worth",),
)
PROBLEMS_RETRACTED = Metric(
    "care_problems_retracted_total",
    Kind.COUNTER,
    "Problems that never were, by kind and whether they had been believed because a feed was silent.",
    ("kind", "feed_silent"),
)
DETECTION_LAG = Metric(
    "care_detection_lag_seconds",
    Kind.HISTOGRAM,
    "From a deadline to the opening of its problem, of what was noticed because something did not come.",
    ("kind",),
    (1, 10, 60, 300, 900, 1800, _HOUR, 6 * _HOUR, 24 * _HOUR, 48 * _HOUR),
)
EXPERIENCE_BALANCE = Metric(
    "care_experience_balance",
    Kind.HISTOGRAM,
    "Experience balance of a customer when a problem opens: good less weighed bad experiences, faded.",
    (),
    (-100, -50, -24, -12, -6, -1, 0, 1, 2, 5, 10, 20, 50),
)
