"""The one refusal of the daemon's own decisions; the door turns it into a problem document."""

from collections.abc import Mapping, Sequence

from dispatch_protocol.encoding import JSON


class ServiceError(Exception):
    """A request that the daemon understood and will not carry out.

    `code` is a stable word of `dispatch_protocol.loopback`, which gives its HTTP status and exit code.
    `detail` says what happened and why; `hint` is the next command to type. `applied` is what already holds, where
    somebody else was first.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        hint: str | None = None,
        candidates: Sequence[str] = (),
        applied: Mapping[str, JSON] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.hint = hint
        self.candidates = tuple(candidates)
        self.applied = None if applied is None else dict(applied)
