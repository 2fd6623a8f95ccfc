"""Coverage-guided fuzzing of every decoder, and what it has found so far; see `__main__` for how to run it."""
