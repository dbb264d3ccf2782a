"""The independent verifier: what should have come of the records on the topics, and whether it did.

It shares the contracts with the services and nothing else, and computes in another way than they do.
"""
