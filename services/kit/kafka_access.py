"""Whether the broker lets this service do what it will have to, asked before it begins."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    NotCoordinatorError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
    TransactionalIdNotFoundError,
)
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from services.contracts.access import Grant, Operation, Resource, grants
from services.kit import kafka_security
from services.kit.exits import Unavailable
from services.kit.kafka_clients import open_admin, reaching

_PATIENCE_SECONDS = 30.0
"""How long a coordinator may take to be found."""


def check_access(bootstrap: str, service: str, prefix: str = "") -> None:
    """Return once it is sure that nothing this service needs is refused to its Kafka user.

    A broker without an authorizer refuses nothing.

    Raises:
        Unavailable: no broker answers, or something is refused; the message names all of it.
    """
    wanted = grants(service, prefix)
    with closing(open_admin(bootstrap)) as client, reaching(bootstrap):
        refused = [
            *_on_topics(client, _only(wanted, Resource.TOPIC)),
            *_on_groups(client, _only(wanted, Resource.GROUP)),
            *_on_ids(client, _only(wanted, Resource.TRANSACTIONAL_ID)),
        ]
    if refused:
        raise Unavailable(
            f"{kafka_security.user()} may not {'; '.join(refused)}: grant it; `care topics acls "
            f"--for {service}` prints all that {service} needs"
        )


def _only(wanted: Sequence[Grant], resource: Resource) -> list[Grant]:
    return [grant for grant in wanted if grant.resource is resource]


def _on_topics(client: Any, wanted: Sequence[Grant]) -> Iterator[str]:
    described = client.describe_topics([grant.name for grant in wanted])
    found = {topic["name"]: topic for topic in described}
    for grant in wanted:
        topic = found[grant.name]
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            yield from (_said(operation, grant) for operation in grant.operations)
        elif not topic["error_code"]:
            yield from _missing(grant, topic["authorized_operations"])


def _on_groups(client: Any, wanted: Sequence[Grant]) -> Iterator[str]:
    for grant in wanted:
        # Whoever may read a group may look at it: one answer for both.
        try:
            found = _asked(client.describe_groups, grant.name)[grant.name]
        except GroupAuthorizationFailedError:
            yield from (_said(operation, grant) for operation in grant.operations)
            continue
        yield from _missing(grant, found["authorized_operations"])


def _on_ids(client: Any, wanted: Sequence[Grant]) -> Iterator[str]:
    for grant in wanted:
        name = f"{grant.name}0" if grant.is_prefix else grant.name
        try:
            _asked(client.describe_transactions, name)
        except TransactionalIdAuthorizationFailedError:
            yield from (_said(operation, grant) for operation in grant.operations)
        except TransactionalIdNotFoundError:
            pass


def _missing(grant: Grant, told: Iterable[str] | None) -> Iterator[str]:
    """Yield what is wanted and not in what the broker told; None: it does not tell."""
    if told is not None:
        allowed = {name.casefold() for name in told}
        yield from (_said(o, grant) for o in grant.operations if o.casefold() not in allowed)


def _asked(ask: Callable[[list[str]], Any], name: str) -> Any:
    """Ask again while the name's coordinator is not there: on a new cluster the first question makes it."""
    again = Retrying(
        retry=retry_if_exception_type(
            (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError)
        ),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(_PATIENCE_SECONDS),
        reraise=True,
    )
    return again(ask, [name])


def _said(operation: Operation, grant: Grant) -> str:
    more = "*" if grant.is_prefix else ""
    return f"{operation} {grant.resource} {grant.name}{more}"
