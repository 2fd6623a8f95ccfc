"""Every route of the door in one table, which routes requests and writes the OpenAPI document.

A route names the one method of `DoorService` that it calls: parameters of the path, the query and the body are that
method's arguments. So a route that exists is described, and a route that is described works.
"""

from typing import Final
from urllib.parse import unquote

from dispatch_daemon.adapters.loopback.agent_routes import AGENTS
from dispatch_daemon.adapters.loopback.device_routes import DEVICES
from dispatch_daemon.adapters.loopback.exchange import MethodNotAllowedError
from dispatch_daemon.adapters.loopback.page_routes import PAGE
from dispatch_daemon.adapters.loopback.route import Kind, Route
from dispatch_daemon.adapters.loopback.trust_routes import TRUST
from dispatch_daemon.ports import ServiceError

ID_CHARS: Final = 64
DOWNLOADS: Final = "/v1/downloads/"
KEY_CHARS: Final = 255  # of an Idempotency-Key
_ID_ALPHABET: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/health", "health", "Whether the door answers.", "Health", kind=Kind.HEALTH),
    Route("GET", "/v1/openapi.json", "openapi", "This document.", "OpenApi", kind=Kind.DESCRIPTION),
    Route("GET", "/v1/whoami", "whoami", "Who I am, on which device, at which broker.", "Whoami", page=True),
    Route("GET", "/v1/doctor", "doctor", "Check what a run and a delivery need.", "Doctor", page=True),
    Route(
        "GET", "/v1/daemon", "daemon_status", "The daemon's process and places.", "DaemonStatus", page=True
    ),
    Route("POST", "/v1/daemon/stop", "stop", "Drain and end the daemon.", "Stopping", body="Nothing"),
    Route("POST", "/v1/panic", "panic_machine", "Stop everything of mine at once.", "Panicked", body="Pause"),
    Route("POST", "/v1/pause", "pause_machine", "Let nothing new start here.", "Paused", body="Pause"),
    Route("POST", "/v1/login", "login", "Sign in at a broker.", "Whoami", body="Login"),
    Route("POST", "/v1/logout", "logout", "Sign this device out.", "LoggedOut", body="Nothing"),
    Route(
        "POST",
        "/v1/login/begin",
        "begin_login",
        "Begin a sign-in that a code in a mail, or a page, will finish.",
        "LoginBegun",
        body="BeginLogin",
    ),
    Route(
        "POST",
        "/v1/login/finish",
        "finish_login",
        "Finish it with the code, or wait a while for the page.",
        "Whoami",
        body="FinishLogin",
    ),
    *DEVICES,
    *TRUST,
    *AGENTS,
    Route("GET", "/v1/contacts", "contacts", "Trust edges in both directions.", "Contacts", page=True),
    Route(
        "POST",
        "/v1/contacts/edit",
        "edit_edge",
        "Change what a peer's tasks may do here.",
        "EdgeEdited",
        body="EditEdge",
        page=True,
    ),
    Route(
        "POST",
        "/v1/contacts/alias",
        "alias_contact",
        "Call a contact by a name of one's own.",
        "ContactNamed",
        body="AliasContact",
    ),
    Route(
        "POST",
        "/v1/contacts/verify",
        "verify_contact",
        "Compare with a contact by seven words.",
        "ContactCompared",
        body="VerifyContact",
    ),
    Route(
        "POST", "/v1/contacts/revoke", "revoke", "End a trust edge.", "EdgeActed", body="Revoke", page=True
    ),
    Route(
        "GET", "/v1/invitations", "invitations", "Invitations sent and received.", "Invitations", page=True
    ),
    Route(
        "POST",
        "/v1/invitations",
        "invite",
        "Invite somebody.",
        "Invited",
        body="Invite",
        status=201,
        page=True,
    ),
    Route(
        "POST",
        "/v1/invitations/accept",
        "accept_invitation",
        "Let the inviter send tasks, within chosen scopes.",
        "InvitationAccepted",
        body="AcceptInvitation",
        page=True,
    ),
    Route(
        "POST",
        "/v1/invitations/decline",
        "decline_invitation",
        "Turn an invitation down, or take one's own back.",
        "InvitationActed",
        body="DeclineInvitation",
        page=True,
    ),
    Route(
        "GET",
        "/v1/dispatches",
        "dispatches",
        "One page of the inbox or of what was sent.",
        "Dispatches",
        query="Listing",
        page=True,
    ),
    Route(
        "POST",
        "/v1/files",
        "keep_file",
        "Hand over the bytes of one file; `file_id` then stands for it in `files` of a dispatch, for a day.",
        "FileKept",
        status=201,
        kind=Kind.UPLOAD,
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches",
        "send",
        "Send a task.",
        "Sent",
        body="Send",
        status=201,
        keyed=True,
        page=True,
    ),
    Route(
        "GET",
        "/v1/dispatches/{dispatch_id}",
        "dispatch",
        "Everything known about one dispatch.",
        "DispatchWhole",
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/accept",
        "accept",
        "Run a dispatch here.",
        "DispatchActed",
        body="Accept",
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/handover",
        "hand_over",
        "Let another device of mine run a dispatch.",
        "HandedOver",
        body="DeviceChoice",
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/decline",
        "decline",
        "Refuse a dispatch.",
        "DispatchActed",
        body="Because",
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/cancel",
        "cancel",
        "Ask for an end.",
        "DispatchActed",
        body="Because",
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/complete",
        "complete",
        "Say what came of a dispatch done by hand.",
        "DispatchActed",
        body="Complete",
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/resume",
        "resume",
        "Take up a parked run.",
        "DispatchActed",
        body="Nothing",
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/discard",
        "discard",
        "Throw away a parked run, or changes that wait for an answer.",
        "DispatchActed",
        body="Stepping",
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/review",
        "review",
        "Ask no more during this run; review its changes instead.",
        "DispatchActed",
        body="Stepping",
        page=True,
    ),
    Route(
        "GET",
        "/v1/dispatches/{dispatch_id}/undo",
        "undo_preview",
        "What an undo of the applied changes would do.",
        "UndoPreview",
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/undo",
        "undo",
        "Take back the applied changes, as they were shown.",
        "Undone",
        body="Undo",
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/messages",
        "reply",
        "Write to the other side of a dispatch.",
        "MessageWritten",
        body="Reply",
        status=201,
        keyed=True,
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/read",
        "read_messages",
        "Note what was read of the other side's words.",
        "MessagesRead",
        body="Read",
        page=True,
    ),
    Route(
        "GET",
        "/v1/dispatches/{dispatch_id}/thread",
        "thread",
        "Every dispatch of a thread, and what was said.",
        "Thread",
        page=True,
    ),
    Route(
        "POST",
        "/v1/dispatches/{dispatch_id}/resend",
        "resend",
        "Send what was not done anew.",
        "Sent",
        body="Nothing",
        status=201,
        keyed=True,
        page=True,
    ),
    Route("GET", "/v1/dispatches/{dispatch_id}/result", "result", "What came back.", "Result", page=True),
    Route(
        "GET",
        "/v1/downloads/{key}",
        "download",
        "The bytes of one artifact: its `download_url`, which works once and needs no token.",
        "bytes",
        kind=Kind.DOWNLOAD,
        page=True,
    ),
    Route("GET", "/v1/approvals", "approvals", "Questions that wait for a human.", "Approvals", page=True),
    Route(
        "POST",
        "/v1/approvals/{request_id}",
        "decide",
        "Answer one question.",
        "ApprovalActed",
        body="Decide",
        page=True,
    ),
    Route("GET", "/v1/rules", "rules", "What is always allowed, and on which edge.", "Rules", page=True),
    Route(
        "DELETE",
        "/v1/rules/{rule_id}",
        "remove_rule",
        "Stop allowing something always.",
        "RuleActed",
        page=True,
    ),
    Route(
        "GET",
        "/v1/events",
        "subscribe",
        "Server-sent events: the whole present state (`snapshot`), then every `change`.",
        "Update",
        query="Watching",
        kind=Kind.STREAM,
        page=True,
    ),
    *PAGE,
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
