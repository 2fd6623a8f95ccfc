"""Who is at the other end of a local connection: the user id that the kernel vouches for.

A Unix socket tells it directly. A TCP connection of this machine has a second end on this machine, and
`/proc/self/net/tcp` names the owner of every end. Two traps: an end that its process has closed stays in the table
with uid 0 and inode 0, so it would pass for root; and a client may have connected through an IPv6 socket, so that
its end stands in the other table, as a mapped address.
"""

import socket
import struct
import sys
from pathlib import Path
from typing import Final

from dispatch_protocol.errors import LocalError

_TABLES: Final = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))
_MAPPED_PREFIX: Final = "0000000000000000FFFF0000"  # ::ffff:0:0/96 in the kernel's word order
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED


def peer_uid(connection: socket.socket) -> int | None:
    """Return the uid of the process at the other end, or None where this system cannot tell.

    Raises `LocalError` (`peer_unknown`) if the system can tell in general and this end has no owner.
    """
    if connection.family == socket.AF_UNIX:
        return _unix_uid(connection)
    if not sys.platform.startswith("linux"):
        return None
    return _tcp_uid(connection.getpeername()[:2], connection.getsockname()[:2])


def _unix_uid(connection: socket.socket) -> int | None:
    """Ask the kernel who connected."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    size = _CREDENTIALS.size
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


def _tcp_uid(theirs: tuple[str, int], ours: tuple[str, int]) -> int:
    """Find the row of the client's end, which is the one that sees us as remote.

    Columns: sl local rem st tx:rx tr:tm retrnsmt uid timeout inode … (proc_net_tcp.txt of the kernel).
    """
    their_end, our_end = _spelled(theirs), _spelled(ours)
    wanted = {(their_end, our_end), (_MAPPED_PREFIX + their_end, _MAPPED_PREFIX + our_end)}
    for table in _TABLES:
        try:
            rows = table.read_text("ascii").splitlines()
        except FileNotFoundError:  # a kernel without IPv6
            continue
        for row in rows:
            columns = row.split(maxsplit=10)
            if tuple(columns[1:3]) in wanted and columns[9] != "0":
                return int(columns[7])
    raise LocalError("peer_unknown", f"no living process owns the other end {theirs[0]}:{theirs[1]}")


def _spelled(end: tuple[str, int]) -> str:
    """Spell an IPv4 end as the kernel does: the address as one word of this machine's byte order."""
    (word,) = struct.unpack("=I", socket.inet_aton(end[0]))
    return f"{word:08X}:{end[1]:04X}"
