"""What a playbook may wait for, beside the problem's end and the customer's own word.  Pure."""

from enum import StrEnum


class Signal(StrEnum):
    """What may come while a step waits."""

    NOT_HELPED = "not_helped"
    """The customer said on their page that a message of this playbook about this problem did not help."""
    WORSENED = "worsened"
    """The problem has got further than every tier that makes the playbook due."""
