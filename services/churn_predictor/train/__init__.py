"""Fits models from recorded events through the facts and features of the stream; nothing here runs in it."""
