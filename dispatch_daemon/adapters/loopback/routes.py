"""Every route of the door in one table, which routes requests and writes the OpenAPI document.

A route names the one method of `DoorService` that it calls: parameters of the path, the query and the body are that
method's arguments. So a route that exists is described, and a route that is described works.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal
from urllib.parse import unquote

from dispatch_daemon.adapters.loopback.exchange import MethodNotAllowedError
from dispatch_daemon.ports import ServiceError

ID_CHARS: Final = 64
DOWNLOADS: Final = "/v1/downloads/"
KEY_CHARS: Final = 255  # of an Idempotency-Key
_ID_ALPHABET: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class Kind(StrEnum):
    """How a route is answered."""

    CALL = "call"  # one call of the service
    STREAM = "stream"  # server-sent events
    DOWNLOAD = "download"  # one call of the service, answered with a file; its address is a secret used once
    UPLOAD = "upload"  # one call of the service, with the body as bytes
    HEALTH = "health"  # by the door itself
    DESCRIPTION = "description"  # the OpenAPI document


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that may be asked; `operation` is a method of `DoorService` and the operation id.

    `body` and `query` name classes of `models`, `answer` one of `answers` (or bytes). They are named and not imported, because
    pydantic is a quarter of an idle daemon, and one that nobody has asked anything yet needs none of it.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    operation: str
    summary: str
    answer: str
    body: str | None = None
    query: str | None = None
    status: int = 200
    keyed: bool = False  # takes an Idempotency-Key, so that a retry changes nothing
    kind: Kind = Kind.CALL
    segments: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "segments", tuple(self.path.split("/")))

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names that stand in braces in the path."""
        return tuple(name[1:-1] for name in self.segments if name.startswith("{"))

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Return the raw parameters if the path is this route's, else None."""
        if len(segments) != len(self.segments):
            return None
        found: dict[str, str] = {}
        for own, given in zip(self.segments, segments, strict=True):
            if own.startswith("{"):
                found[own[1:-1]] = given
            elif own != given:
                return None
        return found


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/health", "health", "Whether the door answers.", "Health", kind=Kind.HEALTH),
    Route("GET", "/v1/openapi.json", "openapi", "This document.", "OpenApi", kind=Kind.DESCRIPTION),
    Route("GET", "/v1/whoami", "whoami", "Who I am, on which device, at which broker.", "Whoami"),
    Route("GET", "/v1/doctor", "doctor", "Check what a run and a delivery need.", "Doctor"),
    Route("GET", "/v1/daemon", "daemon_status", "The daemon's process and places.", "DaemonStatus"),
    Route("POST", "/v1/daemon/stop", "stop", "Drain and end the daemon.", "Stopping", body="Nothing"),
    Route("POST", "/v1/login", "login", "Sign in at a broker.", "Whoami", body="Login"),
    Route(
        "POST",
        "/v1/devices/recovery-key",
        "recovery_key",
        "Show the recovery key once, then erase it.",
        "RecoveryKeyShown",
        body="Nothing",
    ),
    Route("GET", "/v1/agents", "agents", "Who may decide the calls of a run here.", "Agents"),
    Route(
        "POST",
        "/v1/agents/test",
        "test_agent",
        "Ask the chosen model for one harmless call.",
        "Doctor",
        body="Nothing",
    ),
    Route("GET", "/v1/contacts", "contacts", "Trust edges in both directions.", "Contacts"),
    Route("POST", "/v1/contacts/revoke", "revoke", "End a trust edge.", "EdgeActed", body="Revoke"),
    Route("GET", "/v1/invitations", "invitations", "Invitations sent and received.", "Invitations"),
    Route("POST", "/v1/invitations", "invite", "Invite somebody.", "Invited", body="Invite", status=201),
    Route(
        "POST",
        "/v1/invitations/accept",
        "accept_invitation",
        "Let the inviter send tasks, within chosen scopes.",
        "InvitationAccepted",
        body="AcceptInvitation",
    ),
    Route(
        "POST",
        "/v1/invitations/decline",
        "decline_invitation",
        "Turn an invitation down.",
        "InvitationActed",
        body="DeclineInvitation",
    ),
    Route(
        "GET",
        "/v1/dispatches",
        "dispatches",
        "One page of the inbox or of what was sent.",
        "Dispatches",
        query="Listing",
    ),
    Route(
        "POST",
        "/v1/files",
        "keep_file",
        "Hand over the bytes of one file; `file_id` then stands for it in `files` of a dispatch, for a day.",
        "FileKept",
        status=201,
        kind=Kind.UPLOAD,
    ),
    Route("POST", "/v1/dispatches", "send", "Send a task.", "Sent", body="Send", status=201, keyed=True),
    Route(
        "GET",
        "/v1/dispatches/{dispatch_id}",
        "dispatch",
        "Everything known about one dispatch.",
        "DispatchWhole",
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/accept",
        "accept",
        "Run a dispatch here.",
        "DispatchActed",
        body="Accept",
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/decline",
        "decline",
        "Refuse a dispatch.",
        "DispatchActed",
        body="Because",
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/cancel",
        "cancel",
        "Ask for an end.",
        "DispatchActed",
        body="Because",
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/complete",
        "complete",
        "Say what came of a dispatch done by hand.",
        "DispatchActed",
        body="Complete",
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/resume",
        "resume",
        "Take up a parked run.",
        "DispatchActed",
        body="Nothing",
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/discard",
        "discard",
        "Throw away a parked run, or changes that wait for an answer.",
        "DispatchActed",
        body="Stepping",
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/review",
        "review",
        "Ask no more during this run; review its changes instead.",
        "DispatchActed",
        body="Stepping",
    ),
    Route("GET", "/v1/dispatches/{dispatch_id}/result", "result", "What came back.", "Result"),
    Route(
        "GET",
        "/v1/downloads/{key}",
        "download",
        "The bytes of one artifact: its `download_url`, which works once and needs no token.",
        "bytes",
        kind=Kind.DOWNLOAD,
    ),
    Route("GET", "/v1/approvals", "approvals", "Questions that wait for a human.", "Approvals"),
    Route(
        "POST", "/v1/approvals/{request_id}", "decide", "Answer one question.", "ApprovalActed", body="Decide"
    ),
    Route("GET", "/v1/rules", "rules", "What is always allowed, and on which edge.", "Rules"),
    Route("DELETE", "/v1/rules/{rule_id}", "remove_rule", "Stop allowing something always.", "RuleActed"),
    Route(
        "GET",
        "/v1/events",
        "subscribe",
        "Server-sent events: the whole present state (`snapshot`), then every `change`.",
        "Update",
        query="Watching",
        kind=Kind.STREAM,
    ),
)


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Return the route of a request and its decoded path parameters.

    Raises `ServiceError`: `no_route`, `method_not_allowed`, or `not_found` for what cannot be an id.
    """
    segments = path.split("/")
    allowed: list[str] = []
    for route in ROUTES:
        raw = route.match(segments)
        if raw is None:
            continue
        if route.method == method:
            return route, {name: _decoded(text) for name, text in raw.items()}
        allowed.append(route.method)
    if allowed:
        raise MethodNotAllowedError(allowed)
    raise ServiceError("no_route", "There is nothing at this address.", hint="GET /v1/openapi.json")


def _decoded(text: str) -> str:
    """Decode one parameter; whatever could never be an id is not found, and never reaches the daemon."""
    plain = unquote(text, errors="replace")
    if not plain or len(plain) > ID_CHARS or not _ID_ALPHABET.issuperset(plain):
        raise ServiceError("not_found", "Nothing has such an id.")
    return plain
