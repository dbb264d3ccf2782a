"""What the contracts grant, in the words of kafka-python's administration."""

from collections.abc import Iterator

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
)

from services.contracts.access import Grant, Resource

_TYPES = {
    Resource.TOPIC: ResourceType.TOPIC,
    Resource.GROUP: ResourceType.GROUP,
    Resource.TRANSACTIONAL_ID: ResourceType.TRANSACTIONAL_ID,
}


def acls_of(user: str, grant: Grant) -> Iterator[ACL]:
    """Yield one permission for each operation of a grant."""
    kind = ACLResourcePatternType.PREFIXED if grant.is_prefix else ACLResourcePatternType.LITERAL
    for operation in grant.operations:
        yield ACL(
            principal=f"User:{user}",
            host="*",
            operation=ACLOperation[operation.name],
            permission_type=ACLPermissionType.ALLOW,
            resource_pattern=ResourcePattern(_TYPES[grant.resource], grant.name, kind),
        )
