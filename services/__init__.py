"""Proactive care: services that meet only on Kafka topics."""
