"""Which questions a run puts to the human, and exactly what each shows."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from dispatch_daemon.core import gate
from dispatch_daemon.core.reach import call_subject, reach_of
from dispatch_daemon.core.records import (
    ApprovalKind,
    ApprovalRecord,
    Box,
    DispatchRecord,
    EventRecord,
    GrantChoice,
    RunRecord,
)
from dispatch_daemon.core.trust_records import Trust
from dispatch_protocol.encoding import JSON, Fields, dumps
from dispatch_protocol.lifecycle import RunState
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.scopes import Approval, Returns, Scopes, destinations
from dispatch_protocol.tool_server import server_of

CHANGESET_WAIT_MS = 7 * 86_400_000  # a changeset is kept and can be answered for this long
_RUN_PATHS = "run_paths"
_LEAVES: Mapping[Returns | None, str] = {
    None: "sends nothing anywhere",
    Returns.STATUS: "tells them only how it ended",
    Returns.RESULT: "returns the result",
    Returns.TRACE: "returns the result and every call with what came of it",
}
_FILE_FIELDS = ("name", "kind", "mime_type", "size_bytes", "sha256")


def scopes_of(run: RunRecord) -> Scopes:
    """Return the scopes that were in force when the run was accepted."""
    stored = {key: value for key, value in (run.scopes or {}).items() if key != _RUN_PATHS}
    return Scopes.read(Fields(stored, "scopes"))


def run_paths(run: RunRecord) -> list[tuple[str, Literal["ro", "rw"]]]:
    """Return every (path, mode) that the run may see."""
    stored = (run.scopes or {}).get(_RUN_PATHS)
    entries = stored if isinstance(stored, list) else []
    return [
        (str(entry["path"]), "rw" if entry["mode"] == "rw" else "ro")
        for entry in entries
        if isinstance(entry, dict)
    ]


def with_run_paths(scopes: Scopes, paths: Sequence[tuple[str, str]]) -> dict[str, JSON]:
    """Return the scopes as a run keeps them, with the paths it was given."""
    return {**scopes.write(), _RUN_PATHS: [{"path": path, "mode": mode} for path, mode in paths]}


def must_ask(scopes: Scopes, flags: Sequence[str]) -> bool:
    """Return whether a changeset needs a human: always, but for an `auto` edge with nothing flagged."""
    return scopes.approval is not Approval.AUTO or bool(flags)


def must_show(scopes: Scopes, words: str, *, files: bool = False, traced: bool = False) -> bool:
    """Return whether a human reads what would leave before it does: what a run read may stand in it.

    `words` are an agent's own, `files` says that some would go along, and `traced` says that calls were
    made whose output a whole trace would carry.
    """
    if scopes.approval is Approval.AUTO or scopes.returns is Returns.STATUS:
        return False
    return bool(words) or files or (traced and scopes.returns is Returns.TRACE)


def unread(scopes: Scopes, *, by_model: bool) -> Returns:
    """Return what may leave of a run of which no human has read the result: how it ended, and no word of a model."""
    if scopes.approval is Approval.AUTO or scopes.returns is Returns.STATUS:
        return scopes.returns
    return Returns.STATUS if by_model else Returns.RESULT


def may_review(run: RunRecord, trust: str | None) -> bool:
    """Return whether the human may stop being asked and review the changes of a run instead.

    Never for a contact who came by mail and whom nobody has compared: that edge is `manual` only.
    """
    live = run.state in (RunState.RUNNING, RunState.WAITING_APPROVAL)
    return live and trust != Trust.UNVERIFIED and scopes_of(run).approval is Approval.MANUAL


def about_call(
    record: DispatchRecord,
    run: RunRecord,
    call_id: str,
    tool: str,
    arguments: Mapping[str, JSON],
    *,
    request_id: str,
    now_ms: int,
    timeout_s: int | None,
) -> ApprovalRecord:
    """Return the question about one tool call: the whole call, verbatim."""
    wait_ms = CHANGESET_WAIT_MS if timeout_s is None else timeout_s * 1000
    return ApprovalRecord(
        request_id=request_id,
        digest=record.digest,
        run_id=run.run_id,
        kind=ApprovalKind.TOOL,
        title=gate.call_title(tool, arguments),
        subject=call_subject(tool, arguments),
        payload={
            "call_id": call_id,
            "tool": tool,
            "input": dict(arguments),
            "description": _describe(tool, run),
        },
        asked_ms=now_ms,
        deadline_ms=now_ms + wait_ms,
        tool=tool,
        flags=gate.call_flags(tool, destinations(scopes_of(run))),
    )


def meanings(approval: ApprovalRecord, run: RunRecord, *, own: bool = False) -> list[dict[str, JSON]]:
    """Return, for each answer that means yes, exactly what it covers from now on; `own` is for a person's own job."""
    if approval.kind is not ApprovalKind.TOOL or approval.tool is None:
        return [_meaning(GrantChoice.ONCE, None, "exactly what is shown here, once")]
    paths = [path for path, _ in run_paths(run)]
    reach = reach_of(approval.tool, gate.call_input(approval), run.cwd or "/", paths)
    said = reach.sentence()
    bounds: dict[str, JSON] = {"command": reach.command, "path": reach.below}
    return [
        _meaning(GrantChoice.ONCE, approval.tool, "this call, once"),
        _meaning(
            GrantChoice.ALWAYS,
            approval.tool,
            f"{said}; in every {'job of your own' if own else 'run on this edge'} until you remove the rule",
        )
        | bounds,
        _meaning(GrantChoice.SESSION, approval.tool, f"{said}; until this run ends") | bounds,
    ]


def _meaning(grant: GrantChoice, tool: str | None, meaning: str) -> dict[str, JSON]:
    return {"grant": grant, "tool": tool, "command": None, "path": None, "meaning": meaning}


def _describe(tool: str, run: RunRecord) -> str:
    where = run.cwd or "the run directory"
    server = server_of(tool)
    if server is not None:
        return (
            f"asks the MCP server {server} of this machine, which acts outside the wall with your own rights"
        )
    if tool == "Bash":
        hosts = ", ".join(destinations(scopes_of(run)))
        return f"runs a shell command, confined, in {where}" + (f", and may reach {hosts}" if hosts else "")
    if tool in ("Write", "Edit"):
        return f"changes a file in this run's own copy of {where}; nothing reaches your files before you approve it"
    return f"only reads: what this run may see, {where} and the files that came with it"


def reached(scopes: Scopes, run_id: str, events: Iterable[EventRecord]) -> tuple[str, ...]:
    """Return the granted hosts that a run has reached, as its trace has them, in their order."""
    told = [
        event.data.get("what")
        for event in events
        if event.run_id == run_id and event.type is EventType.GATE and event.data.get("allowed") is True
    ]
    return tuple(host for host in destinations(scopes) if host in told)


def closing_subject(
    changeset_digest: str | None, summary: str, artifacts: Sequence[Mapping[str, JSON]]
) -> str:
    """Return the SHA-256 of everything that a yes to the closing question lets happen.

    That is the changes, by their own digest, the words, and every file by name and content.
    """
    files: list[JSON] = [{name: file.get(name) for name in _FILE_FIELDS} for file in artifacts]
    shown: dict[str, JSON] = {"changeset": changeset_digest, "result": summary, "files": files}
    return hashlib.sha256(dumps(shown)).hexdigest()


def about_changes(
    record: DispatchRecord,
    run: RunRecord,
    *,
    summary: str,
    flags: Sequence[str],
    place: str,
    request_id: str,
    now_ms: int,
    reached: Sequence[str] = (),
) -> ApprovalRecord:
    """Return the closing question of a run: every change, its diff, what would leave, and which hosts it has `reached`.

    `place` is the directory that holds the run's files, to be looked at. `returns` in the payload is what of it all leaves, null
    for a person's own job.
    """
    count = len(run.changeset)
    title = f"Apply {count} change{'' if count == 1 else 's'}" if count else "Return the result"
    returns = None if record.box is Box.OWN else scopes_of(run).returns
    does = [*([f"writes these changes to {run.cwd}"] if count else []), _LEAVES[returns]]
    been = f"; the run has reached {', '.join(reached)}" if reached else ""
    return ApprovalRecord(
        request_id=request_id,
        digest=record.digest,
        run_id=run.run_id,
        kind=ApprovalKind.CHANGESET,
        title=title,
        subject=closing_subject(run.changeset_digest, summary, run.artifacts),
        payload={
            "changes": list(run.changeset),
            "diffs": list(run.diffs),
            "left_behind": list(run.left_behind),
            "result": summary,
            "artifacts": [{**file, "path": f"{place}/{file['name']}"} for file in run.artifacts],
            "returns": returns,
            "description": " and ".join(does) + ("" if count else "; no file changes") + been,
        },
        asked_ms=now_ms,
        deadline_ms=now_ms + CHANGESET_WAIT_MS,
        flags=tuple(flags),
    )
