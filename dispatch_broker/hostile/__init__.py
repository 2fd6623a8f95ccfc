"""The relay in the hands of somebody who owns its machine: its database, its clock and its wire. Nobody's relay is this.

`dispatch prove` and the tests start it on loopback to show what a relay's owner can try and what comes of it. Nothing of
the broker is replaced: `wire` sits in its sockets, where every frame passes, and `orders` is the owner's own door,
through which is said what is done to frames and rows.
"""
