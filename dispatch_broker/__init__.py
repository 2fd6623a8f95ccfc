"""The relay between people's devices: it addresses keys, moves opaque bytes and admits what it sees.

It knows accounts, public chains, edge headers, invitations and mailboxes. It can delay or drop, and both sides
notice; it cannot read, forge, alter or widen, because it never holds a key that could.
"""
