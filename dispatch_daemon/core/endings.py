"""Why a run did not succeed, for the two who ask: its author, who has the signed code alone, and whose machine it ran on.

What a machine says of its model, its keys, its directories and its programs stays there. So for these codes nothing but
the code is signed, and each side has a sentence of its own for it, and what can be typed next.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.loopback import short_id

_AGAIN: Final = "dispatch followup {id} TASK"
_WRITE: Final = "dispatch reply {id} TEXT"
_BUDGET: Final = "dispatch followup {id} TASK --budget turns=N,tokens=N,usd=X"
_TIME: Final = "dispatch followup {id} TASK --timeout SECONDS"
_TEST: Final = "dispatch agent test"
_SETUP: Final = ("Their agent is not set up to work.", _WRITE)
_BROKE: Final = ("Their machine broke the run off.", _AGAIN)
_GARBLED: Final = ("Their agent broke off before it was done.", _AGAIN)
_MUCH: Final = ("It used more memory, disk or processes than a run may.", _AGAIN)
_PLACE: Final = ("A directory on their machine is not as it was granted.", _WRITE)

# What the author is told where only the code was signed: the sentence, and the next command.
AUTHOR: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "budget": ("The budget of one run was used up: yours, or theirs if it is lower.", _BUDGET),
        "wall_clock": ("It took longer than a run may: by your --timeout, or their limit.", _TIME),
        **dict.fromkeys(("memory", "processes", "disk", "files"), _MUCH),
        "model_unreachable": ("Their model did not answer.", _AGAIN),
        "model_busy": ("Their model was too busy to answer.", _AGAIN),
        "model_garbled": ("Their model answered in no known way.", _AGAIN),
        "model_silent": ("Their model ended without a word.", _AGAIN),
        "model_declined": ("The model declined the task.", _AGAIN),
        **dict.fromkeys(("model_key_refused", "model_unknown", "model_refused"), _SETUP),
        **dict.fromkeys(("no_agent", "agent_key_missing", "agent_incomplete", "config_invalid"), _SETUP),
        "servers_unreachable": _SETUP,
        "agent_cut": ("The agent's answer was cut off at its length limit.", _AGAIN),
        **dict.fromkeys(("agent_garbled", "agent_deaf", "agent_protocol", "agent_silent"), _GARBLED),
        **dict.fromkeys(("agent_error", "agent_ended", "halted"), _GARBLED),
        **dict.fromkeys(("helper_died", "helper_silent", "helper_untrusted"), _BROKE),
        **dict.fromkeys(("watchdog_failed", "still_running", "no_sandbox", "killed"), _BROKE),
        **dict.fromkeys(("path_changed", "path_missing", "path_denied", "path_private"), _PLACE),
        **dict.fromkeys(("path_submount", "path_too_large", "path_foreign"), _PLACE),
        **dict.fromkeys(("cwd_missing", "grant_unreachable", "grants_nested", "outside_paths"), _PLACE),
        **dict.fromkeys(("path_invalid", "path_system", "foreign_path"), _PLACE),
        **dict.fromkeys(("layer_unreadable", "discard_failed", "originals_damaged", "not_kept"), _BROKE),
        **dict.fromkeys(("apply_begun", "apply_interrupted", "closed", "still_open", "state_used"), _BROKE),
        **dict.fromkeys(("limits_invalid", "network_invalid", "program_invalid", "run_id_invalid"), _BROKE),
        **dict.fromkeys(("no_gate", "no_program", "tools_unknown", "files_missing"), _BROKE),
        "journal_damaged": ("Some of its changes may have been applied there, and some not.", _WRITE),
        "changed_meanwhile": ("Somebody worked on the same files meanwhile; nothing was applied.", _AGAIN),
        "changeset_changed": ("What would have left was not what was approved.", _AGAIN),
        "changeset_too_large": ("It would change more than anybody can look at.", _AGAIN),
    }
)
_AUTHOR_NEXT: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("denied", "changeset_denied", "step_failed", "interrupted", "internal"), _AGAIN),
        "tool_not_granted": _WRITE,
    }
)
_OWN_NEXT: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("no_agent", "agent_key_missing", "agent_incomplete"), "dispatch agent list"),
        **dict.fromkeys(("model_unreachable", "model_busy", "model_garbled", "model_refused"), _TEST),
        **dict.fromkeys(("model_unknown", "model_key_refused", "agent_ended", "agent_error"), _TEST),
        **dict.fromkeys(("helper_died", "no_sandbox"), "dispatch doctor"),
    }
)
_EDGE_NEXT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "budget": "dispatch edit-edge {peer} --budget turns=N,tokens=N,usd=X",
        "wall_clock": "dispatch edit-edge {peer} --max-runtime SECONDS",
        "tool_not_granted": "dispatch edit-edge {peer} --tools TOOLS",
        "servers_unreachable": "dispatch edit-edge {peer} --mcp-servers none",
    }
)

# Where a dispatch stands that has not ended, as its author is told; the second is for whose machine is to run it.
_STANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "waiting": ("it waits for another one of its thread", "it waits for another one of its thread"),
        "queued": ("it goes out as soon as the broker answers", "it goes out as soon as the broker answers"),
        "sent": ("it waits for its recipient's yes", "it waits for your yes"),
        "delivered": ("it waits for its recipient's yes", "it waits for your yes"),
        "waiting_approval": (
            "a question of it waits for an answer there",
            "a question of it waits for your answer",
        ),
        "waiting_input": ("somebody there has to say how it goes on", "you have to say how it goes on"),
    }
)


def unended(status: str, box: Box) -> str:
    """Return that a dispatch has not ended, and what it waits for."""
    said = f"it is {status.replace('_', ' ')}"
    theirs, own = _STANDS.get(status, (said, said))
    return f"this dispatch has not ended: {theirs if box is Box.SENT else own}"


def signed_words(code: str, detail: str) -> str:
    """Return what a result says of its end besides the code: nothing where the words are of this machine alone."""
    return "" if code in AUTHOR else detail


def error(record: DispatchRecord) -> dict[str, JSON] | None:
    """Return why a dispatch ended as it did, for whoever asks on this machine; None where nothing went wrong."""
    code = record.ended_code
    if code is None:
        return None
    detail = record.ended_detail
    if record.box is Box.SENT:
        words, step = AUTHOR.get(code, (None, _AUTHOR_NEXT.get(code)))
        detail = detail or words
    else:
        step = _OWN_NEXT.get(code)
        if record.box is Box.INBOX:  # one's own jobs have no edge
            step = step or _EDGE_NEXT.get(code)
    hint = None if step is None else step.format(id=short_id(record.dispatch_id), peer=record.address)
    return {"code": code, "detail": detail, "hint": hint}
