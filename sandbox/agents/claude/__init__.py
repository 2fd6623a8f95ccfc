"""Claude Code, whole inside the wall: its command line, and a client of our own that sees each of its calls."""
