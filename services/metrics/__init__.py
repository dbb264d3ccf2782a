"""Is care before the complaint?  Folds the topics into Prometheus series; writes to no topic."""
