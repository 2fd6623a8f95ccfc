"""The real broker in the hands of somebody who owns its machine: its database, its TLS key, its clock and its wire.

`__main__` is the program. Nothing of the broker is replaced: `wire` sits in its sockets, where every frame passes,
and `orders` is the owner's own door, through which a test says what is done to frames and rows. `owner` is the
test's side of that door.
"""
