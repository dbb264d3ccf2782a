"""Every secret that the production overlay waits for, made anew, and the broker's and the database's own."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import trustme

from deploy.kubernetes.inspection.objects import Json
from services.contracts.access import OPERATOR, SERVICES, TOPIC_MAKER, user_of
from services.kit import api_keys, key_file
from services.local.kafka.broker import SETTINGS
from tests.support.secured_kafka import ADMIN, identity_of

Files = Mapping[str, str]
USERS = tuple(user_of(principal, "") for principal in (*SERVICES, OPERATOR, TOPIC_MAKER))
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"

_SERVICE_FILE = """[care]
host=postgres
port=5432
dbname=care
user=care
password={password}
"""


def made(folder: Path) -> dict[str, Files]:
    """Return each secret's files by its name.

    Args:
        folder: Where files may be written on the way.
    """
    authority, database = trustme.CA(), secrets.token_hex(16)
    passwords = {user: secrets.token_hex(16) for user in (*USERS, ADMIN)}
    publishing, key = _api_keys(folder, "shop", "publish:*")
    desk, _ = _api_keys(folder, "desk", "outreach:*")
    return {
        **{user: {"password": passwords[user]} for user in USERS},
        "kafka-users": {user: passwords[user] for user in USERS},
        "kafka-admin": {"password": passwords[ADMIN]},
        "kafka-broker": {
            "server.properties": _properties(passwords[ADMIN]),
            "broker.pem": identity_of(authority.issue_cert("kafka")).decode(),
            "authority.pem": authority.cert_pem.bytes().decode(),
        },
        "kafka-cluster-ca-cert": {"ca.crt": authority.cert_pem.bytes().decode()},
        "ingest-api-keys": {"api-keys.json": publishing},
        "shop-key": {"key": key},
        "outreach-api-keys": {"api-keys.json": desk},
        "outreach-database": {"pg_service.conf": _SERVICE_FILE.format(password=database)},
        "outreach-pages": {"secrets": f"{secrets.token_hex(32)}\n"},
        "suppression-keys": {"keys": f"{secrets.token_hex(32)}\n"},
        "postgres": {"password": database},
    }


def as_objects(files: Mapping[str, Files], namespace: str) -> list[Json]:
    """Return the same as objects of Kubernetes."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": dict(content),
        }
        for name, content in files.items()
    ]


def _api_keys(folder: Path, client: str, scope: str) -> tuple[str, str]:
    """Return a file of one key, and the key's text."""
    key, text = api_keys.made(secrets.token_bytes, client, [scope])
    path = folder / f"{client}.json"
    # As fast as the simulated shop is.
    key_file.write(path, [replace(key, events_per_second=1e6, burst=10_000_000)])
    return path.read_text(encoding="utf-8"), text


def _properties(password: str) -> str:
    """Return the settings of a broker on 9093 that takes TLS and passwords, and grants nothing by itself."""
    login = f'{_SCRAM} username="{ADMIN}" password="{password}";'
    told = {
        **SETTINGS,
        "listeners": "SASL_SSL://:9093,CONTROLLER://localhost:9094",
        "advertised.listeners": "SASL_SSL://kafka:9093",
        "controller.quorum.voters": "1@localhost:9094",
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "SASL_SSL",
        "log.dirs": "/var/lib/kafka/data",
        # A node that has much to do must not lose its only broker to its own controller.
        "broker.heartbeat.interval.ms": "2000",
        "broker.session.timeout.ms": "30000",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # The controller listens on loopback alone, to this very process.
        "super.users": f"User:{ADMIN};User:ANONYMOUS",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": "/etc/kafka/own/broker.pem",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": "/etc/kafka/own/authority.pem",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": login,
    }
    return "".join(f"{name}={value}\n" for name, value in told.items())
