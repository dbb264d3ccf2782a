"""The operations: each asks one question of the database, or does one thing in it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Query, Request

from services.contracts.envelope import CustomerId
from services.kit.api_keys import Key
from services.outreach.api import controls, deciding, settling, timelines, views, worklist
from services.outreach.api.asked import (
    Approving,
    HistoryAsked,
    NeedAsked,
    PageAsked,
    Pausing,
    Resolving,
    Saying,
)
from services.outreach.api.backend import PAUSE_LOCK_SECONDS, Backend
from services.outreach.api.examples import EXAMPLES
from services.outreach.api.faults import Kind, Refusal
from services.outreach.api.openapi import acts, looks
from services.outreach.api.timeline_views import Timeline
from services.outreach.playbook import Name

router = APIRouter(prefix="/v1")


def _backend(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


def _key(request: Request) -> Key:
    key: Key = request.state.key
    return key


Desk = Annotated[Backend, Depends(_backend)]
By = Annotated[Key, Depends(_key)]
Customer = Annotated[CustomerId, Path(examples=["c-1042"])]
Playbook = Annotated[Name, Path(examples=["delivery_late"])]
Id = Annotated[UUID, Path(examples=["5b0f3c52-6f0e-5c4e-9a55-0f6f1d3c2a10"])]


@router.get("/problems", **looks("list_problems"))
def list_problems(desk: Desk, asked: Annotated[NeedAsked, Query()]) -> views.WorkList:
    """Problems that need a person, what is worth most first, and the playbooks that the breaker holds.

    Worth is the risk of a complaint times how far the problem has got (1 at risk, 2 overdue, 3 late); of two
    alike the older one comes first.  What changes its place between two pages may be missed or seen twice.
    """
    with desk.reading() as connection:
        return worklist.work_list(connection, asked, desk.rules.policy.worth.unknown_risk)


@router.post(
    "/problems/{problem_id}/done", **acts("finish_problem", Kind.NOT_FOUND, Kind.NOTHING_TO_DO)
)
def finish_problem(
    desk: Desk, key: By, problem_id: Id, said: Annotated[Saying, Body(examples=EXAMPLES["Saying"])]
) -> views.Done:
    """Say that what of a problem was handed to a person, or was given up, is taken care of.

    Saying it again changes nothing.  A send in doubt is resolved by its own operation.
    """
    with desk.writing() as connection:
        return settling.done(connection, problem_id, desk.actor(key, said.by))


@router.post(
    "/sends/{step_id}/resolve",
    **acts("resolve_send", Kind.NOT_FOUND, Kind.NOT_IN_DOUBT, Kind.RESOLVED_OTHERWISE),
)
def resolve_send(
    desk: Desk,
    key: By,
    step_id: Id,
    said: Annotated[Resolving, Body(examples=EXAMPLES["Resolving"])],
) -> views.Resolved:
    """Say what became of a send that is `unknown`; it is never sent again.

    `sent` counts as a contact from now on.  `not_sent` counts as failed: the customer was told nothing, so
    the problem stays on the list while it is open.  Saying the same again changes nothing, and the first
    word counts.
    """
    with desk.writing() as connection:
        actor = desk.actor(key, said.by)
        return settling.resolve(connection, step_id, said.became, actor, desk.rules)


@router.get("/customers/{customer_id}/timeline", **looks("show_timeline"))
def show_timeline(
    desk: Desk, customer_id: Customer, asked: Annotated[PageAsked, Query()]
) -> Timeline:
    """What is known of one customer, in order of time; empty where nothing is.

    Problems, contacts, decisions, sends, surveys, feedback, consents, and what people of ours said.
    """
    with desk.reading() as connection:
        return timelines.timeline(connection, customer_id, asked)


@router.get("/customers/{customer_id}/why", **looks("explain_customer"))
def explain_customer(
    desk: Desk, customer_id: Customer, asked: Annotated[PageAsked, Query()]
) -> views.Why:
    """Why this customer was, or was not, contacted: each decision with every gate, the latest first."""
    with desk.reading() as connection:
        return deciding.why(connection, customer_id, asked)


@router.get("/decisions/{decision_id}", **looks("show_decision", Kind.NOT_FOUND))
def show_decision(desk: Desk, decision_id: Id) -> views.Decision:
    """One decision with every gate, and what became of it."""
    with desk.reading() as connection:
        found = deciding.decision(connection, decision_id)
    if found is None:
        raise Refusal(Kind.NOT_FOUND, "There is no decision of this id.")
    return found


@router.get("/playbooks", **looks("list_playbooks"))
def list_playbooks(desk: Desk) -> views.Playbooks:
    """The playbooks this replica goes by, and how each stands."""
    with desk.reading() as connection:
        return controls.playbooks(connection, desk.rules)


@router.get("/playbooks/{name}", **looks("show_playbook", Kind.NOT_FOUND))
def show_playbook(desk: Desk, name: Playbook) -> views.Playbook:
    """One playbook, and how it stands."""
    with desk.reading() as connection:
        return controls.playbook(connection, desk.rules, name)


@router.get("/pauses", **looks("list_pauses"))
def list_pauses(desk: Desk, asked: Annotated[HistoryAsked, Query()]) -> views.Pauses:
    """What is paused, since when, by whom and why."""
    with desk.reading() as connection:
        return controls.paused(connection, history=asked.history)


@router.post("/pauses", **acts("pause", Kind.ALREADY_PAUSED, status=201))
def pause(
    desk: Desk, key: By, asked: Annotated[Pausing, Body(examples=EXAMPLES["Pausing"])]
) -> views.Paused:
    """Stop sending: everything, one playbook, or one channel, in every replica.

    Nothing more is started once this is answered; what is under way is finished.  Answered within
    milliseconds, or within 20 seconds where a replica is frozen just then.
    """
    with desk.writing(PAUSE_LOCK_SECONDS) as connection:
        return controls.pause(connection, asked, desk.actor(key, asked.by), desk.rules)


@router.post("/pauses/{pause_id}/resume", **acts("resume", Kind.NOT_FOUND))
def resume(
    desk: Desk, key: By, pause_id: Id, said: Annotated[Saying, Body(examples=EXAMPLES["Saying"])]
) -> views.Resumed:
    """Let go on what was paused; what waited is judged again.  Saying it again changes nothing."""
    with desk.writing() as connection:
        return controls.resume(connection, pause_id, desk.actor(key, said.by))


@router.get("/breaker", **looks("list_held"))
def list_held(desk: Desk) -> views.Breaker:
    """The playbooks that wanted to write more than is usual, and wait for a person."""
    with desk.reading() as connection:
        return views.Breaker(items=worklist.held(connection))


@router.post("/breaker/{playbook}/approve", **acts("approve", Kind.NOTHING_WAITS))
def approve(
    desk: Desk,
    key: By,
    playbook: Playbook,
    said: Annotated[Approving, Body(examples=EXAMPLES["Approving"])],
) -> views.Released:
    """Let so many more contacts of a playbook out within the next 24 hours; each is asked again."""
    with desk.writing() as connection:
        return controls.release(connection, playbook, said.contacts, desk.actor(key, said.by))


@router.post("/breaker/{playbook}/reject", **acts("reject", Kind.NOTHING_WAITS))
def reject(
    desk: Desk,
    key: By,
    playbook: Playbook,
    said: Annotated[Saying, Body(examples=EXAMPLES["Saying"])],
) -> views.Released:
    """Let none of the contacts of a playbook out that are due by now."""
    with desk.writing() as connection:
        return controls.release(connection, playbook, 0, desk.actor(key, said.by))
