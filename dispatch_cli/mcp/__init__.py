"""`dispatch-mcp`: the door for an agent session, five tools over standard input and output."""
