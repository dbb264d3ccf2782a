"""Notices, per customer, that something promised is not happening.  A pure core hosted by Faust."""
