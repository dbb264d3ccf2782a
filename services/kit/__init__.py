"""Mechanisms without domain words: settings, logs, clocks, Kafka, health.  Imports no service."""
