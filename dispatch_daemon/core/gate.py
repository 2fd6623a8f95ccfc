"""The per-call gate: what one tool call needs before it may run, decided on this machine only.

The kernel is the wall; the gate is the human's part. It can only narrow: a tool that the grant does not
name is refused in every mode, and an unknown mode asks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dispatch_daemon.core.reach import Reach, reach_of
from dispatch_daemon.core.records import ApprovalRecord, ApprovalState, GrantChoice
from dispatch_daemon.core.trust_records import RuleRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.scopes import Approval, Scopes, covers
from dispatch_protocol.tool_server import server_of

_SHOWN_ARGUMENT = {
    "Read": "file_path",
    "Write": "file_path",
    "Edit": "file_path",
    "Glob": "pattern",
    "Grep": "pattern",
    "Bash": "command",
}
_TITLE_CHARS = 120
_OUTSIDE_FLAG = "a program outside the wall does it, with your own rights: no changeset shows it, and no undo takes it back"
_SHELL_FLAG = "a shell command: once it runs, only the wall and the changeset bind it"


class Verdict(StrEnum):
    """What the gate says of a call."""

    ALLOW = "allow"
    ASK = "ask"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the gate says of a call, and why, in words for the trace; `by_rule` where a standing yes has answered."""

    verdict: Verdict
    reason: str
    by_rule: bool = False


def rule_on(
    tool: str,
    arguments: Mapping[str, JSON],
    scopes: Scopes,
    *,
    rules: Iterable[RuleRecord],
    asked_before: Iterable[ApprovalRecord],
    run_id: str,
    cwd: str,
    paths: Iterable[str] = (),
) -> Ruling:
    """Decide one call under the grant; `asked_before` may hold yeses that were given for this whole run.

    `cwd` is where the run works, `paths` are the directories that it may see.
    """
    if not covers(scopes, tool):
        return Ruling(Verdict.REFUSE, f"{tool} is not granted on this edge")
    reviewed = scopes.approval is Approval.REVIEW and not acts_outside(tool)
    if scopes.approval is Approval.AUTO or reviewed:
        return Ruling(Verdict.ALLOW, f"approval is {scopes.approval}")
    for rule in rules:
        if rule_reach(rule).covers(tool, arguments, cwd):
            return Ruling(Verdict.ALLOW, "always", by_rule=True)
    seen = tuple(paths)
    for earlier in asked_before:
        if (
            earlier.run_id == run_id
            and earlier.state is ApprovalState.APPROVED
            and earlier.grant is GrantChoice.SESSION
            and earlier.tool is not None
            and reach_of(earlier.tool, call_input(earlier), cwd, seen).covers(tool, arguments, cwd)
        ):
            return Ruling(Verdict.ALLOW, "this run")
    return Ruling(Verdict.ASK, f"approval is {scopes.approval}")


def rule_reach(rule: RuleRecord) -> Reach:
    """Return how far a standing rule reaches."""
    return Reach(rule.tool, rule.command, rule.path, rule.subject)


def call_input(approval: ApprovalRecord) -> dict[str, JSON]:
    """Return the tool input that the approval shows."""
    shown = approval.payload.get("input")
    return shown if isinstance(shown, dict) else {}


def call_title(tool: str, arguments: Mapping[str, JSON]) -> str:
    """Return the call in a few plain words: the tool and what it touches."""
    shown = str(arguments.get(_SHOWN_ARGUMENT.get(tool, ""), "")).strip().replace("\n", " ")
    if len(shown) > _TITLE_CHARS:
        shown = shown[: _TITLE_CHARS - 1] + "…"
    return f"{tool} {shown}".strip()


def acts_outside(tool: str) -> bool:
    """Return whether a call is made outside the wall: what it does stands in no changeset, so nobody can review it later."""
    return server_of(tool) is not None


def call_flags(tool: str, hosts: Sequence[str] = ()) -> tuple[str, ...]:
    """Return words of warning about the call; `hosts` are those that its run may reach."""
    if acts_outside(tool):
        return (_OUTSIDE_FLAG,)
    if tool != "Bash":
        return ()
    sends = (f"what it reads here it may send to {', '.join(hosts)}",) if hosts else ()
    return (_SHELL_FLAG, *sends)
