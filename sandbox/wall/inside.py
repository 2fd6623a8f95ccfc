"""The helper: the one program of ours inside the wall, which runs the tools and says what came of them.

It is started by bubblewrap as `python -I -S -B` from a zip file that holds nothing but this package, reads its
brief and then one call a line. Before the first call it makes itself unreadable to everything else inside (not
dumpable), takes its limits, and enters a Landlock domain; each program that Bash runs enters a further one.
Without both, a program could write the helper's memory through `/proc/PID/mem` and forge calls and results.

It has one thread and runs one call at a time, so that a child forked between two instructions is always safe.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, BinaryIO

from sandbox.tools import bash, edit, glob, grep, inputs, read, write
from sandbox.tools.workplace import Outcome, ToolError, Workplace
from sandbox.wall import handing, landlock, residence, speech
from sandbox.wall.brief import Brief

TOOLS: dict[str, Callable[[Mapping[str, Any], Workplace], Outcome]] = {
    "Read": read.run,
    "Glob": glob.run,
    "Grep": grep.run,
    "Write": write.run,
    "Edit": edit.run,
    "Bash": bash.run,
}
SEARCH_TIMEOUT_S = 60
_PR_SET_DUMPABLE = 4


class _TooSlowError(Exception):
    """A tool other than Bash took longer than any honest use of it."""


def main() -> None:
    """Take the brief, raise the second wall, then answer calls until the input ends."""
    incoming, outgoing, streams = _take_channel()
    brief = Brief.decode(incoming.readline())
    os.umask(0o022)  # not the launcher's, which may be one for secrets
    _hide()
    _limit(brief)
    if brief.ports:
        handing.hand_out(brief.ports, streams[-1])
    ruleset = _confine(brief)
    workplace = Workplace(
        cwd=brief.cwd,
        output_bytes=brief.output_bytes,
        kept=brief.kept,
        environment=brief.environment,
        confine=lambda: None if ruleset is None else landlock.restrict(ruleset),
    )
    os.chdir(brief.cwd)
    if brief.program:
        residence.move_in(brief.program, brief.program_environment, streams, workplace.confine)
    _say(outgoing, speech.encode_ready(0 if ruleset is None else landlock.abi()))
    for line in incoming:
        _say(outgoing, _answer(line, brief, workplace))


def _take_channel() -> tuple[BinaryIO, BinaryIO, tuple[int, ...]]:
    """Take the channel by the numbers on the command line, and keep it from everything that is started later."""
    hears, says, *streams = (int(number) for number in sys.argv[1:])
    for descriptor in (hears, says, *streams):
        os.set_inheritable(descriptor, False)
    return os.fdopen(hears, "rb"), os.fdopen(says, "wb"), tuple(streams)


def _hide() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the helper cannot be made non-dumpable")


def _limit(brief: Brief) -> None:
    """Take each limit, or the one already set where that is lower."""
    for name, soft, hard in brief.rlimits:
        number = getattr(resource, name)
        ceiling = resource.getrlimit(number)[1]
        highest = hard if ceiling == resource.RLIM_INFINITY else min(hard, ceiling)
        resource.setrlimit(number, (min(soft, highest), highest))


def _confine(brief: Brief) -> int | None:
    """Enter a Landlock domain and return its ruleset for the children; None where the kernel has none."""
    version = landlock.abi()
    if version == 0:
        return None
    ruleset = landlock.create_ruleset(version, brief.rules)
    landlock.restrict(ruleset)
    return ruleset


def _answer(line: bytes, brief: Brief, workplace: Workplace) -> bytes:
    """Answer one request of the launcher, whose words are trusted to be well formed."""
    request = speech.decode_request(line)
    if "list" in request:
        return speech.encode_names(_scratch_names(brief))
    return speech.encode_result(
        request["call"], run_tool(request["tool"], request["input"], brief.tools, workplace)
    )


def run_tool(tool: str, given: Mapping[str, Any], granted: tuple[str, ...], workplace: Workplace) -> Outcome:
    """Run one call if its tool is granted and its input fits; every failure becomes an outcome."""
    if tool not in granted:
        return Outcome(ok=False, output="", error=f"the tool {tool} is not granted")
    try:
        inputs.check(tool, given)
        with _bounded(SEARCH_TIMEOUT_S if tool != "Bash" else 0):
            return TOOLS[tool](given, workplace)
    except (inputs.InputError, ToolError) as error:
        return Outcome(ok=False, output="", error=str(error))
    except _TooSlowError:
        return Outcome(ok=False, output="", error=f"{tool} took longer than {SEARCH_TIMEOUT_S} s")
    except MemoryError:
        return Outcome(ok=False, output="", error=f"{tool} needs more memory than the run has")


@contextlib.contextmanager
def _bounded(seconds: int) -> Any:
    """Bound a tool in time; the regular expression engine looks at signals while it works. 0 is no bound."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TooSlowError

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def _scratch_names(brief: Brief) -> list[str]:
    """Name the files on scratch, which the run may believe it made for good."""
    names: list[str] = []
    for top in brief.scratch:
        for directory, _, files in os.walk(top):
            names += [os.path.join(directory, name) for name in sorted(files)]
            if len(names) > speech.MAX_NAMES:
                return names
    return names


def _say(outgoing: BinaryIO, line: bytes) -> None:
    outgoing.write(line)
    outgoing.flush()


if __name__ == "__main__":
    main()
    sys.exit(0)
