"""A member of a consumer group that has a name of its own, and keeps its partitions over a restart.

A broker gives whoever joins under the name of a member that member's place: its partitions, and no rebalance.
aiokafka 0.14 joins with the name and beats without it, so who was put out so is told only that it is unknown,
as after too long a silence, and would join again: two of one name would put each other out for ever.  It does
the same where the group has gone on to another generation, and by itself where nothing was fetched for
`max.poll.interval.ms`.
"""

from collections.abc import Callable
from typing import Any

from services.kit.watchdog import end_process

_NEVER_JOINED = 0


def end_once_unknown(coordinator: Any, name: str, end: Callable[[str], None] = end_process) -> None:
    """Let a member end its process, code 75, where it would join its group again as somebody new.

    Nothing is lost by it: what is not committed is read again, by whoever has the partitions.

    Args:
        coordinator: aiokafka's `GroupCoordinator` of a consumer that was started.
        name: The member's own, its `group.instance.id`.
        end: Called with a line for the operator; does not come back, but in tests.
    """
    forget = coordinator.reset_generation

    def end_or_forget() -> None:
        is_leaving = coordinator._closing.done()  # noqa: SLF001 - it has no other word for it
        if not is_leaving and coordinator.generation > _NEVER_JOINED:
            end(
                f"no longer the group's member {name}: another process has joined under this name, or the "
                "group went on without this one, which was silent or busy for too long; nothing is lost, "
                "start this one again if it is the only one of its name"
            )
        forget()

    coordinator.reset_generation = end_or_forget
