"""Where an agent moves in: its program started beside the helper, on streams of its own."""

import os
from collections.abc import Callable, Mapping, Sequence


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
