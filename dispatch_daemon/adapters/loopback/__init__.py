"""The daemon's local door: HTTP on a Unix socket and on 127.0.0.1, for programs of the same user only.

`guard` and `peer` decide who may speak, `routes` and `models` what may be said, `exchange` reads one request and
writes one answer, `events` streams changes, `openapi` describes it all, `server` opens and closes the door.
"""
