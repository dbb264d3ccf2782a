"""The database: what each table remembers.  Declarations only; `migrations/` makes them."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

METADATA = MetaData()

_Moment = DateTime(timezone=True)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _trace() -> tuple[Column[str], Column[str]]:
    """W3C Trace Context of what brought a row about."""
    return Column("traceparent", Text), Column("tracestate", Text)


SOURCE_POSITIONS = Table(
    "source_positions",
    METADATA,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("topic_id", Uuid, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    _count("applied"),
    _count("duplicate"),
    _count("late"),
    _count("dead_lettered"),
    Column("owner", Uuid),
    comment="How far each source partition is applied, and what became of its records",
)

PROFILES = Table(
    "profiles",
    METADATA,
    Column("customer_id", Text, primary_key=True),
    Column("as_of", _Moment, nullable=False),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("name", Text),
    Column("email", Text),
    Column("language", Text),
    Column("time_zone", Text),
    Column("country", Text),
    Column("phone", Text),
    Column("push_id", Text),
    Column("chat_id", Text),
    Column("suppressed_since", _Moment, comment="When whoever has an address of these was erased"),
    Column("address_hashes", ARRAY(Text), comment="Keyed hashes of what a tombstone took away"),
    comment="The latest snapshot of each customer",
)

CONSENTS = Table(
    "consents",
    METADATA,
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False, index=True),
    Column("message_class", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("said_at", _Moment, nullable=False),
    Column("valid_from", _Moment),
    Column("valid_until", _Moment),
    comment="Every dated word of every customer; nothing is overwritten",
)

PROBLEMS = Table(
    "problems",
    METADATA,
    Column("problem_id", Uuid, primary_key=True),
    Column("customer_id", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("order_id", Text),
    Column("opened_at", _Moment, nullable=False),
    Column("tier", Text, nullable=False),
    Column("stated_at", _Moment, nullable=False),
    Column("promised_by", _Moment),
    Column("actor", Text, nullable=False),
    Column("complaint_risk", Float),
    Column("ended_at", _Moment),
    Column("clearing", Text),
    Column("destination_zone", Text),
    Column("destination_stated_at", _Moment),
    Index("problems_open", "problem_id", postgresql_where=text("ended_at IS NULL")),
)

INBOUND_CONTACTS = Table(
    "inbound_contacts",
    METADATA,
    Column("customer_id", Text, primary_key=True),
    Column("contact_id", Text, primary_key=True),
    Column("order_id", Text),
    Column("heard_at", _Moment),
    Column("opened_at", _Moment),
    Column("resolved_at", _Moment),
)

SURVEY_ANSWERS = Table(
    "survey_answers",
    METADATA,
    Column("customer_id", Text, primary_key=True),
    Column("survey_id", Text, primary_key=True),
    Column("answered_at", _Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("score", SmallInteger, nullable=False),
    Column("order_id", Text),
)

AGENDA = Table(
    "agenda",
    METADATA,
    Column("step_id", Uuid, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("problem_id", Uuid, ForeignKey("problems.problem_id"), nullable=False),
    Column("playbook", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("triggered_at", _Moment, nullable=False),
    Column("due_at", _Moment, comment="When it is decided next; null: settled for good"),
    *_trace(),
    Index("agenda_due", "partition", "due_at", postgresql_where=text("due_at is not null")),
    comment="Steps that became due; a settled one stays, so that it never becomes due again",
)

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("decision_id", Uuid, primary_key=True),
    Column("step_id", Uuid, ForeignKey("agenda.step_id"), nullable=False),
    Column("decided_at", _Moment, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("problem_id", Uuid, nullable=False),
    Column("order_id", Text),
    Column("playbook", Text, nullable=False),
    Column("playbook_version", Integer, nullable=False),
    Column("step", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("message_class", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("suppression", Text),
    Column("deferred_until", _Moment),
    Column("gates", JSONB, nullable=False),
    UniqueConstraint("step_id", "decided_at"),
    Index("decisions_contacted", "customer_id", "decided_at"),
    Index(
        "decisions_by_playbook",
        "playbook",
        "decided_at",
        postgresql_where=text("outcome = 'contact'"),
    ),
    comment="Append-only: each decision with every gate's verdict",
)

SENDS = Table(
    "sends",
    METADATA,
    Column("step_id", Uuid, ForeignKey("agenda.step_id"), primary_key=True),
    Column("decision_id", Uuid, ForeignKey("decisions.decision_id"), nullable=False),
    Column("customer_id", Text, nullable=False, index=True),
    Column("partition", Integer, nullable=False),
    Column("problem_id", Uuid, ForeignKey("problems.problem_id"), nullable=False),
    Column("order_id", Text),
    Column("playbook", Text, nullable=False),
    Column("playbook_version", Integer, nullable=False),
    Column("step", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("triggered_at", _Moment, nullable=False),
    Column("use_by", _Moment, nullable=False),
    Column("problem_opened_at", _Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", _Moment),
    Column("owner", Uuid),
    Column("decided_at", _Moment, nullable=False),
    Column("started_at", _Moment),
    Column("finished_at", _Moment),
    Column("reason", Text),
    Column("message_id", Text),
    *_trace(),
    Index("sends_pending", "next_attempt_at", postgresql_where=text("state = 'pending'")),
    Index("sends_started", "partition", postgresql_where=text("state = 'started'")),
    Index(
        "sends_for_a_person",
        "problem_id",
        postgresql_where=text("state IN ('unknown', 'failed') OR channel = 'human'"),
    ),
    comment="The contact ledger: at most one row per playbook step of a problem, so one send",
)

BREAKER_TRIPS = Table(
    "breaker_trips",
    METADATA,
    Column("playbook", Text, primary_key=True),
    Column("tripped_at", _Moment, primary_key=True),
    Column("decided", Integer, nullable=False),
    Column("allowance", Integer, nullable=False),
    Column("resolved_at", _Moment, comment="Null: the playbook waits for somebody to look at it"),
    Column("resolved_by", Text),
    Column("approved", Integer, comment="How many more contacts; 0: none of those due by then"),
    comment="When a playbook wanted to write more than is usual, and what a person said to it",
)

PAUSES = Table(
    "pauses",
    METADATA,
    Column("pause_id", Uuid, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("name", Text, comment="Of the playbook or the channel; null where all are meant"),
    Column("since", _Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("resumed_at", _Moment, comment="Null: it is in force"),
    Column("resumed_by", Text),
    CheckConstraint(
        "scope IN ('all', 'playbook', 'channel') AND (scope = 'all') = (name IS NULL)",
        name="pauses_target",
    ),
    CheckConstraint(
        "(resumed_at IS NULL) = (resumed_by IS NULL)", name="pauses_resumed_by_somebody"
    ),
    Index(
        "pauses_open",
        "scope",
        text("coalesce(name, '')"),
        unique=True,
        postgresql_where=text("resumed_at IS NULL"),
    ),
    comment="Append-only: what a person has paused, and who let it go on",
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("seq", BigInteger, Identity(), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", JSONB, nullable=False),
    comment="Committed with what it tells of, published afterwards, then deleted",
)

SAID_POSITIONS = Table(
    "said_positions",
    METADATA,
    Column("partition", Integer, primary_key=True),
    Column("topic_id", Uuid, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    comment="Up to where this database knows what lies on the topic outreach, by partition",
)

RECONCILIATIONS = Table(
    "reconciliations",
    METADATA,
    Column("reconciliation_id", Uuid, primary_key=True),
    Column("needed_since", _Moment, nullable=False),
    Column("because", Text, nullable=False),
    Column("reconciled_at", _Moment, comment="Null: nothing is decided and nothing is sent"),
    Column("reconciled_by", Text),
    Column("found", JSONB, comment="What the topic knew and this database did not"),
    CheckConstraint(
        "(reconciled_at IS NULL) = (reconciled_by IS NULL)", name="reconciliations_by_somebody"
    ),
    Index(
        "reconciliations_open",
        text("(true)"),
        unique=True,
        postgresql_where=text("reconciled_at IS NULL"),
    ),
    comment="Append-only: when this database was older than what was said, and who brought it up",
)

SURVEYS = Table(
    "surveys",
    METADATA,
    Column("customer_id", Text, primary_key=True),
    Column("survey_id", Text, primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("order_id", Text),
    Column("step_id", Uuid),
    Column("sent_at", _Moment, comment="Null: answered before anybody noted that it left"),
    Column("answered_at", _Moment),
    Column("first_score", SmallInteger, comment="The answer that counts, and is published"),
    Column("latest_score", SmallInteger),
    Column("changed_at", _Moment),
    Column("comment", Text, comment="The customer's own words: never published, never logged"),
    comment="Our own surveys, and what was answered on their page",
)

BOUNCES = Table(
    "bounces",
    METADATA,
    Column("step_id", Uuid, ForeignKey("sends.step_id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("customer_id", Text, nullable=False, index=True),
    Column("status", Text, nullable=False),
    Column("sent_at", _Moment, nullable=False, comment="When the mail was begun that came back"),
    Column("noted_at", _Moment, nullable=False),
    comment="Mails that came back undelivered; the first of each kind is kept",
)

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("step_id", Uuid, primary_key=True),
    Column("verdict", Text, primary_key=True),
    Column("customer_id", Text, nullable=False, index=True),
    Column("partition", Integer, nullable=False),
    Column("said_at", _Moment, nullable=False),
    comment="What customers say of the message of a step; the first of each verdict is kept",
)

ACTIONS = Table(
    "actions",
    METADATA,
    Column("seq", BigInteger, Identity(), primary_key=True),
    Column("at", _Moment, nullable=False),
    Column("key_id", Text, nullable=False, comment="Of the API key it was done with"),
    Column("client", Text, nullable=False, comment="Whose key that is"),
    Column("by", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column(
        "target",
        Text,
        nullable=False,
        comment="The step or the pause by its id, or the playbook by its name",
    ),
    Column("detail", JSONB, nullable=False),
    Index(
        "actions_settling",
        "what",
        "target",
        unique=True,
        postgresql_where=text("what IN ('task_done', 'send_resolved')"),
    ),
    comment="Append-only: what a person did through the API",
)

MERGES = Table(
    "merges",
    METADATA,
    Column("goes", Text, primary_key=True),
    Column("stays", Text, primary_key=True, index=True),
    Column("merged_at", _Moment, nullable=False),
    comment="What was said of two ids that are one customer",
)

ALIASES = Table(
    "aliases",
    METADATA,
    Column("customer_id", Text, primary_key=True),
    Column("survivor", Text, nullable=False, index=True),
    Column("merged_at", _Moment, nullable=False),
    comment="What follows from all merges: other names of customers, each with the one that stays",
)

SUPPRESSIONS = Table(
    "suppressions",
    METADATA,
    Column("kind", Text, primary_key=True, comment="customer, or the channel of an address"),
    Column("hash", Text, primary_key=True, comment="Keyed, so that nobody finds it by trying"),
    Column("erased_at", _Moment, nullable=False),
    comment="Who was erased, so that nothing older comes back and nobody writes to them",
)

PARTITION_MOVES = Table(
    "partition_moves",
    METADATA,
    Column("before", Integer, primary_key=True, autoincrement=False),
    Column("after", Integer, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False, comment="Of the predictor's state"),
    Column("begun_at", _Moment, nullable=False),
    Column("ended_at", _Moment, comment="Null: not known to be over"),
    comment="When this deployment was given more partitions, and what there was by then",
)
