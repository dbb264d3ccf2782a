"""The command line: `care …`.  Thin: each command reads its options, calls a room, and tells the outcome."""
