"""Which partition a customer's story lies in."""

import pytest

from services.kit.kafka_clients import partition_of


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        # Expected values of Apache Kafka's own test of its murmur2.
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
@pytest.mark.parametrize("partitions", [1, 4, 12])
def test_it_is_kafkas_default(key: bytes, hashed: int, partitions: int) -> None:
    """Positive part of murmur2, modulo: `DefaultPartitioner` of the Java client."""
    assert partition_of(key, partitions) == (hashed & 0x7FFFFFFF) % partitions
