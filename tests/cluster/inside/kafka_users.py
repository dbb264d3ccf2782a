"""Makes each Kafka user with its pod's password, and grants it what the contracts say.  Runs in a pod.

This is what Strimzi's user operator does with the KafkaUser objects, where there is one.
"""

import os
from contextlib import closing
from pathlib import Path

from kafka.admin import UserScramCredentialUpsertion

from services.contracts.access import OPERATOR, SERVICES, TOPIC_MAKER, grants, user_of
from services.kit.kafka_clients import open_admin
from tests.support.kafka_grants import acls_of

PASSWORDS = Path("/etc/care/users")
MECHANISM = "SCRAM-SHA-512"


def main() -> None:
    """Make them all; what is there already is left as it is."""
    with closing(open_admin(os.environ["KAFKA_BOOTSTRAP_SERVERS"])) as admin:
        for principal in (*SERVICES, OPERATOR, TOPIC_MAKER):
            user = user_of(principal, "")
            password = (PASSWORDS / user).read_text(encoding="utf-8")
            told = UserScramCredentialUpsertion(user, MECHANISM, password)
            assert admin.alter_user_scram_credentials([told]) == {user: None}, user
            acls = [acl for grant in grants(principal, "") for acl in acls_of(user, grant)]
            assert not admin.create_acls(acls)["failed"], user
            print(f"{user}: {len(acls)} permissions", flush=True)


if __name__ == "__main__":
    main()
