"""Every number of the protocol with what it bounds; the numbers themselves are read from the code."""

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Final

from dispatch_protocol import limits

# What `dispatch_protocol.limits` holds, in its order.
_LIMITS: Final[Mapping[str, str]] = {
    "TASK_CHARS": "the words of a task; of a question its title, of a rule its command",
    "BACKGROUND_CHARS": "background and instructions of a task, each",
    "DELIVERABLE_CHARS": "what is to come back",
    "PROJECT_CHARS": "the hint at a project",
    "LINKS": "links of one task",
    "LINK_CHARS": "one link",
    "META_PAIRS": "pairs in `meta`",
    "META_KEY_CHARS": "a key in `meta`",
    "META_VALUE_CHARS": "a value in `meta`",
    "REPLY_CHARS": "one message of a thread",
    "THREAD_MESSAGES": "messages of one side about one dispatch",
    "REASON_CHARS": "a reason, a detail, a warning",
    "ADDRESS_CHARS": "an e-mail address",
    "URL_CHARS": "a relay's address",
    "NAME_CHARS": "the name of a file, a device, a host, a type of content",
    "PATH_CHARS": "a path",
    "ATTACHMENTS": "attachments of one task",
    "ATTACHMENT_BYTES": "one attachment, where its author has set nothing else",
    "BLOB_CHUNK_BYTES": "clear bytes of every chunk of a sealed file but the last",
    "BLOB_TAG_BYTES": "what sealing adds to each chunk",
    "STEPS": "steps of one task",
    "STEPS_BYTES": "all steps of one task in canonical form",
    "DIFF_BYTES": "all diffs of one result together",
    "EXPIRY_MIN_S": "the least life of a task for somebody else",
    "EXPIRY_MAX_S": "the longest",
    "EXPIRY_DEFAULT_S": "where nothing is said",
    "EXPIRY_GRACE_MS": "by how much two clocks may disagree",
    "APPROVAL_TIMEOUT_S": "how long a question waits, where nothing is said",
    "APPROVAL_TIMEOUT_MAX_S": "the longest that scopes may state",
    "RUNTIME_S": "how long a run may last, where nothing is said",
    "RUNTIME_MAX_S": "the longest that scopes or a task may state",
    "MESSAGE_S": "how long a message waits for its reader",
    "INVITATION_S": "the longest life of an invitation",
    "COMPARISON_S": "the life of a comparison and of a reveal",
    "SEALING_RENEWED_S": "a device replaces its sealing key at this age",
    "SEALING_REFUSED_S": "nothing new is sealed to an older one",
    "SEALING_KEPT_S": "how long a replaced key still opens",
    "MAX_PER_DAY": "tasks a day on an edge, where nothing is said",
    "MAX_PER_DAY_LIMIT": "the most that scopes may state",
    "GRANT_TOOLS": "tools of one grant",
    "GRANT_SERVERS": "servers of one grant",
    "GRANT_PATHS": "paths of one grant",
    "GRANT_HOSTS": "hosts of one grant",
    "SAFE_INTEGER": "the largest integer, and the largest time",
    "JSON_DEPTH": "objects and arrays inside one another",
    "DEVICES": "active devices of one identity, and devices of one envelope",
    "CHAIN_LINKS": "links of one chain",
    "CHAIN_BYTES": "all links of one chain in canonical DSSE JSON",
    "SIGNATURES": "signatures of one document",
    "TYPE_BYTES": "a payload type",
    "BODY_BYTES": "a body",
    "DOCUMENT_BYTES": "the body of a link, and one DSSE document that is read by itself",
    "PADDING_FLOOR_BYTES": "S is padded to at least this",
    "ENVELOPE_BYTES": "an envelope",
    "MESSAGE_BYTES": "one WebSocket message, one HTTP body, one frame with its length",
}
# Others, which belong to one kind of document or to the session.
_OTHERS: Final[Mapping[tuple[str, str], str]] = {
    ("dispatch_protocol.messages.task", "AFTER"): "predecessors of one task",
    ("dispatch_protocol.messages.task", "RETRIES"): "how often a task may ask to be tried again",
    (
        "dispatch_protocol.messages.task",
        "TIMEOUT_MAX_S",
    ): "the longest time that a task may state for its run",
    ("dispatch_protocol.messages.files", "NAME_BYTES"): "the name of a file in UTF-8",
    ("dispatch_protocol.messages.result", "SUMMARY_CHARS"): "the summary of a result",
    ("dispatch_protocol.messages.result", "CHANGES"): "changes of one result, and its diffs",
    ("dispatch_protocol.messages.result", "ARTIFACTS"): "artifacts of one result",
    ("dispatch_protocol.messages.result", "EVENTS"): "events of one result",
    ("dispatch_protocol.messages.trace", "EVENT_BYTES"): "the data of one event in canonical form",
    ("dispatch_protocol.messages.trace", "FLAGS"): "flags of one change",
    ("dispatch_protocol.messages.trace", "LAYERS"): "layers and warnings of a confinement, each",
    ("dispatch_protocol.messages.trace", "MODE_MAX"): "the highest permission bits",
    ("dispatch_protocol.messages.checkpoint", "ENTRIES"): "entries that one checkpoint adds",
    ("dispatch_protocol.messages.household", "ENTRIES"): "entries of one document of a household's log",
    ("dispatch_protocol.messages.shared_acts", "ACTS"): "leaves that one entry tells of",
    ("dispatch_protocol.messages.shared_questions", "SHOWN_BYTES"): "what an entry shows of a question",
    ("dispatch_protocol.grant", "PARENTS"): "versions that one edit of a grant brings together",
    ("dispatch_protocol.answer_chain", "HELD"): "answers of one device that wait for one that is missing",
    ("dispatch_protocol.bundle", "BUNDLE_BYTES"): "a bundle",
    ("dispatch_protocol.bundle", "ANSWERS"): "answers in one bundle",
    ("dispatch_protocol.trust_file", "FILE_BYTES"): "a trust file",
    ("dispatch_protocol.trust_file", "CHAINS"): "chains in one trust file",
    ("dispatch_protocol.pairing", "MESSAGE_BYTES"): "the body of one message of a pairing",
    ("dispatch_broker.core.pairings", "MESSAGE_CHARS"): "one message of a pairing as a relay carries it",
    ("dispatch_broker.core.pairings", "LIFE_MS"): "how long a relay keeps a pairing",
    ("dispatch_broker.core.pairings", "MESSAGES"): "messages of the older machine in one pairing",
    ("dispatch_protocol.frames", "TOKEN_CHARS"): "a token",
    ("dispatch_protocol.frames", "EPOCH_CHARS"): "an epoch",
    ("dispatch_protocol.frames", "ACK_SEQS"): "deliveries that one Ack names",
    ("dispatch_protocol.session", "IN_FLIGHT"): "requests of one device that wait for their answer",
    ("dispatch_broker.adapters.websocket", "MESSAGE_FRAMES"): "frames in one message that this relay reads",
    ("dispatch_broker.adapters.calls", "LISTED"): "invitations in one list of a relay's answer, the newest",
}


def table() -> str:
    """Return every limit with its value."""
    missing = {name for name in vars(limits) if name.isupper()} ^ _LIMITS.keys()
    if missing:
        raise SystemExit(f"scripts/limit_words.py and dispatch_protocol/limits.py differ: {sorted(missing)}")
    lines = ["", "| what is bounded | at most, unless it says otherwise |", "| --- | --- |"]
    lines += [f"| {words} | {_value(limits, name)} |" for name, words in _LIMITS.items()]
    lines += [
        f"| {words} | {_value(importlib.import_module(module), name)} |"
        for (module, name), words in _OTHERS.items()
    ]
    return "\n".join([*lines, ""])


def _value(module: ModuleType, name: str) -> str:
    value = getattr(module, name)
    if name == "SAFE_INTEGER":
        return "2^53−1"
    if name == "MODE_MAX":
        return f"{value:,} (octal {value:o})"
    unit = {"CHARS": "characters", "BYTES": "bytes", "S": "s", "MS": "ms"}.get(name.rpartition("_")[2], "")
    return f"{value:,} {unit}".strip()
