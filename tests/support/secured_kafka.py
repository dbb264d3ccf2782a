"""Apache Kafka as in production: TLS, SCRAM users, and nothing allowed that is not granted."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from kafka.admin import (
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialUpsertion,
)

from services.contracts.access import Grant, Operation, grants, user_of
from services.local import folders
from services.local.kafka.broker import SETTINGS, Broker
from services.local.kafka.jars import class_path, locked_jars
from services.local.leftovers import Ledger
from services.local.ports import LOOPBACK
from tests.support.kafka_grants import acls_of

ADMIN = "admin"
_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256")
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"


class SecuredBroker(Broker):
    """A broker with one way in, by `listener`, and one user who may do everything."""

    def __init__(self, ledger: Ledger, class_path: str, listener: str, host: str) -> None:
        super().__init__(ledger, class_path)
        self.listener = listener
        self.authority = trustme.CA()
        self.password = uuid4().hex
        self._host = host

    def _settings(self) -> dict[str, str]:
        own = self.authority.issue_cert(self._host, common_name=ADMIN)
        identity = self._pem("broker.pem", identity_of(own))
        authority = self._pem("authority.pem", self.authority.cert_pem.bytes())
        return {
            **SETTINGS,
            "listener.security.protocol.map": f"{self.listener}:{self.listener},CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": self.listener,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # The controller listens on loopback alone, to this very process.
            "super.users": f"User:{ADMIN};User:ANONYMOUS",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(identity),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority),
            "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
            **(self._scram() if self.listener == "SASL_SSL" else {"ssl.client.auth": "required"}),
        }

    def _scram(self) -> dict[str, str]:
        login = f'{_SCRAM} username="{ADMIN}" password="{self.password}";'
        entry = f"listener.name.{self.listener.lower()}"
        return {
            "sasl.enabled.mechanisms": ",".join(_MECHANISMS),
            "sasl.mechanism.inter.broker.protocol": _MECHANISMS[0],
            **{f"{entry}.{each.lower()}.sasl.jaas.config": login for each in _MECHANISMS},
        }

    def _format_options(self) -> tuple[str, ...]:
        told = f"{_MECHANISMS[0]}=[name={ADMIN},password={self.password}]"
        return ("--add-scram", told)

    def _pem(self, name: str, *blobs: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(b"".join(blobs))
        return path


def identity_of(issued: trustme.LeafCert) -> bytes:
    """Return key and chain of a server, as Kafka reads them."""
    return b"".join((_key_of(issued), *_chain_of(issued)))


def _key_of(issued: trustme.LeafCert) -> bytes:
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    # The only form of a key that Kafka reads.
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _chain_of(issued: trustme.LeafCert) -> Iterable[bytes]:
    return (blob.bytes() for blob in issued.cert_chain_pems)


@dataclass(frozen=True, slots=True)
class SecuredKafka:
    """A running one, and what its clients are told."""

    broker: SecuredBroker
    folder: Path

    @property
    def bootstrap(self) -> str:
        """Its address."""
        return self.broker.bootstrap

    def environment(self, user: str = ADMIN, password: str | None = None) -> dict[str, str]:
        """Return the settings of a process of this user, as in production."""
        told = {
            "CARE_DEPLOYMENT": "production",
            "KAFKA_SECURITY_PROTOCOL": self.broker.listener,
            "KAFKA_SSL_CA_FILE": str(
                self._written("ca.pem", self.broker.authority.cert_pem.bytes())
            ),
        }
        if self.broker.listener == "SASL_SSL":
            secret = (self.broker.password if password is None else password).encode()
            told["KAFKA_SASL_USERNAME"] = user
            told["KAFKA_SASL_PASSWORD_FILE"] = str(self._written(f"{user}.password", secret))
            return told
        own = self.broker.authority.issue_cert(f"{user}.test", common_name=user)
        key, chain = _key_of(own), b"".join(_chain_of(own))
        told["KAFKA_SSL_CERTIFICATE_FILE"] = str(self._written(f"{user}.pem", chain))
        told["KAFKA_SSL_KEY_FILE"] = str(self._written(f"{user}.key", key))
        return told

    def add_user(self, user: str, password: str, mechanism: str = _MECHANISMS[0]) -> None:
        """Make a user, or give one another password."""
        with self._admin() as admin:
            told = UserScramCredentialUpsertion(user, mechanism, password)
            assert admin.alter_user_scram_credentials([told]) == {user: None}

    def admit(
        self, principal: str, prefix: str, but: Callable[[Grant], bool] = lambda _: False
    ) -> dict[str, str]:
        """Make a principal's user with what it needs, without some; return the process's settings."""
        user, password = user_of(principal, prefix), uuid4().hex
        self.add_user(user, password)
        wanted = [grant for grant in grants(principal, prefix) if not but(grant)]
        with self._admin() as admin:
            made = admin.create_acls([acl for grant in wanted for acl in acls_of(user, grant)])
        assert not made["failed"]
        return self.environment(user, password)

    def revoke(self, user: str, operation: Operation, topic: str) -> None:
        """Take one permission on a topic from a user."""
        pattern = ResourcePatternFilter(ResourceType.TOPIC, topic, ACLResourcePatternType.LITERAL)
        with self._admin() as admin:
            one = ACLFilter(
                principal=f"User:{user}",
                host="*",
                operation=ACLOperation[operation.name],
                permission_type=ACLPermissionType.ALLOW,
                resource_pattern=pattern,
            )
            ((_, gone, _),) = admin.delete_acls([one])
        assert gone

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        admin = KafkaAdminClient(
            bootstrap_servers=self.bootstrap,
            security_protocol=self.broker.listener,
            ssl_cafile=str(self._written("ca.pem", self.broker.authority.cert_pem.bytes())),
            sasl_mechanism=_MECHANISMS[0],
            sasl_plain_username=ADMIN,
            sasl_plain_password=self.broker.password,
        )
        with closing(admin):
            yield admin

    def _written(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path


@contextmanager
def secured(
    folder: Path, listener: str = "SASL_SSL", host: str = LOOPBACK
) -> Iterator[SecuredKafka]:
    """Yield a secured Kafka that is gone afterwards; `host` is whom its certificate vouches for."""
    jars = class_path(folders.cache_folder() / "kafka", locked_jars(), lambda _: None)
    with folders.fresh(None) as ledger:
        broker = SecuredBroker(ledger, jars, listener, host)
        try:
            broker.start()
            yield SecuredKafka(broker, folder)
        finally:
            broker.stop()


def tell_this_process(told: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be the one that is told so."""
    for name, value in told.items():
        monkeypatch.setenv(name, value)
