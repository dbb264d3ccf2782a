"""What others may rely on: events, topics, metric names, schemas and examples.  Imports nothing of ours."""
