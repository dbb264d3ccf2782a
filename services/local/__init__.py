"""Apache Kafka and PostgreSQL on this machine without Docker, for the demo, the tests and local work."""
