"""Shops that really were: their published files, read as the events a publisher would have told."""
