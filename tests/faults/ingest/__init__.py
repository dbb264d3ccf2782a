"""What publishers, strangers and the broker do to ingest, and whether it keeps its word meanwhile."""
