"""The keeper of one tool server: it starts it, and when its end has come leaves nothing of it behind.

A program that is started for somebody else's task must not outlive that task, whatever it has started itself: children that
made sessions of their own, daemons that let themselves be adopted. So this small process stands between the daemon and the
server. On Linux it is the one that adopts all of them (PR_SET_CHILD_SUBREAPER), and so can find and end each. It holds the
one end of a pipe whose other end only the daemon has: however the daemon ends, the pipe does, and the keeper acts.

It is run as a file by an isolated interpreter, needs no module of ours, and passes on its own standard streams untouched.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys

_ADOPT = 36  # PR_SET_CHILD_SUBREAPER
_NOT_FOUND = 127


def main(lifeline: int, argv: list[str]) -> int:
    """Start the server and keep it until it ends or the lifeline does; return how it ended."""
    woken = _wake_on_children()
    os.set_inheritable(lifeline, False)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_ADOPT, 1, 0, 0, 0)
    try:
        usual = [signal.SIGTERM, signal.SIGINT, signal.SIGPIPE]
        server = os.posix_spawn(argv[0], argv, os.environ, setsigdef=usual)
    except OSError as problem:
        os.write(2, f"{argv[0]} cannot be started: {problem.strerror}\n".encode("utf-8", "replace"))
        return _NOT_FOUND
    for stream in (0, 1):
        os.close(stream)  # the server's alone: its end must be seen as the end of these
    code = _watch(server, lifeline, woken)
    _end_all()
    return code


def _wake_on_children() -> int:
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is the lifeline that ends it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return woken


def _watch(server: int, lifeline: int, woken: int) -> int:
    poll = select.poll()
    poll.register(lifeline, select.POLLIN | select.POLLHUP)
    poll.register(woken, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == lifeline:
                return 0
            os.read(woken, 4096)
            with contextlib.suppress(ChildProcessError):
                while True:
                    ended, status = os.waitpid(-1, os.WNOHANG)
                    if ended == 0:
                        break
                    if ended == server:
                        return os.waitstatus_to_exitcode(status) & 0xFF


def _end_all() -> None:
    """End every descendant: whoever loses its parent becomes a child of ours, so this ends when there is none."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for child in _children():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> list[int]:
    """Return the children of this process; where the kernel does not list them, the members of its process group."""
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children", encoding="ascii") as file:
            return [int(each) for each in file.read().split()]
    except OSError:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        os.killpg(own, signal.SIGKILL)
        return []


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
