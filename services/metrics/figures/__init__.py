"""What is counted, one family of figures a module; each folds events and keeps what it must remember."""
