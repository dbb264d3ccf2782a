"""The demo: a simulated or recorded shop, its time, its letter box, and the report of what happened."""
