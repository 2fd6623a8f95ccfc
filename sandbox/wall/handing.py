"""The ways out that exist inside: listeners on the loopback, made by the helper and passed to the launcher.

The network namespace has nothing but a loopback, and there an agent looks for its model, and a program for the hosts that
were granted. The helper makes the listening sockets while nothing else runs inside, passes them out over a socket pair it
inherited (SCM_RIGHTS), and closes both: from then on no program inside holds anything that leads out, and what answers at
those ports is a gate outside.
"""

from collections.abc import Sequence

_WAITING = 64


def hand_out(ports: Sequence[int], door: int) -> None:
    """Listen on these ports of the loopback inside and pass the listeners to the launcher, in their order."""
    import contextlib
    import socket  # only a run with a gate pays for it

    with contextlib.ExitStack() as handed:
        out = handed.enter_context(socket.socket(fileno=door))
        listeners = [handed.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in ports]
        for listener, port in zip(listeners, ports, strict=True):
            listener.bind(("127.0.0.1", port))
            listener.listen(_WAITING)
        socket.send_fds(out, [b"."], [listener.fileno() for listener in listeners])
