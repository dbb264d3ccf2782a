"""Playbooks and what holds them: pauses and the volume breaker, looked at and used."""

from uuid import UUID

from sqlalchemy import Connection

from services.outreach import breaker, pauses
from services.outreach.api import actions, views, worklist
from services.outreach.api.actions import Actor, What
from services.outreach.api.asked import Pausing
from services.outreach.api.faults import Kind, Refusal
from services.outreach.breaker import NothingWaits
from services.outreach.knowledge import Rules
from services.outreach.pauses import EVERYTHING, AlreadyPaused, Pause, Scope, Target
from services.outreach.playbook import Playbook


def playbooks(connection: Connection, rules: Rules) -> views.Playbooks:
    """Return every playbook of these rules and how it stands, by name."""
    stands = _standing(connection)
    names = sorted(rules.catalogue)
    return views.Playbooks(items=tuple(_view(rules.catalogue[n], rules, *stands) for n in names))


def playbook(connection: Connection, rules: Rules, name: str) -> views.Playbook:
    """Return one playbook and how it stands.

    Raises:
        Refusal: these rules have none of this name.
    """
    if name not in rules.catalogue:
        raise Refusal(Kind.NOT_FOUND, "There is no playbook of this name: see /v1/playbooks.")
    return _view(rules.catalogue[name], rules, *_standing(connection))


def paused(connection: Connection, *, history: bool) -> views.Pauses:
    """Return what is paused, and with `history` what ever was."""
    found = pauses.history(connection) if history else pauses.open_pauses(connection)
    return views.Pauses(items=tuple(_pause(one) for one in found))


def pause(connection: Connection, asked: Pausing, actor: Actor, rules: Rules) -> views.Paused:
    """Pause something, as soon as the transaction commits.

    Raises:
        Refusal: it is paused already.
    """
    new = Pause(asked.target, actor.at, actor.by, asked.because)
    if pauses.locked(connection, new.pause_id) is not None:
        # Simulated time stands still between ticks.
        raise Refusal(
            Kind.ALREADY_PAUSED, "It was paused at this very instant: say it again later."
        )
    try:
        pauses.pause(connection, new)
    except AlreadyPaused as error:
        since = error.found.since.isoformat(timespec="minutes")
        raise Refusal(Kind.ALREADY_PAUSED, f"{error}, since {since}: resume it first.") from None
    actions.record(connection, actor, What.PAUSED, str(new.pause_id), of=str(new.target))
    is_known = asked.scope is not Scope.PLAYBOOK or asked.name in rules.catalogue
    # Paused all the same: another replica may have it, or be about to.
    return views.Paused(pause=_pause(new), known=is_known)


def resume(connection: Connection, pause_id: UUID, actor: Actor) -> views.Resumed:
    """Let go on what was paused.

    Raises:
        Refusal: there is no such pause.
    """
    before = _locked(connection, pause_id)
    is_open = before.resumed_at is None
    if is_open:
        pauses.resume(connection, before.target, actor.by, actor.at)
        actions.record(connection, actor, What.RESUMED, str(pause_id), of=str(before.target))
    return views.Resumed(pause=_pause(_locked(connection, pause_id)), changed=is_open)


def release(connection: Connection, name: str, contacts: int, actor: Actor) -> views.Released:
    """Let so many more contacts of a playbook out, or, with 0, none of those that are due by now.

    Raises:
        Refusal: the playbook waits for nobody.
    """
    try:
        trip = breaker.resolve(connection, name, contacts, actor.by, actor.at)
    except NothingWaits:
        raise Refusal(Kind.NOTHING_WAITS) from None
    what = What.BREAKER_APPROVED if contacts else What.BREAKER_REJECTED
    actions.record(connection, actor, what, name, contacts=contacts)
    return views.Released(playbook=name, tripped_at=trip.tripped_at, approved=contacts)


_Standing = tuple[frozenset[Target], dict[str, views.HeldPlaybook]]


def _standing(connection: Connection) -> _Standing:
    targets = frozenset(one.target for one in pauses.open_pauses(connection))
    return targets, {one.playbook: one for one in worklist.held(connection)}


def _view(
    known: Playbook,
    rules: Rules,
    paused_: frozenset[Target],
    held: dict[str, views.HeldPlaybook],
) -> views.Playbook:
    return views.Playbook(
        name=known.name,
        version=known.version,
        mode=known.mode,
        mode_in_force=known.mode_in(rules.mode),
        message_class=known.message_class,
        kind=known.trigger.kind,
        tiers=tuple(sorted(known.trigger.tiers, key=lambda tier: tier.rank)),
        contacts_per_day=known.contacts_per_day,
        steps=tuple(
            views.Step(
                name=step.name,
                action=step.action,
                channels=step.ways,
                template=step.template,
                use_by_hours=step.use_by_hours,
                after=step.after,
            )
            for step in known.steps
        ),
        paused=not paused_.isdisjoint({EVERYTHING, Target(Scope.PLAYBOOK, known.name)}),
        held=held.get(known.name),
    )


def _locked(connection: Connection, pause_id: UUID) -> Pause:
    found = pauses.locked(connection, pause_id)
    if found is None:
        raise Refusal(Kind.NOT_FOUND, "There is no pause of this id: see /v1/pauses.")
    return found


def _pause(one: Pause) -> views.Pause:
    return views.Pause(
        pause_id=one.pause_id,
        scope=one.target.scope,
        name=one.target.name,
        since=one.since,
        by=one.by,
        because=one.because,
        resumed_at=one.resumed_at,
        resumed_by=one.resumed_by,
    )
