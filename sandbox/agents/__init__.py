"""Who decides the calls of a run. Today one agent exists: `steps`, which follows a signed list."""
