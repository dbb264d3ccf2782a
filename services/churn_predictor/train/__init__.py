"""Risk models from records: never imported by the stream."""
