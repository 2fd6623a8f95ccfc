"""What Git ignores and what it tracks, read from its files without ever running it."""
