"""Webhooks of other systems, read as events of ours.  Each mapping is pure; the door is `webhooks`."""
