"""How ids of what we emit are derived, so that a redelivery shows the same id and harms nobody."""

from uuid import UUID, uuid5

_NAMESPACE = UUID("6f0c1f6e-0b0e-5b57-9a52-2f6f6d1c0a11")
_SEPARATOR = "\x1f"


def derive(*parts: str | int) -> UUID:
    """Return the UUID (version 5) that these parts always give, in this order."""
    return uuid5(_NAMESPACE, _SEPARATOR.join(str(part) for part in parts))


def problem_id(customer_id: str, subject: str, kind: str, episode: int) -> UUID:
    """Return the id of the n-th time this went wrong for this customer on this subject."""
    return derive("problem", customer_id, subject, kind, episode)


def step_id(problem: UUID, playbook: str, step: str) -> UUID:
    """Return the id of one playbook step for one problem: at most one send ever carries it."""
    return derive("step", str(problem), playbook, step)
