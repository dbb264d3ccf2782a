"""Alembic migrations of the outreach database."""
