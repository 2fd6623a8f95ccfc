"""Everything of the broker that touches the world: sockets, files, the clock, chance."""
