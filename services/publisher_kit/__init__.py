"""What a publishing team needs before its first event: reads events as the door does, and tries a door."""
