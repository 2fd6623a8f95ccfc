"""The one refusal of the daemon's own decisions; the door turns it into a problem document."""

from collections.abc import Sequence


class ServiceError(Exception):
    """A request that the daemon understood and will not carry out.

    `code` is a stable word of `dispatch_protocol.loopback`, which gives its HTTP status and exit code.
    `detail` says what happened and why; `hint` is the next command to type.
    """

    def __init__(
        self, code: str, detail: str, *, hint: str | None = None, candidates: Sequence[str] = ()
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.hint = hint
        self.candidates = tuple(candidates)
