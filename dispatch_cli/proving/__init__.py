"""`dispatch prove`: attacks on the relay's side and on the wall, played on this machine, each beside its control.

`relay` and `wall` are the two tables of attacks; `town` is the relay and the people they are played on, `attempt` what
came of one.
"""
