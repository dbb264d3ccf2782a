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

CHECKS: tuple[Check, ...] = (
    security.faults,
    settings.faults,
    wiring.faults,
    network.faults,
    running.faults,
    access.faults,
)


def faults(manifests: Manifests) -> list[str]:
    """Return everything that is wrong, in words; the schemas first, since the others rely on them."""
    unfit = [fault for version in schemas.VERSIONS for fault in schemas.faults(manifests, version)]
    unfit += schemas.operator_faults(manifests)
    return unfit or [fault for check in CHECKS for fault in check(manifests)]
