"""Metrics of service: contacts, orders, surveys; docs/kpis.md says what each means."""

from services.contracts.metric import Kind, Metric

_HOUR = 3600.0
_RESPONSE_SECONDS = (
    60, 300, 900, _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, 24 * _HOUR, 48 * _HOUR, 72 * _HOUR, 168 * _HOUR,
)  # fmt: skip
_HANDLE_SECONDS = (30, 60, 120, 300, 600, 1_200, 1_800, _HOUR, 2 * _HOUR)

ORDERS = Metric("care_orders_total", Kind.COUNTER, "Orders placed, each once.")
ORDERS_CONTACTED = Metric(
    "care_orders_contacted_total",
    Kind.COUNTER,
    "Orders about which their customer opened a contact, each once.",
)
INBOUND_CONTACTS = Metric(
    "care_inbound_contacts_total",
    Kind.COUNTER,
    "Contacts at the desk, by channel, reason and who opened them (customer, agent).",
    ("channel", "reason", "opened_by"),
)
WISMO_CONTACTS = Metric(
    "care_wismo_contacts_total",
    Kind.COUNTER,
    "Contacts in which customers ask where their order is, by cause: a problem about the order was open "
    "(problem), or none (information); less those withdrawn.",
    ("cause",),
)
WISMO_CONTACTS_WITHDRAWN = Metric(
    "care_wismo_contacts_withdrawn_total",
    Kind.COUNTER,
    "Such contacts counted before under a cause that is no longer true.",
    ("cause",),
)
FIRST_RESPONSE = Metric(
    "care_first_response_seconds",
    Kind.HISTOGRAM,
    "From a customer's opening, or a reopening, to the first public reply of a person; calendar time, or "
    "what of it lay within business hours; less those withdrawn.",
    ("hours",),
    _RESPONSE_SECONDS,
)
FIRST_RESPONSE_WITHDRAWN = Metric(
    "care_first_response_withdrawn_seconds",
    Kind.HISTOGRAM,
    "First responses counted before and no longer true.",
    ("hours",),
    _RESPONSE_SECONDS,
)
AWAITING_FIRST_RESPONSE = Metric(
    "care_contacts_awaiting_first_response",
    Kind.GAUGE,
    "Contacts whose customer waits now for the first reply of a person since the opening or reopening.",
)
CONTACTS_MATURED = Metric(
    "care_contacts_matured_total",
    Kind.COUNTER,
    "Contacts opened by customers whose window is over, by what had become of them (first_contact, "
    "repeated, reopened, unresolved); less those withdrawn.",
    ("outcome",),
)
CONTACTS_MATURED_WITHDRAWN = Metric(
    "care_contacts_matured_withdrawn_total",
    Kind.COUNTER,
    "Such contacts counted before under an outcome that is no longer true.",
    ("outcome",),
)
HANDLE_TIME = Metric(
    "care_handle_seconds",
    Kind.HISTOGRAM,
    "What agents spent on a contact up to each closing, as the desk tells it, by channel.",
    ("channel",),
    _HANDLE_SECONDS,
)
SURVEYS_SENT = Metric(
    "care_surveys_sent_total",
    Kind.COUNTER,
    "Surveys sent, by kind and origin (proactive: sent by outreach; reactive).",
    ("kind", "origin"),
)
SURVEY_ANSWERS = Metric(
    "care_survey_answers_total",
    Kind.COUNTER,
    "Surveys answered, by kind, score and origin; the first answer counts; less those withdrawn.",
    ("kind", "score", "origin"),
)
SURVEY_ANSWERS_WITHDRAWN = Metric(
    "care_survey_answers_withdrawn_total",
    Kind.COUNTER,
    "Answers counted before and no longer true, because an earlier one became known late.",
    ("kind", "score", "origin"),
)
