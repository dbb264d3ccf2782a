"""The report in words, for people.  Says nothing that is not in the report."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.demo.figures import Contacts, Ledgered, Problems, Report
from services.demo.stage import Stage
from services.demo.supervisor import SERVICES


def summarise(report: Report) -> RenderableType:
    """Return the report as panels and tables."""
    sound = not report.faults
    verdict = Text("\n".join(sentences(report)))
    return Group(
        Panel(verdict, title="What happened", border_style="green" if sound else "red"),
        _accounting(report),
        _problems(report.problems),
        _contacts(report.contacts),
        Text("\n".join(f"note: {text}" for text in report.invented), style="dim"),
    )


def sentences(report: Report) -> Iterator[str]:
    """Yield what happened in plain words, one sentence a line."""
    contacts, complaints = report.contacts, report.complaints
    yield (
        f"{report.orders} orders of a {_source(report)}, from {report.simulated_from[:10]} to "
        f"{report.simulated_until[:10]}, played in {report.wall_seconds:.0f} s."
    )
    yield (
        f"{report.problems.opened} times something went wrong, or was about to, and was noticed; "
        f"{report.problems.cleared} of them ended, {report.problems.retracted} had never been."
    )
    yield (
        f"{contacts.decisions} decisions: {contacts.contact} times to write{_in_shadow(contacts)}, "
        f"{contacts.deferred} times to wait, {contacts.suppressed.total} times not to."
    )
    yield f"{contacts.sent} messages arrived."
    yield (
        f"{complaints.written_about} orders were written about; {complaints.reached_first} of them "
        f"were complained about later. In all, {complaints.total} orders were complained about."
    )
    yield from _lead(report)
    yield from _late(report)
    yield from _restarted(report)
    yield from _checks(report)


def _in_shadow(contacts: Contacts) -> str:
    if not contacts.in_shadow:
        return ""
    return f" ({contacts.in_shadow} of them by playbooks in shadow: recorded, not sent)"


def _source(report: Report) -> str:
    return (
        "recorded shop (Olist)"
        if report.source == "olist"
        else f"simulated shop (seed {report.seed})"
    )


def _lead(report: Report) -> Iterator[str]:
    lead = report.lead_time_hours
    if lead.p50 is not None:
        yield (
            f"From our message to the complaint: median {lead.p50:.0f} h "
            f"(a tenth under {lead.p10:.0f} h, a tenth over {lead.p90:.0f} h)."
        )


def _late(report: Report) -> Iterator[str]:
    late = report.late_orders
    if late is not None and late.share is not None:
        yield (
            f"{late.open_past_promise} orders were still open a day after their promise and came "
            f"later; for {late.opened_before_answer} of them ({late.share:.1%}, 95 % interval "
            f"{late.low:.1%} to {late.high:.1%}) the delay was noticed before the customer answered, "
            f"{late.over_before_answer} times so early that the parcel came before the answer too. "
            f"{late.unanswered} were never reviewed and count as not noticed."
        )


def _restarted(report: Report) -> Iterator[str]:
    for service, times in report.restarts.items():
        if times:
            yield f"{service} died {times} times and was started again."
    if report.events.published is None:
        yield "ingest counts from its start, so what it took and refused in this run is not known."


def _checks(report: Report) -> Iterator[str]:
    if report.contacts.double == 0 and report.contacts.unlabelled == 0:
        yield "✓ Nobody was written to twice about the same thing."
    if report.events.balances and report.profiles.balances:
        yield "✓ Every record on the topics is accounted for."
    if not report.metrics.differing:
        yield f"✓ {report.metrics.series} exported series are what the topics, counted anew, say."
    if report.contacts.unknown:
        yield f"! {report.contacts.unknown} messages were cut off by a crash: nobody knows, none is re-sent."
    for fault in report.faults:
        yield f"✗ {fault}."


def _accounting(report: Report) -> Table:
    table = Table(title="Nothing lost: what became of every record")
    for column in ("", "events", "profiles, consents"):
        table.add_column(column, justify="right" if column else "left")
    events, profiles = report.events, report.profiles
    for name in type(events).model_fields:
        table.add_row(_MEANING[name], *(_figure(getattr(one, name)) for one in (events, profiles)))
    table.add_row("on the topics = the four above", _yes(events), _yes(profiles), style="bold")
    return table


_MEANING = {
    "published": "taken by ingest",
    "rejected": "refused by ingest",
    "accepted": "on the topics",
    "applied": "  applied",
    "duplicate": "  duplicate",
    "late": "  too late",
    "dead_lettered": "  dead-lettered",
}


def _figure(count: int | None) -> str:
    return "unknown" if count is None else str(count)


def _yes(counts: Ledgered) -> str:
    return "yes" if counts.balances else "NO"


def _problems(problems: Problems) -> Table:
    table = Table(title="What went wrong")
    table.add_column("kind")
    table.add_column("noticed", justify="right")
    # The most frequent first; those of one count by name, so that one run always reads the same.
    for kind, count in sorted(problems.by_kind.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(kind.replace("_", " "), str(count))
    table.add_row("all", str(problems.opened), style="bold")
    return table


def _contacts(contacts: Contacts) -> Table:
    table = Table(title="Why people were, and were not, written to")
    table.add_column("outcome")
    table.add_column("decisions", justify="right")
    table.add_row("contact", str(contacts.contact))
    table.add_row("  of them in shadow, not sent", str(contacts.in_shadow))
    table.add_row("deferred, judged again later", str(contacts.deferred))
    table.add_row("held out", str(contacts.held_out))
    for reason, count in contacts.suppressed.model_dump().items():
        if count:
            table.add_row(f"suppressed: {reason.replace('_', ' ')}", str(count))
    table.add_row("all", str(contacts.decisions), style="bold")
    return table


def addresses(stage: Stage) -> Iterator[tuple[str, str]]:
    """Yield what is up and where it can be reached."""
    services = stage.services
    ingest = services.address("ingest")
    yield "ingest", f"{ingest}/v1/events"
    yield "its API description", f"{ingest}/openapi.json"
    for name in SERVICES:
        yield f"metrics of {name}", f"{services.address(name)}/metrics"
    yield "mails", str(stage.mail_folder.resolve())
    yield "logs", str((stage.folder / "logs").resolve())
    yield "Kafka", f"{stage.kafka_bootstrap}, topics {stage.topic_prefix}*"
    yield "PostgreSQL", stage.database_url
