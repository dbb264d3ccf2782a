"""The report of a sound demo, to vary."""

from typing import Any

from services.demo.figures import (
    Complaints,
    Contacts,
    LeadTime,
    Ledgered,
    Problems,
    Recounted,
    Report,
    Suppressed,
)

EVENTS = Ledgered(
    published=10, rejected=2, accepted=11, applied=8, duplicate=1, late=1, dead_lettered=1
)
CONTACTS = Contacts(
    decisions=3, contact=3, deferred=0, held_out=0, suppressed=Suppressed(), sent=3, failed=0,
    withdrawn=0, unknown=0, double=0, unlabelled=0,
)  # fmt: skip


def report(**changes: Any) -> Report:
    """Return the report with these parts in place of its own."""
    values: dict[str, Any] = {
        "seed": 1,
        "source": "simulated",
        "orders": 42,
        "simulated_from": "2026-03-02T00:00:00+00:00",
        "simulated_until": "2026-04-01T00:00:00+00:00",
        "ticks": 9,
        "wall_seconds": 12.3,
        "events": EVENTS,
        "profiles": EVENTS,
        "problems": Problems(opened=5, cleared=4, retracted=1, by_kind={"delivery_delay": 5}),
        "contacts": CONTACTS,
        "complaints": Complaints(total=6, reached_first=1, written_about=3),
        "lead_time_hours": LeadTime(p10=1.0, p50=20.0, p90=30.0),
        "late_orders": None,
        "metrics": Recounted(series=77, differing=()),
        "decisions_digest": "d",
        "restarts": {},
        "invented": (),
    }
    return Report(**(values | changes))
