"""The ways a sandbox can refuse or fail, sorted by what the owner of the machine can do about them.

Every error carries a stable `code` for programs, a `detail` that says what happened, and a `remedy` that says
what to do next, naming the exact command where there is one. Nothing here is ever answered by running
without the wall: an error means that nothing ran, or that what ran was killed.
"""


class SandboxError(Exception):
    """Anything that kept a run from starting or from going on.

    Args:
        code: A stable word of the closed list in this package's documentation, such as `no_sandbox`.
        detail: One sentence about this very case.
        remedy: What to do about it, empty when there is nothing to do.
    """

    code: str
    detail: str
    remedy: str

    def __init__(self, code: str, detail: str, remedy: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.remedy = remedy


class NoSandboxError(SandboxError):
    """This machine cannot build the wall, so nothing may run."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__("no_sandbox", detail, remedy)


class PathRefusedError(SandboxError):
    """A granted path or a run directory must not be opened to a run."""


class LimitExceededError(SandboxError):
    """A run went over one of its limits and was killed; `code` is the limit's name."""


class HelperError(SandboxError):
    """The helper inside died or spoke out of turn; whatever it said is not believed."""


class StepsError(SandboxError):
    """A list of steps is not one that could ever be run as written."""

    def __init__(self, detail: str) -> None:
        super().__init__("steps_invalid", detail, "Correct the steps and send them again.")


class SessionError(SandboxError):
    """What an agent was given to take up again is no session of its own."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "session_invalid", f"The session cannot be taken up: {detail}.", "Discard it, and ask again."
        )


class ChangesetError(SandboxError):
    """What a run left behind cannot be read, compared or applied."""
