"""Apache Kafka: its jars, fetched by jgo and checked against the lock, and a broker of one node."""
