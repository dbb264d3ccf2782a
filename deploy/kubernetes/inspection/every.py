"""All checks of rendered manifests."""

from collections.abc import Callable, Iterator

from deploy.kubernetes.inspection import (
    access,
    network,
    running,
    schemas,
    security,
    settings,
    wiring,
)
from deploy.kubernetes.inspection.objects import Manifests

Check = Callable[[Manifests], Iterator[str]]

FIRST: tuple[Check, ...] = (security.faults, settings.faults)
CHECKS: tuple[Check, ...] = (
    wiring.faults,
    network.faults,
    running.faults,
    access.faults,
)


def faults(manifests: Manifests) -> list[str]:
    """Return everything that is wrong, in words.

    The schemas come first and alone, and after them what pods may do, run and read: the others rely on it.
    """
    unfit = [fault for version in schemas.VERSIONS for fault in schemas.faults(manifests, version)]
    unfit += schemas.operator_faults(manifests)
    for checks in (FIRST, CHECKS):
        unfit = unfit or [fault for check in checks for fault in _found(check, manifests)]
    return unfit


def _found(check: Check, manifests: Manifests) -> Iterator[str]:
    """Yield what a check finds, and last where it cannot go on: Kubernetes lets more be left out."""
    try:
        yield from check(manifests)
    except KeyError as error:
        about = check.__module__.rpartition(".")[2]
        yield f"{about}: is looked at no further, for {error} is left out somewhere: write it out"
