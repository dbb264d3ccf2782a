"""What a publishing team needs before its first event: its own events read as the door reads them, and
samples of every kind sent to a door."""
