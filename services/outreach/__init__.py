"""Decides whether a person should hear from us, sends at most one message about it, and says why."""
