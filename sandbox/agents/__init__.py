"""Who decides the calls of a run: `steps` follows a signed list, `model` asks a model what comes next."""
