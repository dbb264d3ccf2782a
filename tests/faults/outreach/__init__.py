"""The contact ledger under faults: real processes, real Kafka, PostgreSQL and SMTP, in real time."""
