"""Where an agent moves in: its program started beside the helper, and the listener for its model handed out.

The network namespace has nothing but a loopback, and that is where the agent looks for its model. The helper makes the
listening socket while nothing else runs inside, passes it out over a socket pair it inherited (SCM_RIGHTS), and closes
both: from then on no program inside holds anything that leads out, and what answers at that port is a gate outside.
"""

import os
from collections.abc import Callable, Mapping, Sequence

_WAITING = 64


def hand_out(port: int, door: int) -> None:
    """Listen on the loopback inside and pass the listener to the launcher."""
    import socket  # only a run with a gate pays for it

    with socket.socket(fileno=door) as out, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen(_WAITING)
        socket.send_fds(out, [b"."], [listener.fileno()])


def move_in(
    argv: Sequence[str], environment: Mapping[str, str], streams: Sequence[int], confine: Callable[[], None]
) -> None:
    """Start the agent's program on its own streams and let go of them; its end is told by their end.

    It enters a Landlock domain of its own, so it can neither read the helper's memory nor signal it. A program that
    cannot be started says so on its own standard error, as a shell would.
    """
    import subprocess

    hears, says, errors = streams[:3]
    try:
        subprocess.Popen(
            list(argv),
            stdin=hears,
            stdout=says,
            stderr=errors,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=confine,  # noqa: PLW1509 - the helper has one thread
        )
    except (OSError, subprocess.SubprocessError) as problem:
        os.write(errors, f"{argv[0]} cannot be started: {problem}\n".encode("utf-8", "replace"))
    finally:
        for stream in (hears, says, errors):
            os.close(stream)
