"""HTTP in, topics out: validates what publishers send and answers 202 once the broker has it."""
