"""What several tests need to run services for real."""
