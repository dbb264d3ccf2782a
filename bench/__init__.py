"""What is measured against whom, and the scripts that do it."""
