"""What can be said of steps before they are signed: a call that no machine could make is refused where it is written."""

from collections.abc import Iterable, Mapping

from dispatch_daemon.adapters.executor.run_spec import WallError
from dispatch_protocol.encoding import JSON
from sandbox.tools import inputs

_SERVERS = "mcp__"  # tools of the recipient's servers, of which nobody else knows


def foresee(steps: Iterable[tuple[str, Mapping[str, JSON]]]) -> None:
    """Check the tools and inputs of steps as the box of the recipient will.

    Raises:
        WallError: `steps_invalid`: one calls a tool that does not exist, or in a way in which it cannot be called.
    """
    for number, (tool, given) in enumerate(steps, start=1):
        if tool.startswith(_SERVERS):
            continue
        try:
            inputs.check(tool, given)
        except inputs.InputError as error:
            there = "" if tool in inputs.INPUTS else f"; there are {', '.join(sorted(inputs.INPUTS))}"
            raise WallError(
                "steps_invalid", f"step {number}: {error}{there}", "dispatch send --help"
            ) from None
