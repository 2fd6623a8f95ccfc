"""Who is at the other end of a local connection: the user id that the kernel vouches for.

A Unix socket tells it directly. A TCP connection of this machine has a second end on this machine, and the kernel
knows the owner of every end: we ask it for that one end (sock_diag(7)), and where that is forbidden read its whole
table (`/proc/self/net/tcp`), which says the same a hundred times slower.

Two traps: an end that its process has closed is still there with uid 0 and inode 0, so it would pass for root; and a
client may have connected through an IPv6 socket, so that its end stands in another table as a mapped address.
"""

import errno
import socket
import struct
import sys
from pathlib import Path
from typing import Final

from dispatch_protocol.errors import LocalError

End = tuple[str, int]

_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED

# sock_diag(7): nlmsghdr, then inet_diag_req_v2 with its inet_diag_sockid; what an answer holds after that is at
# fixed places. Lengths and numbers are in this machine's byte order, ports and addresses in the network's.
_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_NLMSG_ERROR: Final = 2
_NO_COOKIE: Final = 0xFFFF_FFFF
_ALL_STATES: Final = 0xFFFF_FFFF
_QUESTION: Final = struct.Struct("=IHHII BBBBI 2s2s16s16s III")
_HEADER: Final = struct.Struct("=IHHII i")  # … and, of an error, its negative errno
_ANSWER: Final = struct.Struct("=IHHII 64x II")  # … idiag_uid, idiag_inode

_TABLES: Final = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))
_MAPPED_PREFIX: Final = "0000000000000000FFFF0000"  # ::ffff:0:0/96 in the kernel's word order


def peer_uid(connection: socket.socket) -> int | None:
    """Return the uid of the process at the other end, or None where this system cannot tell.

    Raises `LocalError` (`other_user`) if the system can tell in general and nobody owns this end, and OSError if it
    cannot be asked.
    """
    if connection.family == socket.AF_UNIX:
        return _unix_uid(connection)
    if not sys.platform.startswith("linux"):
        return None
    theirs, ours = connection.getpeername()[:2], connection.getsockname()[:2]
    try:
        uid, inode = ask_kernel(theirs, ours)
    except OSError:
        uid, inode = read_table(theirs, ours)
    if inode == 0:
        raise LocalError("other_user", f"no living process owns the other end {theirs[0]}:{theirs[1]}")
    return uid


def _unix_uid(connection: socket.socket) -> int | None:
    """Ask who connected; the kernel noted it then."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    size = _CREDENTIALS.size
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


def ask_kernel(theirs: End, ours: End) -> tuple[int, int]:
    """Return (uid, inode) of the client's end, which is the one that sees us as remote; (0, 0) if it is gone.

    Raises OSError where the kernel may not be asked or does not answer such questions.
    """
    question = _QUESTION.pack(
        *(_QUESTION.size, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0),
        *(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ALL_STATES),
        *(theirs[1].to_bytes(2, "big"), ours[1].to_bytes(2, "big")),
        *(socket.inet_aton(theirs[0]), socket.inet_aton(ours[0])),
        *(0, _NO_COOKIE, _NO_COOKIE),
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(1)
        kernel.send(question)
        answer = kernel.recv(4096)
    kind = _HEADER.unpack_from(answer)[1]
    if kind == _NLMSG_ERROR and _HEADER.unpack_from(answer)[5] == -errno.ENOENT:
        return 0, 0
    if kind != _SOCK_DIAG_BY_FAMILY:
        raise OSError(errno.EPROTO, "the kernel does not answer such questions")
    *_, uid, inode = _ANSWER.unpack_from(answer)
    return uid, inode


def read_table(theirs: End, ours: End) -> tuple[int, int]:
    """Return the same from the kernel's tables.

    Columns: sl local remote st tx:rx tr:tm retrnsmt uid timeout inode … (proc_net_tcp.txt of the kernel).
    """
    their_end, our_end = _spelled(theirs), _spelled(ours)
    wanted = {(their_end, our_end), (_MAPPED_PREFIX + their_end, _MAPPED_PREFIX + our_end)}
    for table in _TABLES:
        if not table.exists():  # a kernel without IPv6
            continue
        for row in table.read_text("ascii").splitlines():
            columns = row.split(maxsplit=10)
            if tuple(columns[1:3]) in wanted:
                return int(columns[7]), int(columns[9])
    return 0, 0


def _spelled(end: End) -> str:
    """Spell an IPv4 end as the kernel does: the address as one word of this machine's byte order."""
    (word,) = struct.unpack("=I", socket.inet_aton(end[0]))
    return f"{word:08X}:{end[1]:04X}"
