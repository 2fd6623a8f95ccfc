"""The running daemon: it loads what a decision needs, asks `core`, and performs the effects in one place."""
