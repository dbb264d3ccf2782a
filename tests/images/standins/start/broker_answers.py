#!/usr/bin/env python
"""End with 0 where the broker answers: `kafka-broker-api-versions.sh --bootstrap-server HOST:PORT`."""

import sys

from kafka import KafkaAdminClient


def main() -> None:
    """Ask once; raises KafkaError where nobody answers."""
    address = sys.argv[sys.argv.index("--bootstrap-server") + 1]
    KafkaAdminClient(bootstrap_servers=address, bootstrap_timeout_ms=5_000).close()


if __name__ == "__main__":
    main()
