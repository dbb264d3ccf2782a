"""PostgreSQL: the programs of a wheel, run by ourselves and, for root, from a copy `nobody` may read."""
