"""Questions of a run that are answered at another device of the same person: told, answered there, applied here or too late.

The device that runs decides what an answer is worth. It applies a verdict as if it had been given on the spot, and only if every
field of it is that of its own open question; so a verdict for another call, run, grant or device is worth nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from uuid import UUID

from dispatch_daemon.core.approvals import decide
from dispatch_daemon.core.composing import Moment, Own
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.reach import call_subject
from dispatch_daemon.core.records import (
    ApprovalKind,
    ApprovalRecord,
    ApprovalState,
    DispatchRecord,
    Door,
    RunRecord,
)
from dispatch_daemon.core.shared_records import QuestionRecord
from dispatch_protocol.encoding import JSON, dumps
from dispatch_protocol.errors import LocalError
from dispatch_protocol.grant import Version
from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.links import Role
from dispatch_protocol.loopback import short_id
from dispatch_protocol.messages.shared_questions import (
    SHOWN_BYTES,
    Asked,
    QuestionEntry,
    QuestionState,
    VerdictEntry,
)
from dispatch_protocol.signing import dispatch_id
from dispatch_protocol.timestamps import format_time

SAID: Final = {True: "approved", False: "denied"}
_MEANING: Final = "exactly what is shown here, once"


# -- on the device that runs -----------------------------------------------------------------------------


def told(approval: ApprovalRecord, own: Own, grant: Version | None) -> QuestionEntry:
    """Return a question of ours as the other devices are told of it, as it stands now.

    What it shows may be anything that an agent says, so what cannot be told is left out as a whole: nothing that is asked here
    may fail because it cannot be asked elsewhere.
    """
    tellable = _is_tellable([approval.title, list(approval.flags), approval.payload])
    shown = tellable and approval.state is ApprovalState.OPEN
    by = approval.decided_on or (None if approval.decided_by is None else own.device.hex)
    return QuestionEntry(
        asked=_asked(approval, own, grant),
        about=approval.kind,
        tool=approval.tool,
        title=approval.title if tellable else "",
        payload=approval.payload if shown else None,
        flags=approval.flags if tellable else (),
        asked_ms=approval.asked_ms,
        state=QuestionState(approval.state.value),
        by=None if by is None else DeviceId.from_hex(by),
    )


def _is_tellable(value: JSON) -> bool:
    """Say whether a value fits into an entry, as deep in a document as an entry stands."""
    try:
        return len(dumps([[[[value]]]])) <= SHOWN_BYTES
    except LocalError:
        return False


def _asked(approval: ApprovalRecord, own: Own, grant: Version | None) -> Asked:
    return Asked(
        dispatch=Digest.from_hex(approval.digest),
        run_id=UUID(approval.run_id),
        request=UUID(approval.request_id),
        subject=Digest.from_hex(approval.subject),
        grant=grant,
        deadline_ms=approval.deadline_ms,
        device=own.device,
    )


def applied(
    entry: VerdictEntry,
    teller: DeviceId,
    approval: ApprovalRecord,
    record: DispatchRecord,
    run: RunRecord,
    own: Own,
    grant: Version | None,
    moment: Moment,
) -> list[Effect]:
    """Apply what a human said at another device, if that may answer and it is said of exactly this open question.

    Raises:
        ServiceError: `not_approver`, `verdict_mismatch`, or `not_pending` for what came too late.
    """
    _require_approver(own, teller)
    if entry.asked != _asked(approval, own, grant):
        raise ServiceError("verdict_mismatch", "it was said of another call, run, grant or device")
    return decide(
        approval,
        approved=entry.approved,
        grant=None,
        reason=entry.reason,
        run=run,
        edge=record.edge,
        door=Door.DEVICE,
        moment=moment,
        device=teller.hex,
    )


def _require_approver(own: Own, device: DeviceId) -> None:
    held = own.chain.devices.get(device)
    if held is None or Role.APPROVER not in held.roles:
        raise ServiceError(
            "not_approver", "this device may not answer for you; do it on one that is an approver"
        )


# -- on the other devices --------------------------------------------------------------------------------


def taken(entry: QuestionEntry, known: QuestionRecord | None) -> list[Effect]:
    """Take in a question as the device that runs has told it: what is closed stays so, and then shows nothing more.

    Raises:
        ValueError: what it shows is not what it is about.
    """
    if known is not None:
        if known.state is not QuestionState.OPEN or entry.state is QuestionState.OPEN:
            return []
        by = None if entry.by is None else entry.by.hex
        return [Put(replace(known, state=entry.state, by=by, payload=None))]
    asked, payload = entry.asked, None if entry.payload is None else dict(entry.payload)
    if payload is not None and entry.about == ApprovalKind.TOOL:
        given = payload.get("input")
        if not isinstance(given, dict) or call_subject(str(entry.tool), given) != asked.subject.hex:
            raise ValueError("a question that shows another call than it is about")
    return [
        Put(
            QuestionRecord(
                request_id=str(asked.request),
                digest=asked.dispatch.hex,
                run_id=str(asked.run_id),
                device=asked.device.hex,
                subject=asked.subject.hex,
                deadline_ms=asked.deadline_ms,
                about=entry.about,
                title=entry.title,
                asked_ms=entry.asked_ms,
                state=entry.state,
                tool=entry.tool,
                payload=payload,
                flags=entry.flags,
                grant_n=None if asked.grant is None else asked.grant.n,
                grant_device=None if asked.grant is None else asked.grant.device.hex,
                by=None if entry.by is None else entry.by.hex,
            )
        )
    ]


def is_open(question: QuestionRecord, own: Own, now_ms: int) -> bool:
    """Say whether a question of another device can still be answered at this one."""
    live = question.state is QuestionState.OPEN and question.said is None and now_ms < question.deadline_ms
    held = own.chain.devices.get(own.device)
    may = held is not None and Role.APPROVER in held.roles
    return live and may and DeviceId.from_hex(question.device) in own.chain.devices


def say(
    question: QuestionRecord, own: Own, where: str, now_ms: int, *, approved: bool, reason: str | None
) -> list[Effect]:
    """Answer a question of another device (`where` is its name); it counts once that one has applied it.

    Raises:
        ServiceError: `not_approver`; `not_pending` for what is answered, over or gone; `look_there` for a yes to what was
            too large to be told.
    """
    _require_approver(own, own.device)
    if not is_open(question, own, now_ms):
        raise ServiceError("not_pending", f"this question is no longer open: {_words(question, own, where)}")
    if approved and question.payload is None:
        raise ServiceError(
            "look_there",
            f"what it shows is too large to be told here, so look at it on {where}",
            hint=f"on {where}: dispatch approvals",
        )
    return [Put(replace(question, said=SAID[approved], reason=reason or None))]


def verdict(question: QuestionRecord, now_ms: int) -> VerdictEntry:
    """Return what was said of a question as it is told to the device that runs: about exactly what that one asked."""
    grant = None
    if question.grant_n is not None and question.grant_device is not None:
        grant = Version(question.grant_n, DeviceId.from_hex(question.grant_device))
    asked = Asked(
        dispatch=Digest.from_hex(question.digest),
        run_id=UUID(question.run_id),
        request=UUID(question.request_id),
        subject=Digest.from_hex(question.subject),
        grant=grant,
        deadline_ms=question.deadline_ms,
        device=DeviceId.from_hex(question.device),
    )
    return VerdictEntry(
        asked=asked, approved=question.said == SAID[True], reason=question.reason, said_ms=now_ms
    )


def standing(question: QuestionRecord, own: Own) -> str:
    """Return what became of what was said here: `told`, then `applied` or `too_late`; `open` while nothing was."""
    if question.state is QuestionState.OPEN:
        return "open" if question.said is None else "told"
    if question.said is None:
        return question.state.value
    return "applied" if question.by == own.device.hex else "too_late"


def _words(question: QuestionRecord, own: Own, where: str) -> str:
    match standing(question, own):
        case "told":
            return f"you have {question.said} it here, and {where} has not applied that yet"
        case "applied":
            return f"what you said here was applied on {where}: {question.state}"
        case "open":
            return f"its time is over, or {where} is none of your devices any more"
        case _:
            return f"it was {question.state} on {where}"


def view(question: QuestionRecord, where: str, *, sender: str, own: Own) -> dict[str, JSON]:
    """Return a question of another device exactly as the human has to see it before answering; `where` is its name."""
    payload = _of_there(question.payload or {})
    is_call = question.about == ApprovalKind.TOOL
    return {
        "dispatch_id": str(dispatch_id(Digest.from_hex(question.digest))),
        "request_id": question.request_id,
        "run_id": question.run_id,
        "kind": question.about,
        "from": sender,
        "tool": question.tool,
        "input": payload.get("input") if is_call else payload.get("changes"),
        "title": question.title,
        "description": f"{payload.get('description', 'shows more than is told here')}, on {where}",
        "payload": None if question.payload is None else payload,
        "subject_digest": question.subject,
        "device": question.device,
        "on": where,
        "flags": list(question.flags),
        "state": standing(question, own),
        "asked_at": format_time(question.asked_ms),
        "expires_at": format_time(question.deadline_ms),
        "grants": ["once"],
        "grant_details": [
            {"grant": "once", "tool": question.tool, "command": None, "path": None, "meaning": _MEANING}
        ],
        "can_review": False,
    }


def _of_there(payload: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return what a question shows without the places of its files: on this machine something else may lie there."""
    files = payload.get("artifacts")
    if not isinstance(files, list):
        return dict(payload)
    bare: list[JSON] = [
        {name: value for name, value in file.items() if name != "path"}
        for file in files
        if isinstance(file, Mapping)
    ]
    return {**payload, "artifacts": bare}


def answered_view(
    question: QuestionRecord, where: str, own: Own, *, by: Door, now_ms: int
) -> dict[str, JSON]:
    """Return what was said of a question: not what holds, which only the other device can say."""
    return {
        "dispatch_id": str(dispatch_id(Digest.from_hex(question.digest))),
        "request_id": question.request_id,
        "status": standing(question, own),
        "grant": "once" if question.said == SAID[True] else None,
        "reason": question.reason,
        "decided_by": by,
        "decided_on": None,
        "decided_at": format_time(now_ms),
        "stopped": False,
        "on": where or short_id(question.device),
    }
