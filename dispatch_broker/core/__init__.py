"""The broker's decisions, pure: facts in, refusals or effects out; no I/O, no clock, no randomness."""
