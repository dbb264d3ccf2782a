"""An independent recount: from the topics to what the metrics service should say.

It shares the contracts with the metrics service and nothing else: it reads everything at once, keeps
whole events and counts them at the end, where the service folds one record at a time.
"""
