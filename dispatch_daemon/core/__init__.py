"""The daemon's decisions, pure: records and events in, effects out; no I/O, no clock, no randomness."""
